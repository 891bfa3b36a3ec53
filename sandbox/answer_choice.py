r"""Multiple choice: one or several letters, however they are dressed, or the content of a choice.

C   (C)   C.   \text{(C)}   C) 12   choice C   A, C   AC   (A) and (C)
"""

from __future__ import annotations

import re

_LETTER = re.compile(r"[(\[{]? ?([A-Z]) ?[)\]}]?[.:]?", re.IGNORECASE)
_FIRST = re.compile(
    r"(?:option|choice|answer|选项?)? ?[(\[]?([A-Z])[)\].:]+(?: |(?=[^\s.]))(.+)"
    r"|(?:option|choice|选项?) ?[(\[]?([A-Z])[)\]]?",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s*(?:,|;|、|&|\band\b|和|与)\s*|\s+")
_TOGETHER = re.compile(r"[A-J]{2,6}")
_DRESSED = re.compile(r"[(\[]([A-J])[)\]]\.?")


def is_choice(text: str) -> bool:
    """Whether it can only be a choice: a capital letter in brackets."""
    return _DRESSED.fullmatch(text.strip()) is not None


def letters(text: str, count: int | None = None) -> frozenset[str] | None:
    """Which choices are named; None if it is no such list. `count`: how many choices there are."""
    text = text.strip()
    parts = [part for part in _SEPARATOR.split(text) if part]
    if parts and all(_LETTER.fullmatch(part) for part in parts):
        return _known([match[1] for part in parts if (match := _LETTER.fullmatch(part))], count)
    if match := _FIRST.fullmatch(text):
        return _known([match[1] or match[3]], count)
    return _known(list(text), count) if _TOGETHER.fullmatch(text) else None


def content(text: str) -> str:
    """What stands behind the letter: `(C) 12` is 12."""
    match = _FIRST.fullmatch(text.strip())
    return match[2] if match and match[2] else text


def _known(found: list[str], count: int | None) -> frozenset[str] | None:
    named = [letter.upper() for letter in found]
    if len(set(named)) < len(named) or any(count is not None and ord(one) - 65 >= count for one in named):
        return None
    return frozenset(named)
