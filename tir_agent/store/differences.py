"""Where two configurations differ, by the names of the fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, JsonValue

__all__ = ["differences"]

_LONG = 80


def differences(
    here: BaseModel | Sequence[BaseModel], there: BaseModel | Sequence[BaseModel], name: str
) -> list[str]:
    """One phrase for each field that has another value `here` than `there`, which is of the same kind.

    >>> from tir_agent.settings import Sampling
    >>> differences(Sampling(temperature=0.7), Sampling(), "sampling")
    ['sampling.temperature is 0.7 here and 0.0 in the run']
    """
    pairs = _differing(_plain(here), _plain(there), name)
    return [f"{path} is {mine} here and {theirs} in the run" for path, mine, theirs in pairs]


def _plain(value: BaseModel | Sequence[BaseModel]) -> JsonValue:
    if isinstance(value, BaseModel):
        content: JsonValue = value.model_dump(mode="json")
        return content
    return [_plain(part) for part in value]


def _differing(here: JsonValue, there: JsonValue, path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(here, dict) and isinstance(there, dict):
        for name in {**here, **there}:
            if name in here and name in there:
                yield from _differing(here[name], there[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}", _shown(here, name), _shown(there, name)
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for number, (mine, theirs) in enumerate(zip(here, there, strict=True)):
            yield from _differing(mine, theirs, f"{path}[{number}]")
    elif here != there:
        yield path, _text(here), _text(there)


def _shown(fields: dict[str, JsonValue], name: str) -> str:
    return _text(fields[name]) if name in fields else "absent"


def _text(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
