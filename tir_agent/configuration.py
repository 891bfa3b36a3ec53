"""Configuration: a TOML file, what was said on top of it, and settings made of both."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from tir_agent.errors import ConfigError

__all__ = ["Table", "assign", "checked", "merge", "parse_assignment", "read_table"]

Table: TypeAlias = dict[str, object]
"""A table of TOML, as `tomllib` reads it."""

M = TypeVar("M", bound=BaseModel)


def read_table(path: Path) -> Table:
    """A configuration file as it stands.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None


def parse_assignment(written: str) -> tuple[Sequence[str], object]:
    """`budget.max_turns=6` as a path and a value. The value is TOML; what is none is taken as a text.

    Raises:
        ConfigError: there is no `=`, or nothing before it.
    """
    name, equals, value = written.partition("=")
    path = [part.strip() for part in name.split(".")]
    if not equals or not all(path):
        raise ConfigError(
            f"{written!r} is not an assignment",
            hint="As in --set table.name=value",
        )
    try:
        return path, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return path, value


def assign(table: Table, path: Sequence[str], value: object) -> None:
    """Put `value` where `path` leads, through tables and numbered elements of lists.

    Raises:
        ConfigError: there is no such place.
    """
    here: object = table
    for part, following in zip(path, [*path[1:], ""], strict=True):
        last = not following
        if isinstance(here, list):
            if not part.isdigit() or int(part) >= len(here):
                raise ConfigError(f"{'.'.join(path)}: there is no element {part!r}", hint="They count from 0")
            if last:
                here[int(part)] = value
            here = here[int(part)]
        elif isinstance(here, dict):
            if last:
                here[part] = value
            here = here.setdefault(part, {})
        else:
            raise ConfigError(f"{'.'.join(path)}: {part!r} is not part of a table")


def merge(table: Table, name: str, said: Table) -> None:
    """Put what was said into a table of the table; None is what was not said.

    Raises:
        ConfigError: what is there is no table.
    """
    said = {key: value for key, value in said.items() if value is not None}
    if not said:
        return
    there = table.setdefault(name, {})
    if not isinstance(there, dict):
        raise ConfigError(f"{name} must be a table")
    for key, value in said.items():
        if isinstance(value, dict):
            merge(there, key, value)
        else:
            there[key] = value


def checked(kind: type[M], table: Mapping[str, object], where: str) -> M:
    """The settings of this kind that a table stands for.

    Raises:
        ConfigError: names every field that is wrong, or unknown, with its path.
    """
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise ConfigError(f"{where}: {'; '.join(_sentence(kind, one) for one in found)}") from None


def _sentence(kind: type[BaseModel], error: Mapping[str, object]) -> str:
    location = error["loc"]
    assert isinstance(location, tuple)
    # The kind of a plan is a part of pydantic's path, and of no one else's.
    parts = [str(part) for part in location]
    path = ".".join(part for number, part in enumerate(parts) if not (number == 1 and parts[0] == "samples"))
    if parts[0] == "samples" and len(parts) == 2 and error["type"] != "extra_forbidden":
        path = "samples"
    if error["type"] != "extra_forbidden":
        message = str(error["msg"]).removeprefix("Value error, ")
        message = f"{message[:1].lower()}{message[1:]}"
        return f"{path}: {message}" if path else message
    name = parts[-1]
    near = [one for one in difflib.get_close_matches(name, _all_fields(kind), n=2) if one != name]
    if name in _all_fields(kind):
        return f"{path} is not known here, though another table or plan has such a field"
    return f"{path} is not known" + (f" (did you mean {near[0]}?)" if near else "")


def _all_fields(model: type[BaseModel]) -> set[str]:
    """The names of its fields, and of those of what they hold."""
    names: set[str] = set()
    waiting: list[object] = [model]
    while waiting:
        kind = waiting.pop()
        waiting += getattr(kind, "__args__", ())
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= set(kind.model_fields)
            waiting += [field.annotation for field in kind.model_fields.values()]
    return names
