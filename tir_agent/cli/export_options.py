"""From options and a configuration file to an export's recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tir_agent.configuration import Table, assign, checked, merge, parse_assignment, read_table
from tir_agent.errors import ConfigError, UsageError
from tir_agent.settings import ExportRecipe, FilterSettings

__all__ = ["Asked", "resolve"]

_SWITCHES = tuple(name for name, info in FilterSettings.model_fields.items() if info.annotation is bool)


@dataclass
class Asked:
    """What the command line says. None: nothing."""

    config: Path | None
    recipe: Table = field(default_factory=dict)
    """In the names of `settings.ExportRecipe`."""
    filters: Table = field(default_factory=dict)
    pairing: Table = field(default_factory=dict)
    budget: Table = field(default_factory=dict)
    contamination: Table = field(default_factory=dict)
    on: Sequence[str] = ()
    """Filters to switch on; and `off` those to switch off."""
    off: Sequence[str] = ()
    assignments: Sequence[str] = ()


def resolve(asked: Asked) -> ExportRecipe:
    """What is to be exported. Options stand above the file, assignments above both.

    Raises:
        UsageError: they contradict one another, or name what is not there.
    """
    table: Table = _read(asked.config) if asked.config else {}
    table |= {name: value for name, value in asked.recipe.items() if value is not None}
    if "kind" not in table:
        raise UsageError("What the set is to train was not said", hint="--format sft, dpo, kto or steps")
    merge(table, "filters", {**asked.filters, **_switched(asked.on, asked.off)})
    merge(table, "pairing", asked.pairing)
    merge(table, "budget", asked.budget)
    merge(table, "contamination", asked.contamination)
    for written in asked.assignments:
        assign(table, *parse_assignment(written))
    return checked(ExportRecipe, table, str(asked.config) if asked.config else "The command")


def _read(path: Path) -> Table:
    """The file; paths in it are looked for beside it first, then from the current folder."""
    table = read_table(path)
    for name in ("tokenizer", "rewards", "prompt"):
        _beside(path.parent, table, name)
    contamination = table.get("contamination")
    against = contamination.get("against") if isinstance(contamination, dict) else None
    for source in against if isinstance(against, list) else []:
        _beside(path.parent, source, "path")
    return table


def _beside(folder: Path, table: object, name: str) -> None:
    if isinstance(table, dict) and isinstance(value := table.get(name), str) and (folder / value).exists():
        table[name] = str(folder / value)


def _switched(on: Iterable[str], off: Iterable[str]) -> Table:
    switched: Table = {}
    for names, value in ((on, True), (off, False)):
        for name in names:
            plain = name.replace("-", "_")
            if plain not in _SWITCHES:
                raise UsageError(f"There is no filter {name!r}", hint=f"There are: {', '.join(_SWITCHES)}")
            if switched.get(plain, value) is not value:
                raise ConfigError(f"The filter {name} cannot be both on and off")
            switched[plain] = value
    return switched
