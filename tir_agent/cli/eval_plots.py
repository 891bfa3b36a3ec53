"""The plots of an evaluation. A title says what was found; colours are told apart by the colour-blind
(Okabe and Ito 2008), and lines also by their marks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tir_agent.cli.eval_tables import percent
from tir_agent.console import printable
from tir_agent.evaluate.paired import Comparison
from tir_agent.evaluate.rates import Rate
from tir_agent.evaluate.report import Evaluation, Group, Grouping

__all__ = ["plot"]

_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKS: Final = ("o", "s", "^", "D", "v", "P", "X")
_GREY: Final = "#555555"
_DPI: Final = 160


def plot(
    evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison], folder: Path, form: str
) -> list[Path]:
    """Draw everything for which there are figures; returns the files.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the folder cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # A name may be of characters that the font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        drawn = _drawn([_named(one) for one in evaluations], [_renamed(one) for one in comparisons])
        return [_saved(figure, folder / f"{name}.{form}") for name, figure in drawn]


def _drawn(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison]) -> Iterator[tuple[str, Any]]:
    """File names and figures, one after the other."""
    if any(len(one.passes) > 1 for one in evaluations):
        yield "at_k", _at_k(evaluations)
    for by in Grouping:
        if any(group.by is by and group.rate for one in evaluations for group in one.groups):
            yield f"by_{by.value}", _parts(evaluations, by)
    if any(one.tool_use for one in evaluations):
        yield "cells", _spread(evaluations, "cells")
        yield "tokens_written", _spread(evaluations, "tokens written")
    yield "stops", _stops(evaluations)
    for number, one in enumerate(comparisons, 1):
        yield f"compare_{number}", _compared(one)


def _plain(name: str) -> str:
    """On one line, and no formula: matplotlib reads what stands between dollar signs as one."""
    return " ".join(printable(name).split()).replace("$", r"\$")


def _named(one: Evaluation) -> Evaluation:
    groups = tuple(group.model_copy(update={"name": _plain(group.name)}) for group in one.groups)
    return one.model_copy(update={"name": _plain(one.name), "groups": groups})


def _renamed(one: Comparison) -> Comparison:
    return one.model_copy(update={"a": _plain(one.a), "b": _plain(one.b)})


def _saved(figure: Any, path: Path) -> Path:
    import matplotlib.pyplot as plt

    # Without a date in it, the same figures are the same file.
    figure.savefig(path, dpi=_DPI, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
    return path


def _axes(title: str, below: str, side: str, height: float = 4.5) -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, height), layout="constrained")
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=10, wrap=True)
    axes.set_xlabel(below, fontsize=9, color=_GREY)
    axes.set_ylabel(side, fontsize=9, color=_GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _at_k(evaluations: Sequence[Evaluation]) -> Any:
    first = evaluations[0]
    rates = [at.rate for at in first.passes if at.rate]
    title = f"{first.name}: pass@1 is {percent(rates[0].value if rates else None)}"
    if first.votes:
        vote = first.votes[-1]
        title += f", a vote of {vote.k} is right for {percent(vote.majority.value)}"
    elif len(rates) > 1:
        title += f", pass@{first.passes[-1].k} {percent(rates[-1].value)}"
    figure, axes = _axes(title, "k, logarithmic; the bands are 95 % intervals", "problems, %")
    lines = 0
    for one in evaluations:
        curves: list[tuple[str, list[tuple[int, Rate]], str]] = [
            ("pass@k", [(at.k, at.rate) for at in one.passes if at.rate], "-"),
            ("maj@k", [(vote.k, vote.majority) for vote in one.votes], "--"),
            ("rm@k", [(vote.k, vote.best) for vote in one.votes if vote.best], ":"),
        ]
        for label, points, style in curves:
            if points:
                name = label if len(evaluations) == 1 else f"{one.name} {label}"
                _curve(axes, points, name, lines, style)
                lines += 1
    ks = sorted({at.k for one in evaluations for at in one.passes})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=9)
    return figure


def _curve(axes: Any, points: Sequence[tuple[int, Rate]], name: str, number: int, style: str) -> None:
    ks = [k for k, _ in points]
    colour, mark = _COLOURS[number % len(_COLOURS)], _MARKS[number % len(_MARKS)]
    axes.plot(ks, [100 * rate.value for _, rate in points], style, marker=mark, color=colour, label=name)
    low, high = ([100 * rate.low for _, rate in points], [100 * rate.high for _, rate in points])
    axes.fill_between(ks, low, high, color=colour, alpha=0.12, linewidth=0)


