"""From Jupyter messages to an execution's outputs."""

from __future__ import annotations

from typing import Any

from tir_agent.trajectory import Execution, ExecutionError, ExecutionStatus

__all__ = ["Outputs"]


class Outputs:
    """Collects what a cell sends, in the order in which it comes. Never trusts its shape."""

    def __init__(self) -> None:
        self._stdout: list[str] = []
        self._stderr: list[str] = []
        self._result: str | None = None
        self._latex: str | None = None
        self._error: ExecutionError | None = None
        self._names: tuple[str, ...] | None = None
        self._dropped = 0

    @property
    def names(self) -> tuple[str, ...] | None:
        """The user's names after the cell; None before its reply came."""
        return self._names

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """An iopub message."""
        match kind:
            case "stream":
                target = self._stderr if content.get("name") == "stderr" else self._stdout
                target.append(str(content.get("text", "")))
            case "display_data":
                self._stdout.append(f"{_data(content, 'text/plain') or ''}\n")
            case "execute_result":
                self._result = _data(content, "text/plain")
                self._latex = _data(content, "text/latex")
            case "error":
                lines = content.get("traceback")
                traceback = "\n".join(map(str, lines)) if isinstance(lines, list) else ""
                self._error = ExecutionError(
                    name=str(content.get("ename", "")),
                    message=str(content.get("evalue", "")),
                    traceback=traceback,
                )

    def reply(self, content: dict[str, Any]) -> None:
        """The shell's reply."""
        names = content.get("tir_names")
        self._names = tuple(map(str, names[:100])) if isinstance(names, list) else ()
        dropped = content.get("tir_dropped")
        self._dropped = max(dropped, 0) if isinstance(dropped, int) else 0

    def execution(
        self, status: ExecutionStatus | None, duration: float, lost_names: tuple[str, ...] | None = None
    ) -> Execution:
        """The record; a `status` of None is read off the outputs."""
        if status is None:
            status = ExecutionStatus.ERROR if self._error else ExecutionStatus.OK
        # An interrupt is how a time-out is carried out: the exception that it raised says nothing new.
        error = None if status is ExecutionStatus.TIMEOUT else self._error
        return Execution(
            status=status,
            stdout="".join(self._stdout),
            stderr="".join(self._stderr),
            result=self._result,
            latex=self._latex,
            error=error,
            duration=duration,
            dropped=self._dropped,
            state_lost=lost_names is not None,
            lost_names=lost_names or (),
        )


def _data(content: dict[str, Any], mime: str) -> str | None:
    data = content.get("data")
    value = data.get(mime) if isinstance(data, dict) else None
    return None if value is None else str(value)
