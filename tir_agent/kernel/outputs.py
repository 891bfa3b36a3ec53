"""From Jupyter messages to an execution's outputs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from tir_agent.trajectory import Execution, ExecutionError, ExecutionStatus, Image

__all__ = ["Outputs"]

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_IMAGES = 8
_MAX_IMAGE_CHARS = 2_000_000
_MAX_NAME_CHARS = 200
_UNSHOWN = "(the exception could not be shown: showing it failed too)"


class Outputs:
    """Collects what a cell sends, in the order in which it comes. Never trusts its shape or its size.

    The kernel keeps to its cap of `limit` characters by itself; a program that goes round it gets as much
    again, and the rest is dropped here.
    """

    def __init__(self, limit: int) -> None:
        self._left = 2 * limit + 10_000
        self._stdout: list[str] = []
        self._stderr: list[str] = []
        self._images: list[Image] = []
        self._result: str | None = None
        self._latex: str | None = None
        self._error: ExecutionError | None = None
        self._names: Mapping[str, str] | None = None
        self._dropped = 0

    @property
    def names(self) -> Mapping[str, str] | None:
        """The user's names after the cell and their types; None before its reply came."""
        return self._names

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """An iopub message."""
        match kind:
            case "stream":
                target = self._stderr if content.get("name") == "stderr" else self._stdout
                target.append(self._text(content.get("text", "")))
            case "display_data":
                self._stdout.append(f"{self._data(content, 'text/plain') or ''}\n")
                self._add_image(content)
            case "execute_result":
                self._result = self._data(content, "text/plain")
                self._latex = self._data(content, "text/latex")
            case "error":
                lines = content.get("traceback")
                self._error = ExecutionError(
                    name=self._text(content.get("ename", "")),
                    message=self._text(content.get("evalue", "")),
                    traceback=self._text("\n".join(map(str, lines)) if isinstance(lines, list) else ""),
                )

    def reply(self, content: dict[str, Any]) -> None:
        """The shell's reply."""
        if content.get("status") != "ok" and self._error is None:
            name = self._text(content.get("ename") or "Exception")
            self._error = ExecutionError(name=name, message=_UNSHOWN, traceback=f"{name}: {_UNSHOWN}")
        names = content.get("tir_names")
        pairs = list(names.items())[:100] if isinstance(names, dict) else []
        self._names = {_plain(key)[:_MAX_NAME_CHARS]: _plain(kind)[:_MAX_NAME_CHARS] for key, kind in pairs}
        dropped = content.get("tir_dropped")
        self._dropped += max(dropped, 0) if isinstance(dropped, int) and dropped < 2**53 else 0

    def blame(self, reason: str) -> None:
        """Say why the kernel was ended, by whoever looks after the sandbox."""
        self._error = ExecutionError(name="MemoryLimit", message=reason, traceback=f"MemoryLimit: {reason}")

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
            images=tuple(self._images),
            error=error,
            duration=duration,
            dropped=self._dropped,
            state_lost=lost_names is not None,
            lost_names=lost_names or (),
        )

    def _text(self, value: object) -> str:
        text = _plain(value)
        kept = text[: self._left]
        self._left -= len(kept)
        self._dropped += len(text) - len(kept)
        return kept

    def _data(self, content: dict[str, Any], mime: str) -> str | None:
        data = content.get("data")
        value = data.get(mime) if isinstance(data, dict) else None
        return None if value is None else self._text(value)

    def _add_image(self, content: dict[str, Any]) -> None:
        data = content.get("data")
        encoded = data.get("image/png") if isinstance(data, dict) else None
        if (
            not isinstance(encoded, str)
            or len(encoded) > _MAX_IMAGE_CHARS
            or len(self._images) >= _MAX_IMAGES
        ):
            return
        encoded = encoded.replace("\n", "")
        try:
            png = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return
        # PNG specification, 11.2.1: the header, with width and height, is the first chunk.
        if png.startswith(_PNG) and len(png) >= 24:
            size = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
            self._images.append(Image(width=size[0], height=size[1], png=encoded))


def _plain(value: object) -> str:
    """As text that can be written to a file: lone surrogates are shown as escapes."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
