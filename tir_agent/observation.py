"""From an execution to what the model gets to see of it. Pure functions of text.

Not here: the fence or tag around the output, which is the prompt's, and what the kernel itself
cut before it was recorded (`Execution.dropped`).
"""

from __future__ import annotations

import re

from tir_agent.settings import ObservationPolicy
from tir_agent.trajectory import Execution, ExecutionError, ExecutionStatus

__all__ = ["cut", "observe", "strip_ansi", "trim_traceback"]

# ECMA-48: control sequences (colours, cursor), operating-system commands (links, titles), other escapes.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# IPython opens each frame of a traceback with one of these.
_FRAME = re.compile(r"^(?P<own>Cell In\[\d+\]|Input In \[\d+\])|^File ")


def observe(execution: Execution, policy: ObservationPolicy, *, seconds: float) -> str:
    """The text that stands for `execution` in the conversation.

    `seconds` is the time that the cell was allowed, named where it was exceeded.

    >>> policy = ObservationPolicy()
    >>> observe(Execution(status=ExecutionStatus.OK, stdout="a\\n", result="2"), policy, seconds=30)
    'a\\n2'
    >>> observe(Execution(status=ExecutionStatus.OK), policy, seconds=30)
    '(no output; use print() to see a value)'
    """
    output = _output(execution)
    closing = _closing(execution, policy, seconds)
    if not output and not closing:
        return policy.empty
    return cut("\n".join(part for part in (output, closing) if part), policy)


def _output(execution: Execution) -> str:
    parts = (execution.stdout, execution.stderr, execution.result or "")
    text = "\n".join(part.rstrip("\n") for part in parts if part.strip())
    return strip_ansi(text).rstrip()


def _closing(execution: Execution, policy: ObservationPolicy, seconds: float) -> str:
    lines: list[str] = []
    match execution.status:
        case ExecutionStatus.TIMEOUT:
            lines.append(policy.timeout.replace("{seconds}", f"{seconds:.3g}"))
        case ExecutionStatus.DIED:
            lines.append(policy.died)
        case ExecutionStatus.ERROR | ExecutionStatus.REFUSED | ExecutionStatus.OK:
            if execution.error is not None:
                lines.append(_error(execution.error, policy))
    if execution.state_lost:
        lines.append(policy.state_lost.replace("{names}", ", ".join(execution.lost_names) or "-"))
    return "\n".join(lines)


def _error(error: ExecutionError, policy: ObservationPolicy) -> str:
    text = strip_ansi(error.traceback).strip() or f"{error.name}: {error.message}"
    return trim_traceback(text) if policy.own_frames_only else text


def trim_traceback(traceback: str) -> str:
    """Leave out the frames of an IPython traceback that are not in the user's own cells.

    The first lines, the last frame's error line and everything in the user's cells stay. A traceback
    without frames of the user's (a SyntaxError, say) is returned as it is.
    """
    blocks: list[list[str]] = [[]]
    for line in traceback.splitlines():
        if _FRAME.match(line):
            blocks.append([])
        blocks[-1].append(line)
    head, *frames = blocks
    own = [frame for frame in frames if (match := _FRAME.match(frame[0])) and match["own"]]
    if not own or len(own) == len(frames):
        return traceback
    kept = [*head]
    for frame in own:
        kept += frame
    if frames[-1] is not own[-1]:
        kept += _error_lines(frames[-1])
    return "\n".join(kept)


def _error_lines(frame: list[str]) -> list[str]:
    """The lines after the last blank one: IPython sets the error itself apart from the frames."""
    blank = max((index for index, line in enumerate(frame) if not line.strip()), default=-1)
    return frame[blank + 1 :]


def strip_ansi(text: str) -> str:
    """Remove terminal escape sequences.

    >>> strip_ansi("\\x1b[31mred\\x1b[0m")
    'red'
    """
    return _ANSI.sub("", text)


def cut(text: str, policy: ObservationPolicy) -> str:
    """Keep the head and the tail of a long text, and say how much is missing between them.

    >>> cut("abcdefghij" * 10, ObservationPolicy(head_chars=3, tail_chars=2))
    'abc\\n... [95 characters omitted] ...\\nij'
    """
    omitted = len(text) - policy.head_chars - policy.tail_chars
    if omitted <= 0:
        return text
    head, tail = text[: policy.head_chars], text[len(text) - policy.tail_chars :]
    return f"{head}\n... [{omitted} characters omitted] ...\n{tail}"
