"""Rows from JSON: one object a line, or one document.

A line that is no object is reported with its number, and the lines behind it are read. Integers with
more digits than Python turns into numbers stay text, so that no digit is lost.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Final

from tir_agent.errors import DataError
from tir_agent.problems.files import MAX_LINE, lines_of
from tir_agent.problems.rows import Fault, Read, Row

__all__ = ["document_rows", "line_rows"]

_DIGITS: Final = 4000
"""Below the number at which Python refuses (`sys.get_int_max_str_digits`)."""


def line_rows(stream: io.BufferedReader, name: str) -> Iterator[Read]:
    """One object a line; empty lines count, and are passed over."""
    for line in lines_of(stream):
        where = f"{name}:{line.number}"
        if line.content is None:
            yield Fault(where, f"The line is longer than {MAX_LINE:,} bytes")
        elif line.content.strip():
            yield _row(line.content, where)


def document_rows(stream: io.BufferedReader, name: str, split: str | None) -> Iterator[Read]:
    """A list of objects, or an object that holds one such list, or one a split.

    A file of this name that holds one object a line is read as what it is. Rows are numbered from 1.

    Raises:
        DataError: it is none of these.
    """
    content = stream.read()
    try:
        found = _parsed(content)
    except _Refused as refused:
        first, _, rest = content.partition(b"\n")
        if rest.strip() and split is None and isinstance(_row(first, name), Row):
            yield from line_rows(io.BufferedReader(io.BytesIO(content)), name)
            return
        raise DataError(f"{name} is not JSON: {refused}") from None
    for number, item in enumerate(_list_in(found, name, split), 1):
        where = f"{name}:{number}"
        if isinstance(item, dict):
            yield _checked(item, where)
        else:
            yield Fault(where, f"It is not an object but {_kind(item)}")


class _Refused(Exception):
    """Bytes are not JSON; says why."""


def _row(content: bytes, where: str) -> Read:
    try:
        found = _parsed(content)
    except _Refused as refused:
        return Fault(where, f"It is not JSON: {refused}")
    if not isinstance(found, dict):
        return Fault(where, f"It is not an object but {_kind(found)}")
    return _checked(found, where)


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content.decode("utf-8-sig"), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise _Refused(f"byte {error.start + 1} is not UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise _Refused(f"{error.msg} ({place})") from None
    except RecursionError:
        raise _Refused("it is nested too deeply") from None


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _DIGITS else digits


def _checked(fields: dict[str, object], where: str) -> Read:
    """The row, unless a text in it is none: JSON can escape half of a character, and UTF-8 cannot hold it."""
    try:
        json.dumps(fields, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return Fault(where, "It holds half of a surrogate pair, which is no character")
    except RecursionError:
        return Fault(where, "It is nested too deeply")
    return Row(where, fields)


def _list_in(found: object, name: str, split: str | None) -> list[object]:
    if isinstance(found, list):
        if split is not None:
            raise DataError(f"{name} has no splits", hint="Leave --split out")
        return found
    if not isinstance(found, dict):
        raise DataError(f"{name} holds neither a list nor an object but {_kind(found)}")
    lists = {key: value for key, value in found.items() if isinstance(value, list)}
    if split is not None:
        if split not in lists:
            raise DataError(
                f"{name} has no split {split!r}", hint=f"Lists in it: {', '.join(lists) or 'none'}"
            )
        return lists[split]
    if len(lists) != 1:
        raise DataError(
            f"{name} is one object with {len(lists)} lists, where one is looked for",
            hint=f"Name one with --split: {', '.join(lists)}" if lists else "Give a list of objects",
        )
    return next(iter(lists.values()))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "something else")
