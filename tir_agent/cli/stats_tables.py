"""The figures of an export as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tir_agent.cli.eval_tables import percent
from tir_agent.cli.grid import Grid
from tir_agent.cli.waterfall import waterfall_grid
from tir_agent.export.histogram import Spread
from tir_agent.export.manifest import ExportManifest
from tir_agent.export.stats import ExportStats, PartFigures, SplitFigures
from tir_agent.settings import ExportKind

__all__ = ["grids", "notes"]

_SPREAD: Final = ("rows", "mean", "least", "median", "95 %", "most")
_ENOUGH: Final = 20
"""Pairs from which on something is said of their lengths."""
_MOST: Final = 0.65


def grids(name: str, figures: ExportStats, *, bars: bool) -> list[Grid]:
    """Every table for which there are figures; with bars beside the waterfall, on a terminal."""
    found = [
        _overview(name, figures),
        waterfall_grid(figures.manifest.waterfall, bars=bars),
        _problems(figures.manifest),
        _lengths(figures),
        _balance(figures),
        _tools(figures),
        _arms(figures),
        _others(figures),
    ]
    return [grid for grid in found if grid.rows]


def notes(figures: ExportStats) -> list[str]:
    """What must be known of the set before it is trained on, a sentence each."""
    said = []
    if not any(split.rows for split in figures.splits):
        said.append("The set is empty: the waterfall says why")
    for split in figures.splits:
        longer = split.longer
        if longer is None or longer.pairs < _ENOUGH:
            continue
        for name, count in (("chosen", longer.chosen), ("rejected", longer.rejected)):
            share = count / longer.pairs
            if share > _MOST:
                said.append(
                    f"{split.split.value}: the {name} one is the longer in {percent(share)} of the pairs, so "
                    "that length itself may be learnt; the rule closest-length avoids that"
                )
    if figures.manifest.overlaps:
        said.append(
            f"{len(figures.manifest.overlaps):,} problems were left out, since a benchmark has them too"
        )
    return said


def _overview(name: str, figures: ExportStats) -> Grid:
    recipe = figures.manifest.recipe
    rows = tuple(
        (
            split.split.value,
            f"{split.rows:,}",
            "-" if split.problems is None else f"{split.problems:,}",
            f"{counts.tokens:,}",
            f"{counts.model_tokens:,}",
        )
        for split, counts in zip(figures.splits, figures.manifest.splits, strict=True)
    )
    headings = ("split", "examples", "problems", "tokens", "of the model")
    title = f"{name}: {recipe.kind.value} for {recipe.dialect.value}"
    return Grid(title, headings, rows, note=f"Tokens were counted by: {figures.manifest.token_count}.")


def _problems(manifest: ExportManifest) -> Grid:
    counts = manifest.problems
    rows = (
        ("read", counts.read),
        ("with right and wrong trajectories", counts.both),
        ("all right", counts.all_right),
        ("all wrong", counts.all_wrong),
        ("without a decided one", counts.undecided),
        ("in the set", counts.left),
    )
    whole = counts.read or None
    return Grid(
        "Problems",
        ("", "problems", "share"),
        tuple((name, f"{count:,}", percent(count / whole if whole else None)) for name, count in rows),
    )


def _parts(figures: ExportStats) -> Iterator[tuple[SplitFigures, PartFigures]]:
    for split in figures.splits:
        for part in split.parts:
            yield split, part


def _lengths(figures: ExportStats) -> Grid:
    rows = [
        (split.split.value, part.part.value, name, *_spread(spread), f"{spread.total:,.0f}")
        for split, part in _parts(figures)
        for name, spread in (("tokens", part.tokens), ("of the model", part.model_tokens))
        if spread is not None
    ]
    return Grid(
        "Lengths in tokens", ("split", "trajectories", "", *_SPREAD, "all together"), tuple(rows), figures=3
    )


def _spread(one: Spread) -> tuple[str, ...]:
    values = one.mean, one.least, one.median, one.p95, one.most
    return (f"{one.count:,}", *map(_amount, values))


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1_000 else f"{value:.3g}"


def _balance(figures: ExportStats) -> Grid:
    rows = []
    for split in figures.splits:
        where = split.split.value
        for part in split.parts if figures.manifest.recipe.kind is ExportKind.KTO else ():
            rows.append((where, part.part.value, f"{part.rows:,}", percent(part.rows / split.rows)))
        if split.longer is not None:
            for name, count in (
                ("chosen longer", split.longer.chosen),
                ("rejected longer", split.longer.rejected),
                ("equal", split.longer.equal),
            ):
                rows.append((where, name, f"{count:,}", percent(count / split.longer.pairs)))
    return Grid("Balance", ("split", "", "rows", "share"), tuple(rows), figures=2)


def _tools(figures: ExportStats) -> Grid:
    rows = []
    for split, part in _parts(figures):
        if part.cells is None:
            continue
        errors = part.errors.total if part.errors else 0.0
        rows.append(
            (
                split.split.value,
                part.part.value,
                percent(part.with_code / part.cells.count),
                f"{part.cells.mean:.2f}",
                _amount(part.cells.most),
                f"{errors:,.0f}",
                percent(errors / part.cells.total if part.cells.total else None),
                percent(part.failed / part.cells.count),
            )
        )
    headings = ("split", "trajectories", "with code", "cells each", "most", "failed cells", "share")
    return Grid("Use of the tool", (*headings, "with a failed cell"), tuple(rows), figures=2)


def _arms(figures: ExportStats) -> Grid:
    names = {arm.name for _, part in _parts(figures) for arm in part.arms}
    rows = [
        (split.split.value, part.part.value, arm.name, f"{arm.rows:,}", percent(arm.rows / part.rows))
        for split, part in _parts(figures)
        for arm in part.arms
        if len(names) > 1
    ]
    return Grid("Arms", ("split", "trajectories", "arm", "rows", "share"), tuple(rows), figures=3)


def _others(figures: ExportStats) -> Grid:
    # Whole trajectories may be given the same turns too, where the rule of pairing says so.
    steps = any(split.prefix_turns and split.prefix_turns.most for split in figures.splits)
    rows = []
    for split in figures.splits:
        found = [
            ("examples of a problem", split.per_problem),
            ("pass rate, all problems of the split", split.pass_rates),
            ("turns of the prefix", split.prefix_turns if steps else None),
            ("margin", split.margins),
            *((f"reward, {part.part.value}", part.rewards) for part in split.parts),
        ]
        rows += [(split.split.value, name, *_spread(one)) for name, one in found if one is not None]
    return Grid("Problems, prefixes and rewards", ("split", "", *_SPREAD), tuple(rows), figures=2)
