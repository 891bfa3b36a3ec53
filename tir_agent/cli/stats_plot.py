"""The picture of an export: what became of everything, and how long the trajectories are."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

from tir_agent.console import printable
from tir_agent.export.histogram import Spread
from tir_agent.export.stats import ExportStats

__all__ = ["draw_figure"]

_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Told apart by the colour-blind (Okabe and Ito 2008)."""
_DROPPED: Final = "#c9ced6"
_GREY: Final = "#555555"
_DPI: Final = 160


def draw_figure(name: str, figures: ExportStats, path: Path) -> None:
    """Draw the waterfall, and below it the lengths in tokens.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    stages = figures.manifest.waterfall.stages
    # The splits are drawn by chance, and alike: one of them is enough.
    filled = [split for split in figures.splits if split.rows][:1]
    lengths = [
        (f"{split.split.value}, {part.part.value}", part.tokens)
        for split in filled
        for part in split.parts
        if part.tokens is not None
    ]
    heights = [1.2 + 0.3 * (len(stages) + 1), *([3.5] if lengths else [])]
    with warnings.catch_warnings():
        # A name may be of characters that the font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure, rows = plt.subplots(
            len(heights),
            squeeze=False,
            figsize=(9, sum(heights)),
            layout="constrained",
            gridspec_kw={"height_ratios": heights},
        )
        _waterfall(rows[0][0], name, figures)
        if lengths:
            _lengths(rows[1][0], lengths)
        # Without a date in it, the same figures are the same file.
        vector = path.suffix.lower() == ".svg"
        with mpl.rc_context({"svg.hashsalt": "tir"}):
            figure.savefig(path, dpi=_DPI, metadata={"Date": None} if vector else None)
        plt.close(figure)


def _plain(name: str) -> str:
    """On one line, and no formula: matplotlib reads what stands between dollar signs as one."""
    return " ".join(printable(name).split()).replace("$", r"\$")


def _frame(axes: Any, title: str, below: str, side: str = "") -> None:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=10, wrap=True)
    axes.set_xlabel(below, fontsize=9, color=_GREY)
    axes.set_ylabel(side, fontsize=9, color=_GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)


def _waterfall(axes: Any, name: str, figures: ExportStats) -> None:
    fall = figures.manifest.waterfall
    rows = sum(split.rows for split in figures.splits)
    kind = figures.manifest.recipe.kind.value
    title = f"{_plain(name)}: {rows:,} examples ({kind}) of {fall.read:,} trajectories"
    _frame(axes, title, "left (blue: trajectories, orange: examples) and dropped (grey)")
    names = ["read", *(_plain(stage.name) for stage in fall.stages)]
    left = [fall.read, *(stage.left for stage in fall.stages)]
    dropped = [0, *(stage.dropped for stage in fall.stages)]
    first = fall.stages[0].unit if fall.stages else None
    colours = [_COLOURS[0], *(_COLOURS[stage.unit is not first] for stage in fall.stages)]
    places = range(len(names))
    axes.barh(places, left, color=colours, height=0.7)
    axes.barh(places, dropped, left=left, color=_DROPPED, height=0.7)
    for place, stays, goes in zip(places, left, dropped, strict=True):
        label = f"{stays:,}" + (f"  (-{goes:,})" if goes else "")
        axes.text(stays + goes, place, f" {label}", va="center", fontsize=8, color=_GREY)
    axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.15)
    axes.set_xlim(left=0)


def _lengths(axes: Any, lengths: list[tuple[str, Spread]]) -> None:
    label, first = lengths[0]
    title = (
        f"Half of the trajectories ({label}) have at most {first.median:,.0f} tokens, 95 % {first.p95:,.0f}"
    )
    # Bins of one may be wider than those of another: areas are compared, and not heights.
    widths = [spread.bins[0].high - spread.bins[0].low for _, spread in lengths]
    unit = max(widths)
    side = f"trajectories, % in {unit:,.0f} tokens"
    _frame(axes, title, "tokens of a conversation; broken line: median", side)
    for number, ((name, spread), width) in enumerate(zip(lengths, widths, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        edges = [spread.bins[0].low, *(one.high for one in spread.bins)]
        heights = [100 * one.count / spread.count * unit / width for one in spread.bins]
        axes.stairs(heights, edges, fill=True, color=colour, alpha=0.2)
        axes.stairs(heights, edges, color=colour, label=name)
        axes.axvline(spread.median, color=colour, linestyle="--", linewidth=1)
    if len(lengths) > 1:
        axes.legend(frameon=False, fontsize=9)
