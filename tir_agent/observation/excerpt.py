"""The head and the tail of a text that is too long."""

from __future__ import annotations

import unicodedata
from collections import deque
from typing import Final

from tir_agent.observation.tokens import token_ends
from tir_agent.settings import LengthUnit, ObservationPolicy

__all__ = ["cut"]

_JOINER: Final = "\u200d"
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_MARKS: Final = 32
"""Marks on one character, at most: what has more is no writing, and may be torn apart."""


def cut(text: str, policy: ObservationPolicy) -> str:
    """Keep the head and the tail of a long text, and say how much is missing between them.

    Never longer than `text`: where the note would make it so, the text is shown whole. A character is not
    separated from its combining marks, nor an emoji from what it is joined with; a little less is kept then.

    >>> cut("abcdefghij" * 10, ObservationPolicy(head=3, tail=2))
    'abc\\n... [95 characters omitted] ...\\nij'
    """
    # A token is a character or more, so this holds for either unit.
    if len(text) <= policy.head + policy.tail:
        return text
    if policy.unit is LengthUnit.TOKENS:
        start, end, omitted = _tokens_between(text, policy.head, policy.tail)
    else:
        start, end = policy.head, len(text) - policy.tail
        omitted = 0
    if start >= end:
        return text
    start, end = _before(text, start), _after(text, end)
    if policy.unit is LengthUnit.CHARACTERS:
        omitted = end - start
    note = _note(policy, omitted, text.count("\n", start, end))
    # A note on a line of its own needs no line break where nothing stands on one side of it.
    note = note.lstrip("\n") if start == 0 else note
    note = note.rstrip("\n") if end == len(text) else note
    return text[:start] + note + text[end:] if len(note) < end - start else text


def _note(policy: ObservationPolicy, count: int, lines: int) -> str:
    about = "about " if policy.unit is LengthUnit.TOKENS else ""
    amount = f"{about}{_counted(count, policy.unit.removesuffix('s'))}"
    if lines:
        amount += f", {_counted(lines, 'line')}"
    note = policy.omitted.replace("{count}", str(count)).replace("{lines}", str(lines))
    return note.replace("{amount}", amount)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _tokens_between(text: str, head: int, tail: int) -> tuple[int, int, int]:
    """Where the head ends, where the tail begins, and how many tokens are between them."""
    start = total = 0
    # The tail begins where the token before it ends.
    last: deque[int] = deque([0], maxlen=tail + 1)
    for end in token_ends(text):
        total += 1
        last.append(end)
        if total == head:
            start = end
    if total <= head + tail:
        return 0, 0, 0
    return start, last[0], total - head - tail


def _before(text: str, index: int) -> int:
    """The last place from `index` back where text can be cut."""
    for place in range(index, max(index - _MARKS, -1), -1):
        if not _inside(text, place):
            return place
    return index


def _after(text: str, index: int) -> int:
    """The first place from `index` on where text can be cut."""
    for place in range(index, min(index + _MARKS, len(text) + 1)):
        if not _inside(text, place):
            return place
    return index


def _inside(text: str, index: int) -> bool:
    """Whether the characters on both sides of `index` belong together. After Unicode's UAX 29, in short."""
    if index <= 0 or index >= len(text):
        return False
    left, right = text[index - 1], text[index]
    return (
        unicodedata.category(right) in {"Mn", "Me", "Mc"}
        or _JOINER in {left, right}
        or ord(right) in _SKIN_TONES
        or ("\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff")
    )
