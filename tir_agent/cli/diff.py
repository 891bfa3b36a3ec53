"""`tir diff`: what two training sets have in common, and what not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import JsonValue

from tir_agent.cli.grid import Grid, draw
from tir_agent.export.diff import ExportDiff, Group
from tir_agent.export.diff import diff as compare
from tir_agent.export.reading import ExportReader

__all__ = ["diff"]

EXIT_DIFFERENT: Final = 1
"""As with diff(1)."""


def diff(
    a: Annotated[Path, typer.Argument(help="An export's folder.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="Another one.", metavar="B")],
    show: Annotated[int, typer.Option(min=0, help="Name at most so many of each kind of difference.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON, and nothing else.")] = False,
) -> None:
    """Compare two training sets: examples, problems, recipe, filters, prompts and graders.

    Exit status: 0 they are equal, 1 they differ (or something failed), 2 wrong usage.
    """
    one, other = ExportReader.open(a), ExportReader.open(b)
    found = compare(one, other, show=show)
    if as_json:
        content = {"a": str(a), "b": str(b), "equal": found.equal, **found.model_dump(mode="json")}
        typer.echo(json.dumps(content, ensure_ascii=False, indent=1))
    else:
        # Whole paths would make every column too wide.
        names = (one.name, other.name) if one.name != other.name else ("A", "B")
        draw(_grids(found, *names), _notes(found, one, other))
    if not found.equal:
        raise typer.Exit(EXIT_DIFFERENT)


def _grids(found: ExportDiff, a: str, b: str) -> list[Grid]:
    groups = (
        (f"Only in {a}", found.only_a),
        (f"Only in {b}", found.only_b),
        ("In both, with other rows", found.changed),
        ("In both, in another split", found.moved),
        ("Problems in both, with other trajectories", found.other_trajectories),
        ("Problems that one trains on and the other validates with", found.crossed),
    )
    grids = [_counts(found, a, b), _recipe(found, a, b), _waterfall(found, a, b), _members(found, a, b)]
    grids += [_named(title, group) for title, group in groups]
    return [grid for grid in grids if grid.rows]


def _notes(found: ExportDiff, one: ExportReader, other: ExportReader) -> list[str]:
    said = ["The two are equal"] if found.equal else []
    if one.name == other.name:
        said.append(f"A is {one.path}, B is {other.path}")
    if one.manifest.recipe.dialect is not other.manifest.recipe.dialect:
        said.append("They are of different dialects, so that rows were compared by their ids alone")
    if one.manifest.tir_agent != other.manifest.tir_agent:
        said.append(f"Written by tir-agent {one.manifest.tir_agent} and {other.manifest.tir_agent}")
    return said


def _counts(found: ExportDiff, a: str, b: str) -> Grid:
    rows = (
        ("examples", found.rows_a, found.rows_b, found.both),
        ("problems", found.problems_a, found.problems_b, found.problems_both),
    )
    return Grid(
        f"{a} beside {b}",
        ("", a, b, "in both"),
        tuple((name, *(f"{count:,}" for count in counts)) for name, *counts in rows),
    )


def _recipe(found: ExportDiff, a: str, b: str) -> Grid:
    rows = tuple((one.field, _written(one.a), _written(one.b)) for one in found.recipe)
    return Grid("Recipe", ("field", a, b), rows, figures=3)


def _written(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _waterfall(found: ExportDiff, a: str, b: str) -> Grid:
    rows = [
        (
            one.name,
            one.unit.value,
            *map(_amount, (one.dropped_a, one.dropped_b, one.left_a, one.left_b)),
        )
        for one in found.waterfall
    ]
    read = ("read", "trajectories", "", "", _amount(found.read_a), _amount(found.read_b))
    headings = ("stage", "of", f"dropped, {a}", f"dropped, {b}", f"left, {a}", f"left, {b}")
    return Grid("What became of everything", headings, (read, *rows), figures=2)


def _amount(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _members(found: ExportDiff, a: str, b: str) -> Grid:
    rows = [
        (one.what, name, where)
        for one in found.members
        for where, names in ((a, one.only_a), (b, one.only_b))
        for name in names
    ]
    return Grid("Made with", ("", "name", "only"), tuple(rows), figures=3)


def _named(title: str, group: Group) -> Grid:
    left = group.count - len(group.first)
    more = f"And {left:,} more: --show {group.count} names all." if left else ""
    rows = tuple((one.id, one.problem or "") for one in group.first)
    if group.count and not rows:
        rows = (("-", ""),)
    problems = any(one.problem is not None for one in group.first)
    headings = ("id", "problem") if problems else ("id",)
    return Grid(f"{title}: {group.count:,}", headings, tuple(row[: len(headings)] for row in rows), 2, more)
