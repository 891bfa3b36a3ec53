"""Values in rows: found by dotted paths, and written as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Final

from tir_agent.problems.rows import Fields

__all__ = ["ABSENT", "Absent", "look", "number_of", "paths_in", "spoken", "text_of"]

_DEPTH: Final = 3
_PATHS: Final = 1000
"""Fields of one row that are looked at when guessing."""
_EXACT: Final = 1e15
"""Floats below it that are whole stand for the integer; larger ones are rounded anyway."""
_WHOLE: Final = re.compile(r"([+-]?\d+)\.0")
_NUMBERED: Final = re.compile(r"[^\W\d][^\d]*?([+-]?\d+(?:\.\d+)?)")


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""There is no such field, which is something else than a field that is null."""


def look(fields: Fields, path: str) -> object:
    """What stands at a dotted path (`reward_model.ground_truth`, `answers.0`), or `ABSENT`.

    A field whose own name has dots is found by it.
    """
    if path in fields:
        return fields[path]
    dot = path.find(".")
    while dot != -1:
        inner = fields.get(path[:dot])
        if isinstance(inner, Mapping):
            return look(inner, path[dot + 1 :])
        if isinstance(inner, list):
            return _in_list(inner, path[dot + 1 :])
        dot = path.find(".", dot + 1)
    return ABSENT


def _in_list(items: Sequence[object], path: str) -> object:
    index, _, rest = path.partition(".")
    if not (index.isascii() and index.isdigit()) or len(index) > 6 or int(index) >= len(items):
        return ABSENT
    item = items[int(index)]
    if not rest:
        return item
    return look(item, rest) if isinstance(item, Mapping) else ABSENT


def paths_in(fields: Fields) -> Iterator[tuple[str, object]]:
    """Every field with its dotted path, mappings' fields behind them, as deep as data sets go."""
    return islice(_paths(fields, "", _DEPTH), _PATHS)


def _paths(fields: Fields, prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    for key, value in fields.items():
        yield f"{prefix}{key}", value
        if depth > 1 and isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.", depth - 1)


def text_of(value: object) -> str | None:
    """A value as an answer would write it, or None where it is none.

    A float that is whole is written as the integer, any other in its shortest form; so is a text that
    is such a float (`27.0`), since tables have no other way. Several values are separated by commas.

    >>> text_of(27.0), text_of("14.0"), text_of(0.1), text_of(["$2$"]), text_of(float("nan"))
    ('27', '14', '0.1', '$2$', None)
    """
    if isinstance(value, str):
        text = value.strip()
        whole = _WHOLE.fullmatch(text)
        return (whole[1] if whole else text) or None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value.is_finite() else None
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, list | tuple):
        parts = [text_of(part) for part in value if not isinstance(part, list | tuple | Mapping)]
        return ", ".join(part for part in parts if part is not None) or None
    return None


def number_of(text: str) -> float | None:
    """A text as a number; of `Level 5` the five."""
    numbered = _NUMBERED.fullmatch(text.strip()) if len(text) < 100 else None
    try:
        number = float(numbered[1] if numbered else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def spoken(value: object, role: str) -> str | None:
    """The words of a `user` or an `assistant` in a list of messages: what is asked, or answered last.

    Asked is the last message of a user where it ends the list (a prompt with examples), else the first.
    """
    if not isinstance(value, list) or not value:
        return None
    said = [_message(item) for item in value]
    mine = [text for speaker, text in said if speaker == role and text]
    if not mine:
        return None
    return mine[-1] if said[-1][0] == role or role == "assistant" else mine[0]


_SPEAKERS: Final = {"human": "user", "gpt": "assistant"}


def _message(item: object) -> tuple[str, str]:
    if not isinstance(item, Mapping):
        return "", ""
    speaker = str(item.get("role", item.get("from", "")))
    content = item.get("content", item.get("value"))
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "".join(part for part in parts if isinstance(part, str))
    return _SPEAKERS.get(speaker, speaker), content.strip() if isinstance(content, str) else ""
