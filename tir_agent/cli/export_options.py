"""From options and a configuration file to an export's recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tir_agent.configuration import Table, assign, checked, merge, parse_assignment, read_table
from tir_agent.errors import ConfigError, UsageError
from tir_agent.preferences.filters import TRAJECTORY_FILTERS
from tir_agent.settings import ExportKind, ExportRecipe, FilterSettings

__all__ = ["Asked", "resolve"]

_SWITCHES = tuple(
    name
    for name, info in FilterSettings.model_fields.items()
    if info.annotation is bool and name != "cleanest_first"
)
_ALWAYS = tuple(one.name for one in TRAJECTORY_FILTERS if one.always)
_VALUES = {"max_tokens": "--max-tokens N", "pass_rate": "--pass-rate MIN MAX", "per_problem": "--at-most N"}
"""Filters that are switched by a value, and how."""
_OF_KINDS: dict[str, tuple[ExportKind, ...]] = {
    "--pairs": (ExportKind.DPO,),
    "--budget": (ExportKind.SFT,),
    "--ratio": (ExportKind.KTO,),
    "--min-prefix": (ExportKind.STEPS,),
    "--per-problem": (ExportKind.DPO, ExportKind.SFT, ExportKind.STEPS),
}
"""Options that mean nothing for other kinds."""


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
    named: Sequence[str] = ()
    """Options that were given and are for some kinds of sets alone."""


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
    recipe = checked(ExportRecipe, table, str(asked.config) if asked.config else "The command")
    _check_kind(recipe.kind, asked.named)
    return recipe


def _no_switch(name: str) -> UsageError:
    if name in _ALWAYS:
        return UsageError(f"The filter {name} is always on")
    if name in _VALUES:
        return UsageError(f"The filter {name} has a value", hint=_VALUES[name])
    return UsageError(f"There is no filter {name!r}", hint=f"There are: {', '.join(_SWITCHES)}")


def _check_kind(kind: ExportKind, named: Iterable[str]) -> None:
    """Make sure that no option was given which means nothing for this kind."""
    for option in named:
        if kind not in _OF_KINDS[option]:
            kinds = " and ".join(one.value for one in _OF_KINDS[option])
            raise UsageError(f"{option} is for {kinds}, and the set is for {kind.value}")


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
                raise _no_switch(plain)
            if switched.get(plain, value) is not value:
                raise ConfigError(f"The filter {name} cannot be both on and off")
            switched[plain] = value
    return switched
