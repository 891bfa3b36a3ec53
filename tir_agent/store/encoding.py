"""Records as lines of JSON."""

from __future__ import annotations

import json
import re

from pydantic import BaseModel, JsonValue
from pydantic_core import PydanticSerializationError

__all__ = ["encoded"]

_NO_TEXT = re.compile("[\ud800-\udfff]")


def encoded(record: BaseModel, *, indent: int | None = None, defaults: bool = True) -> bytes:
    """`record` as JSON in UTF-8, on one line where there is no `indent`.

    Halves of surrogate pairs, which a server may send and UTF-8 cannot hold, become U+FFFD, one character
    for one: the record is kept, and its offsets stay right.
    """
    try:
        text = record.model_dump_json(indent=indent, exclude_defaults=not defaults)
    except PydanticSerializationError:
        content = _as_text(record.model_dump(mode="json", exclude_defaults=not defaults))
        separators = (",", ":") if indent is None else (",", ": ")
        text = json.dumps(content, ensure_ascii=False, indent=indent, separators=separators)
    return text.encode("utf-8")


def _as_text(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _NO_TEXT.sub("\ufffd", value)
    if isinstance(value, list):
        return [_as_text(part) for part in value]
    if isinstance(value, dict):
        return {_NO_TEXT.sub("\ufffd", key): _as_text(part) for key, part in value.items()}
    return value
