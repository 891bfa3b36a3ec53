"""From options and a configuration file to a recipe and an operation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tir_agent.collect.config import load_config, validated
from tir_agent.collect.session import is_run
from tir_agent.configuration import Table, assign, merge, parse_assignment
from tir_agent.errors import ConfigError, RunError, UsageError
from tir_agent.settings import Operation, ProblemSource, Recipe
from tir_agent.store import RunReader

__all__ = ["Asked", "resolve"]


@dataclass
class Asked:
    """What the command line says. None: nothing."""

    source: ProblemSource | None
    config: Path | None
    resume: Path | None
    arm: Table = field(default_factory=dict)
    """Of the one arm, in the names of `settings.Arm`."""
    server: Table = field(default_factory=dict)
    """Where it is served, in the names of `settings.Server`; `limits` is a table in it."""
    samples: Table = field(default_factory=dict)
    recipe: Table = field(default_factory=dict)
    operation: Table = field(default_factory=dict)
    assignments: Sequence[str] = ()


def resolve(asked: Asked) -> tuple[Recipe, Operation]:
    """What is to be collected, and how. Options stand above the file, assignments above both.

    Raises:
        UsageError: they contradict one another, or name what is not there.
    """
    if asked.resume is not None:
        return _resumed(asked)
    where = str(asked.config) if asked.config else "The command"
    table: Table = load_config(asked.config) if asked.config else {}
    if asked.source is not None:
        table["problems"] = asked.source.model_dump(mode="json", exclude_defaults=True)
    if "problems" not in table:
        raise UsageError("No data set was given", hint="tir collect problems.jsonl --model NAME --samples 8")
    _add_arm(table, asked)
    merge(table, "samples", asked.samples)
    table |= {name: value for name, value in asked.recipe.items() if value is not None}
    merge(table, "operation", asked.operation)
    for written in asked.assignments:
        assign(table, *parse_assignment(written))
    if isinstance(samples := table.get("samples"), dict):
        samples.setdefault("kind", "fixed")
    return validated(table, where)


def _resumed(asked: Asked) -> tuple[Recipe, Operation]:
    """The recipe of a run that is there; how it is carried out may be said anew."""
    assert asked.resume is not None
    if asked.source or asked.config or _said(asked.arm) or _said(asked.samples) or _said(asked.recipe):
        raise UsageError(
            "--resume takes what is collected from the run itself",
            hint="Leave out the data set, the configuration, the model and the samples",
        )
    if not is_run(asked.resume):
        raise RunError(f"{asked.resume} is not the folder of a run")
    manifest = RunReader.open(asked.resume).manifest
    if manifest is None or not manifest.writings:
        raise RunError(f"{asked.resume} does not say how it was begun")
    last = manifest.writings[-1].operation.model_dump(mode="json")
    table: Table = {**manifest.recipe.model_dump(mode="json"), "operation": last}
    if _said(asked.server):
        _serve(table, manifest.recipe.arms[0].name, asked.server)
    merge(table, "operation", asked.operation)
    for written in asked.assignments:
        path, value = parse_assignment(written)
        if path[0] != "operation":
            raise UsageError(f"--resume cannot change {'.'.join(path)}: only what is under operation")
        assign(table, path, value)
    return validated(table, str(asked.resume))


def _add_arm(table: Table, asked: Asked) -> None:
    """The arm that the options name, in the place of the file's one arm or as the first."""
    arms = table.setdefault("arms", [])
    if not isinstance(arms, list) or not all(isinstance(arm, dict) for arm in arms):
        raise ConfigError("arms must be a list of tables", hint="[[arms]]")
    if _said(asked.arm):
        if len(arms) > 1:
            raise UsageError(
                f"The configuration has {len(arms)} arms, so --model and its like do not say of which",
                hint="--set arms.0.model=NAME",
            )
        if not arms:
            arms.append({})
        arm: Table = arms[0]
        sampling = asked.arm.get("sampling")
        merge(arm, "sampling", sampling if isinstance(sampling, dict) else {})
        arm |= {name: value for name, value in asked.arm.items() if value is not None and name != "sampling"}
    if not arms:
        raise UsageError("No model was given", hint="--model embedded, or a model of your server")
    for arm in arms:
        if isinstance(model := arm.get("model"), str):
            arm.setdefault("name", model.rstrip("/").rpartition("/")[2] or model)
    if _said(asked.server):
        _serve(table, str(arms[0].get("name")), asked.server)


def _serve(table: Table, arm: str, server: Table) -> None:
    """Say where an arm is served, over what the file says of it."""
    operation = table.setdefault("operation", {})
    if not isinstance(operation, dict):
        raise ConfigError("operation must be a table", hint="[operation]")
    servers = operation.setdefault("servers", [])
    if not isinstance(servers, list):
        raise ConfigError("operation.servers must be a list of tables", hint="[[operation.servers]]")
    known: Table | None = next(
        (one for one in servers if isinstance(one, dict) and one.get("arm") == arm), None
    )
    if known is None:
        known = {"arm": arm}
        servers.append(known)
    limits = server.get("limits")
    merge(known, "limits", limits if isinstance(limits, dict) else {})
    known |= {name: value for name, value in server.items() if value is not None and name != "limits"}


def _said(table: Table) -> bool:
    return any(_said(value) if isinstance(value, dict) else value is not None for value in table.values())


def default_folder(recipe: Recipe) -> Path:
    """Where a run goes that was not told where."""
    data = recipe.problems.path.rstrip("/").rpartition("/")[2].partition(".")[0]
    names: Iterable[str] = (data, *(arm.name for arm in recipe.arms))
    return Path("runs") / "-".join(
        "".join(c if c.isalnum() or c in "._" else "_" for c in name) for name in names
    )
