"""Printed containers with their middle left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

__all__ = ["summarise_containers"]

_CLOSERS: Final = {"[": "]", "(": ")", "{": "}"}
_NEXT: Final = re.compile(r"[\[\](){},'\"\n]")
# `repr` never breaks a line inside a string.
_STRINGS: Final = {
    "'": re.compile(r"'(?:[^'\\\n]|\\[^\n])*+'"),
    '"': re.compile(r'"(?:[^"\\\n]|\\[^\n])*+"'),
}
_BEFORE_STRING: Final = frozenset("[({,: =brufBRUF")
_BLANK: Final = re.compile(r"\s*+")
_ELLIPSIS: Final = re.compile(r"\s*+\.\.\.\s*+")


@dataclass
class _Group:
    """A bracket that is open."""

    start: int
    """Offset behind the bracket."""
    closer: str
    literal: bool
    """False for what may be a call's arguments or an index: it stays whole."""
    commas: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Gap:
    """What is left out, and what is said instead."""

    start: int
    end: int
    text: str


def summarise_containers(text: str, items: int) -> str:
    """Of each printed list, tuple, set or dict with more than `items` elements show the first and the last.

    Nested ones too. Brackets are matched and strings stepped over, in one pass; nothing is evaluated.
    Brackets that do not match are prose (or intervals such as [0, 1)), and stay. So do brackets right
    behind a name: the arguments of `f(1, 2, 3)`.

    >>> summarise_containers(str(list(range(100))), 4)
    '[0, 1, ... 96 of 100 items omitted ..., 98, 99]'
    """
    shown: list[str] = []
    at = 0
    # An outer gap begins before the inner ones that it swallows.
    for gap in sorted(_gaps(text, items), key=lambda gap: gap.start):
        if gap.start >= at:
            shown += (text[at : gap.start], gap.text)
            at = gap.end
    return "".join(shown) + text[at:]


def _gaps(text: str, items: int) -> list[_Gap]:
    gaps: list[_Gap] = []
    groups: list[_Group] = []
    plain_quotes: set[str] = set()
    at = 0
    while match := _NEXT.search(text, at):
        here, at = match.start(), match.end()
        match character := match[0]:
            case "\n":
                plain_quotes.clear()
            case "'" | '"':
                if groups and character not in plain_quotes and text[here - 1] in _BEFORE_STRING | {"\n"}:
                    if string := _STRINGS[character].match(text, here):
                        at = string.end()
                    else:
                        # Not tried again on this line, which keeps the pass linear.
                        plain_quotes.add(character)
            case ",":
                if groups:
                    groups[-1].commas.append(here)
            case "[" | "(" | "{":
                behind = text[here - 1] if here else " "
                literal = not (behind.isalnum() or behind in "_])}\\")
                groups.append(_Group(at, _CLOSERS[character], literal))
            case _ if groups and groups[-1].closer == character:
                group = groups.pop()
                if group.literal and (gap := _gap(text, group, here, items)):
                    gaps.append(gap)
            case _:
                groups.clear()
    return gaps


def _gap(text: str, group: _Group, end: int, items: int) -> _Gap | None:
    commas = group.commas
    if len(commas) < items:
        return None
    # Looked at from their beginnings alone: with slices, deep nesting would cost the square of its depth.
    if _BLANK.fullmatch(text, commas[-1] + 1, end):
        # A comma behind the last element.
        commas = commas[:-1]
    # IPython ends what it prints of long containers with an ellipsis, which is no element.
    more = _ELLIPSIS.fullmatch(text, commas[-1] + 1, end) is not None
    count = len(commas) + 1 - more
    if count <= items:
        return None
    head, tail = -(-items // 2), items // 2
    blank = _BLANK.match(text, commas[head - 1] + 1)
    start = blank.end() if blank else commas[head - 1] + 1
    stop = commas[count - tail - 1]
    note = f"... {count - items} of {count}{' or more' if more else ''} items omitted ..."
    return _Gap(start, stop, note) if len(note) < stop - start else None
