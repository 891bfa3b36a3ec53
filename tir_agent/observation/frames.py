"""Tracebacks with what concerns the user's own code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import dropwhile, pairwise
from typing import Final

from tir_agent.observation.repetition import runs

__all__ = ["trim_traceback"]

# IPython opens each frame of a traceback with one of these.
_FRAME: Final = re.compile(r"^(?P<own>Cell In\[\d+\]|Input In \[\d+\])|^File ")
# Python puts these between an exception and the one that it led to.
_CHAINS: Final = frozenset(
    {
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    }
)


@dataclass(frozen=True)
class _Section:
    """One exception of a chain."""

    head: list[str]
    """What stands above the first frame."""
    frames: list[str]
    own: list[bool]
    error: list[str]
    """What stands below the last frame, from the blank line on."""


def trim_traceback(traceback: str) -> str:
    """Leave out the frames of an IPython traceback that are not in the user's own cells.

    The first lines, the error and everything in the user's cells stay, for every exception of a chain; own
    frames that come more than 3 times in a row, as in a recursion, are shown once, with their number. A
    traceback without frames of the user's (a SyntaxError, say) is returned as it is.
    """
    lines = traceback.split("\n")
    borders = [0, *(index for index, line in enumerate(lines) if line in _CHAINS), len(lines)]
    sections = [_section(lines[start:end]) for start, end in pairwise(borders)]
    if not any(any(section.own) for section in sections):
        return traceback
    shown = [line for section in sections for line in _shown(section)]
    return "\n".join(shown) if len(shown) < len(lines) else traceback


def _section(lines: list[str]) -> _Section:
    starts = [index for index, line in enumerate(lines) if _FRAME.match(line)]
    if not starts:
        return _Section(lines, [], [], [])
    # Source is numbered, empty lines of it too: a blank line ends a frame.
    last = next((index for index in range(starts[-1], len(lines)) if not lines[index].strip()), starts[-1])
    frames = ["\n".join(lines[start:end]).rstrip() for start, end in pairwise([*starts, last])]
    own = [(match := _FRAME.match(frame)) is not None and match["own"] is not None for frame in frames]
    return _Section(lines[: starts[0]], frames, own, lines[last:])


def _shown(section: _Section) -> list[str]:
    shown = [*section.head]
    frames = [frame for frame, own in zip(section.frames, section.own, strict=True) if own]
    for index, (block, times) in enumerate(runs(frames)):
        if index:
            shown.append("")
        shown.append("\n\n".join(block))
        if times > 1:
            shown += ["", _note(len(block), times - 1)]
    shown = "\n".join(shown).split("\n")
    if frames:
        return shown + section.error
    # Without a frame above it, the error needs no blank line there.
    return shown + list(dropwhile(lambda line: not line.strip(), section.error))


def _note(frames: int, times: int) -> str:
    previous = "previous frame" if frames == 1 else f"previous {frames} frames"
    return f"[{previous} repeated {times} more times]"
