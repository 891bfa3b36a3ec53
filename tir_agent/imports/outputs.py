"""How an execution ended, guessed from the output that was recorded of it.

Covered are the marks of IPython and Python (tracebacks, also without their first lines), MathCoder (a
row of 75 dashes with `Timeout waiting for reply` or nothing behind it: its kernel timed out), MINT (its alarm
raises `TimeoutError`) and ToRA (the traceback's last line alone). Not covered: a program that prints what
looks like an error, and is taken for one that failed.
"""

from __future__ import annotations

import re
from typing import Final

from tir_agent.execution import Execution, ExecutionError, ExecutionStatus
from tir_agent.observation import strip_ansi

__all__ = ["NOT_RECORDED", "execution_of"]

NOT_RECORDED: Final = "No output of this code is recorded."

_ROW: Final = "-" * 75
_SILENT: Final = frozenset({"[Executed Successfully with No Output]", "<empty_execution>"})
"""What MINT and MathCoder show for code that prints nothing."""
_NAME: Final = r"[A-Za-z_][\w.]*"
_IPYTHON: Final = re.compile(r"^-{75}\s+(\S[^\n]*?)\s+Traceback \(most recent call last\)", re.MULTILINE)
_CHAINED: Final = re.compile(rf"^({_NAME})\s+Traceback \(most recent call last\)", re.MULTILINE)
_PYTHON: Final = re.compile(r"^Traceback \(most recent call last\):", re.MULTILINE)
_SYNTAX: Final = re.compile(r"^\s*(?:Cell In\[\d+\]|File [^\n]*|Input In \[\d+\]), line \d+", re.MULTILINE)
_LAST: Final = re.compile(rf"^\s*({_NAME}(?:Error|Exception|Interrupt|Exit))(?:: ?(.*))?$")
_TIMEOUTS: Final = frozenset({"TimeoutError", "TimeoutException", "Timeout waiting for reply"})


def execution_of(output: str | None) -> Execution:
    """What an output says of the code that wrote it; None is an output that was not recorded.

    What stands before a traceback becomes standard output, the traceback the error, without its colours.

    >>> execution_of("8").status.value, execution_of("-" * 75).status.value
    ('ok', 'timeout')
    """
    if output is None:
        error = ExecutionError(name="NotRecorded", message=NOT_RECORDED, traceback=NOT_RECORDED)
        return Execution(status=ExecutionStatus.REFUSED, error=error)
    if output.strip() == _ROW:
        return Execution(status=ExecutionStatus.TIMEOUT, stdout=output)
    if output.strip() in _SILENT:
        return Execution(status=ExecutionStatus.OK)
    clean = strip_ansi(output)
    found = _error_in(clean)
    if found is None:
        return Execution(status=ExecutionStatus.OK, stdout=output)
    start, error = found
    # An alarm that rang inside an `except` is not the last of the exceptions.
    names = {error.name, *_CHAINED.findall(clean)}
    late = any(name.rpartition(".")[2] in _TIMEOUTS for name in names)
    return Execution(
        status=ExecutionStatus.TIMEOUT if late else ExecutionStatus.ERROR, stdout=clean[:start], error=error
    )


def _error_in(text: str) -> tuple[int, ExecutionError] | None:
    """Where the error begins, and what it is."""
    lines = [line for line in text.splitlines() if line.strip()]
    last = _LAST.match(lines[-1]) if lines else None
    header = _IPYTHON.search(text)
    if header is not None:
        # A traceback that was cut has no last line; its first one names the exception.
        name, message = (last[1], last[2] or "") if last else (header[1], _message(lines, header[1]))
        return header.start(), _error(name, message, text[header.start() :])
    traced = _PYTHON.search(text)
    if traced is not None:
        name, message = (last[1], last[2] or "") if last else ("Exception", "")
        return traced.start(), _error(name, message, text[traced.start() :])
    if last is None:
        return None
    place = _SYNTAX.search(text)
    if place is None and len(lines) > 1:
        return None
    start = place.start() if place else 0
    return start, _error(last[1], last[2] or "", text[start:])


def _message(lines: list[str], name: str) -> str:
    """Of an exception whose name does not say that it is one."""
    mark = f"{name}: "
    return next((line.strip()[len(mark) :] for line in reversed(lines) if line.strip().startswith(mark)), "")


def _error(name: str, message: str, traceback: str) -> ExecutionError:
    return ExecutionError(name=name, message=message, traceback=traceback)
