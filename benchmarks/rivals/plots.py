"""The plots: a dot for each system, on a logarithmic scale, with its ratio to the first one."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from rivals.report import milliseconds, ratio
from rivals.results import Figures, Results

__all__ = ["plot"]

_OURS, _OTHERS, _FLOOR = "#2563eb", "#6b7280", "#16a34a"


def plot(results: Results, folder: Path) -> None:
    """Write the plots for which there are figures.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    latencies = [
        (s, [1000 * seconds for seconds in s.first_output]) for s in results.systems if s.first_output
    ]
    rates = [(s, s.sessions_per_second) for s in results.systems if s.sessions_per_second]
    _dots(
        folder / "kernel_latency.png",
        latencies,
        lambda value: milliseconds(value / 1000),
        "From asking for a session to its first SymPy output",
        "milliseconds, logarithmic; left is better. Dot: median, line: the middle 80 %",
        results,
    )
    _dots(
        folder / "kernel_throughput.png",
        rates,
        lambda value: f"{value:.3g}/s",
        f"Sessions of three SymPy cells, {results.settings['at once']} at once",
        "sessions per second, logarithmic; right is better. Dot: median of the rounds, line: the middle 80 %",
        results,
    )


def _dots(
    path: Path,
    rows: list[tuple[Figures, list[float]]],
    written: Callable[[float], str],
    title: str,
    axis_label: str,
    results: Results,
) -> None:
    if not rows:
        return
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 1.5 + 0.5 * len(rows)), layout="constrained")
    first = statistics.median(rows[0][1])
    for row, (system, values) in enumerate(rows):
        value, (low, high) = statistics.median(values), _middle(values)
        axes.plot(
            [low, high], [row, row], color=_color(system), linewidth=5, alpha=0.3, solid_capstyle="round"
        )
        axes.plot([value], [row], "o", color=_color(system), markersize=9)
        label = f"{written(value)}  ({ratio(value, first)})"
        axes.annotate(
            label, (high, row), xytext=(12, 0), textcoords="offset points", va="center", fontsize=10
        )
    every = [value for _, values in rows for value in _middle(values)]
    axes.set_xscale("log")
    axes.set_xlim(min(every) / 1.6, max(every) * 5)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(rows)), [system.name for system, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", pad=10)
    axes.set_xlabel(f"{axis_label}; (ratio to the first row)", fontsize=9, color="#555555")
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    machine = results.machine
    footer = f"{machine['CPU']}, {machine['cores']} cores, Docker {machine['Docker']}, {machine['date']}"
    figure.supxlabel(footer, fontsize=8, color="#888888", x=0.99, ha="right")
    figure.savefig(path, dpi=160)
    plt.close(figure)


def _middle(values: list[float]) -> tuple[float, float]:
    """Where the middle 80 % lie."""
    if len(values) == 1:
        return values[0], values[0]
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def _color(system: Figures) -> str:
    if system.name.startswith("tir-agent"):
        return _OURS
    return _FLOOR if "floor" in system.name else _OTHERS
