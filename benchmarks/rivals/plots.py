"""The plots: one bar for each system, on a logarithmic scale, with its ratio to the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rivals.report import milliseconds, ratio
from rivals.results import Figures, Results, median

__all__ = ["plot"]

_OURS, _OTHERS, _FLOOR = "#2563eb", "#9ca3af", "#16a34a"


def plot(results: Results, folder: Path) -> list[Path]:
    """Write the plots for which there are figures; returns their files.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    written = []
    latencies = [(system, median(system.first_output)) for system in results.systems]
    if rows := _measured(latencies):
        labels = [f"{milliseconds(value)}  ({ratio(value, rows[0][1])})" for _, value in rows]
        title = "From asking for a session to the first SymPy output"
        axis = "milliseconds, median; logarithmic (shorter is better)"
        written.append(_bars(folder / "kernel_latency.png", rows, labels, 1000, title, axis, results))
    rates = [(system, median(system.sessions_per_second)) for system in results.systems]
    if rows := _measured(rates):
        labels = [f"{value:.3g}/s  ({ratio(value, rows[0][1])})" for _, value in rows]
        title = f"Sessions of three SymPy cells, {results.settings['at once']} at once"
        axis = "sessions per second, median; logarithmic (longer is better)"
        written.append(_bars(folder / "kernel_throughput.png", rows, labels, 1, title, axis, results))
    return written


def _measured(values: Sequence[tuple[Figures, float | None]]) -> list[tuple[Figures, float]]:
    return [(system, value) for system, value in values if value is not None]


def _bars(
    path: Path,
    rows: list[tuple[Figures, float]],
    labels: list[str],
    scale: float,
    title: str,
    axis_label: str,
    results: Results,
) -> Path:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 1.4 + 0.55 * len(rows)), layout="constrained")
    names = [system.name for system, _ in rows]
    values = [value * scale for _, value in rows]
    bars = axes.barh(names, values, color=[_color(system) for system, _ in rows], height=0.62)
    axes.bar_label(bars, labels=labels, padding=5, fontsize=10)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 2, max(values) * 6)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", pad=10)
    axes.set_xlabel(f"{axis_label}. In parentheses: to the first bar.", fontsize=9, color="#555555")
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    machine = results.machine
    footer = f"{machine['CPU']}, {machine['cores']} cores, Docker {machine['Docker']}, {machine['date']}"
    figure.supxlabel(footer, fontsize=8, color="#888888", x=0.99, ha="right")
    figure.savefig(path, dpi=160)
    plt.close(figure)
    return path


def _color(system: Figures) -> str:
    if system.name.startswith("tir-agent"):
        return _OURS
    return _FLOOR if "floor" in system.name else _OTHERS
