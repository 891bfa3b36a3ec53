"""The configuration of a collection: a TOML file, and what was said on top of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tir_agent.configuration import Table, checked, read_table
from tir_agent.settings import Operation, Recipe

__all__ = ["load_config", "validated"]


class _Config(Recipe):
    """A file: the recipe's fields, and the operation in a table of its own."""

    operation: Operation = Operation()


def load_config(path: Path) -> Table:
    """A configuration file as it stands.

    Paths in it are looked for beside it first, then from the current folder.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    table = read_table(path)
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


def validated(table: Mapping[str, object], where: str) -> tuple[Recipe, Operation]:
    """The settings that a table stands for.

    Raises:
        ConfigError: names every field that is wrong, or unknown, with its path.
    """
    config = checked(_Config, table, where)
    fields = {name: getattr(config, name) for name in Recipe.model_fields}
    return Recipe(**fields), config.operation