def _parts(evaluations: Sequence[Evaluation], by: Grouping) -> Any:
    names = list(dict.fromkeys(g.name for one in evaluations for g in one.groups if g.by is by and g.rate))
    first = [group for group in evaluations[0].groups if group.by is by and group.rate]
    title = f"pass@1 by {by.value}"
    if len(first) > 1:
        best, worst = max(first, key=_value), min(first, key=_value)
        title = (
            f"{evaluations[0].name}: {percent(_value(best))} at {by.value} {best.name}, "
            f"{percent(_value(worst))} at {worst.name}"
        )
    height = 1.5 + 0.4 * len(names) * len(evaluations)
    figure, axes = _axes(title, "pass@1, %; the lines are 95 % intervals", "", height)
    step = 0.8 / len(evaluations)
    for number, one in enumerate(evaluations):
        places = {group.name: group.rate for group in one.groups if group.by is by and group.rate}
        for row, name in enumerate(names):
            if rate := places.get(name):
                at, colour = row + (number - (len(evaluations) - 1) / 2) * step, _COLOURS[number % 7]
                axes.plot([100 * rate.low, 100 * rate.high], [at, at], color=colour, alpha=0.4, linewidth=4)
                axes.plot([100 * rate.value], [at], _MARKS[number % 7], color=colour)
        axes.plot([], [], _MARKS[number % 7], color=_COLOURS[number % 7], label=one.name)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-2, 102)
    if len(evaluations) > 1:
        axes.legend(frameon=False, fontsize=9)
    return figure


def _value(group: Group) -> float:
    return group.rate.value if group.rate else 0.0


def _spread(evaluations: Sequence[Evaluation], name: str) -> Any:
    """A histogram for each run, with its median."""
    rows = [
        (one.name, one.tool_use.trajectories, next(s for s in one.tool_use.spreads if s.name == name))
        for one in evaluations
        if one.tool_use
    ]
    first, _, spread = rows[0]
    title = f"{first}: half of the trajectories have at most {spread.median:,.0f} {name}"
    figure, axes = _axes(title, f"{name} of a trajectory; broken line: median", "trajectories, %")
    whole = all(one.low == int(one.low) and one.high == one.low + 1 for one in spread.bins)
    for row, (label, count, one) in enumerate(rows):
        colour = _COLOURS[row % len(_COLOURS)]
        # A bar for a whole number stands over it.
        shift = 0.5 if whole else 0.0
        edges = [one.bins[0].low - shift, *(part.high - shift for part in one.bins)]
        heights = [100 * part.count / count for part in one.bins]
        axes.stairs(heights, edges, fill=True, color=colour, alpha=0.25)
        axes.stairs(heights, edges, color=colour, label=label)
        axes.axvline(one.median, color=colour, linestyle="--", linewidth=1)
    if whole:
        axes.xaxis.get_major_locator().set_params(integer=True)
    if len(rows) > 1:
        axes.legend(frameon=False, fontsize=9)
    return figure


def _stops(evaluations: Sequence[Evaluation]) -> Any:
    reasons = list(dict.fromkeys(stop.reason.value for one in evaluations for stop in one.stops))
    first = evaluations[0]
    top = first.stops[0]
    title = f"{first.name}: {percent(top.count / first.trajectories)} of the runs ended as {top.reason.value}"
    height = 1.5 + 0.4 * len(reasons) * len(evaluations)
    figure, axes = _axes(title, "trajectories, %", "", height)
    step = 0.8 / len(evaluations)
    for number, one in enumerate(evaluations):
        shares = {stop.reason.value: 100 * stop.count / one.trajectories for stop in one.stops}
        places = [row + (number - (len(evaluations) - 1) / 2) * step for row in range(len(reasons))]
        values = [shares.get(reason, 0.0) for reason in reasons]
        axes.barh(places, values, 0.9 * step, color=_COLOURS[number % len(_COLOURS)], label=one.name)
    axes.set_yticks(range(len(reasons)), reasons)
    axes.set_ylim(len(reasons) - 0.4, -0.6)
    if len(evaluations) > 1:
        axes.legend(frameon=False, fontsize=9)
    return figure


def _compared(one: Comparison) -> Any:
    """Every problem by its part of right samples in both; above the line the first is better."""
    verb = "is better than" if one.low > 0 else "is worse than" if one.high < 0 else "may equal"
    title = f"{one.a} {verb} {one.b}: {100 * one.difference:+.1f} points, p = {one.p:.2g}"
    below = f"right samples with {one.b}, %; the area of a dot is the number of problems"
    figure, axes = _axes(title, below, f"right samples with {one.a}, %", 6)
    axes.plot([0, 100], [0, 100], color=_GREY, linewidth=1)
    for point in one.points:
        colour = _GREY if point.a == point.b else _COLOURS[0] if point.a > point.b else _COLOURS[1]
        size = 20 + 1_500 * point.count / one.problems
        axes.scatter(100 * point.b, 100 * point.a, size, color=colour, alpha=0.6, linewidths=0)
    axes.text(2, 98, f"{one.a} better: {one.a_better}", color=_COLOURS[0], va="top", fontsize=9)
    axes.text(98, 2, f"{one.b} better: {one.b_better}", color=_COLOURS[1], ha="right", fontsize=9)
    axes.set_aspect("equal")
    return figure
