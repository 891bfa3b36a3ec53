"""Code that is wrapped once more, in a Markdown fence inside its own marks."""

from __future__ import annotations

import re

__all__ = ["without_fence"]

_OPENING = re.compile(r"\s*`{3,}[^`\n]*\n")


def without_fence(text: str, start: int, end: int) -> tuple[int, int]:
    """The part of `text[start:end]` inside a fence that wraps all of it, or all of it.

    A closing fence may be missing, since the reply can have been stopped at it.
    """
    opening = _OPENING.match(text, start, end)
    if opening is None:
        return start, end
    inner = text[opening.end() : end].rstrip()
    ticks = len(inner) - len(inner.rstrip("`"))
    body = inner[: len(inner) - ticks]
    if ticks >= 3 and not body.rpartition("\n")[2].strip():
        return opening.end(), opening.end() + len(body)
    return opening.end(), end
