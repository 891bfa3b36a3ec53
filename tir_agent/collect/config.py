"""The configuration of a collection: a TOML file, and what was said on top of it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ValidationError

from tir_agent.errors import ConfigError
from tir_agent.settings import Operation, Recipe

__all__ = ["Table", "assign", "load_config", "parse_assignment", "validated"]

Table: TypeAlias = dict[str, object]
"""A table of TOML, as `tomllib` reads it."""


class _Config(Recipe):
    """A file: the recipe's fields, and the operation in a table of its own."""

    operation: Operation = Operation()


def load_config(path: Path) -> Table:
    """A configuration file as it stands.

    Paths in it are looked for beside it first, then from the current folder.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    _beside(path.parent, table.get("problems"), "path")
    arms = table.get("arms")
    for arm in arms if isinstance(arms, list) else []:
        _beside(path.parent, arm, "prompt")
        _beside(path.parent, arm, "model")
    return table


def _beside(folder: Path, table: object, name: str) -> None:
    """Make a relative path one from the configuration's folder, where there is such a file."""
    if isinstance(table, dict) and isinstance(value := table.get(name), str) and (folder / value).exists():
        table[name] = str(folder / value)


def parse_assignment(written: str) -> tuple[Sequence[str], object]:
    """`budget.max_turns=6` as a path and a value. The value is TOML; what is none is taken as a text.

    Raises:
        ConfigError: there is no `=`, or nothing before it.
    """
    name, equals, value = written.partition("=")
    path = [part.strip() for part in name.split(".")]
    if not equals or not all(path):
        raise ConfigError(f"{written!r} is not an assignment", hint="As in --set budget.max_turns=6")
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


def validated(table: Mapping[str, object], where: str) -> tuple[Recipe, Operation]:
    """The settings that a table stands for.

    Raises:
        ConfigError: names every field that is wrong, or unknown, with its path.
    """
    try:
        config = _Config.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{where}: {'; '.join(map(_sentence, error.errors(include_url=False)))}") from None
    fields = {name: getattr(config, name) for name in Recipe.model_fields}
    return Recipe(**fields), config.operation


def _sentence(error: Mapping[str, object]) -> str:
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
    near = [one for one in difflib.get_close_matches(name, _all_fields(_Config), n=2) if one != name]
    if name in _all_fields(_Config):
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
