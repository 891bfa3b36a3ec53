"""The results of `orchestration.py` as tables, on the terminal and in Markdown, and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestration_results import Level, Results, RivalFigures, quantile

__all__ = ["as_markdown", "plot", "print_tables"]

Rows = list[tuple[str, ...]]
_SPEED = ("at once", "wall", "model", "kernel", "ideal", "wall to ideal", "to the longer part", "a minute")
_COST = ("at once", "added a turn, p50", "p95", "CPU each", "of it kernels", "server late", "peak memory")
_OTHERS = ("system", "right", "wall", "wall to model", "a minute", "CPU each", "its memory")
_TEXT = """\
{at_once} trajectories at once against a model that answers every request after {latency}. A trajectory has
three or four turns: two or three replies with a small SymPy cell that needs what the cell before it left,
and the answer.

- **model**: turns of the longest trajectory × latency; all ask at the same time.
- **kernel**: the wall time of the same sessions and cells in the same sandbox at the same concurrency,
  without an agent, a model or HTTP, measured in the same run: `sandbox.session()`, `execute`, `close`.
- **ideal**: the sum of the two, as if every trajectory first waited for its replies and then ran its cells,
  with nothing between. With many at once the two overlap, so a ratio below 1 is possible; **to the longer
  part** is the stricter figure: as if they overlapped wholly.
- **added a turn**: the time between two executions (observation, message, request, reply, parsing) less the
  latency, while the kernels of all the other trajectories compete for the same processors.
- **CPU each**: processor time of the agent's process for one trajectory; **of it kernels** is what the bare
  loop over sessions needs of that. The engine, the kernels and the model's server are other processes.
- **no kernel**: prompt `cot`, two turns: the loop and the HTTP client alone. All ask at the same moment, and
  one thread reads all replies, so that the wall time is the processor time of all of them.
"""
_OTHERS_TEXT = """\
The same problems, as many turns and the same server, {at_once} at once, or fewer where a system takes
minutes for them ("right" says how many). The ideal of all is the model alone ({model}): what is above it is
the runtime *and* its way of running Python. CPU is that of the whole machine for one trajectory, the model's
server included; memory is that of the runtime's own process. What a system does once (imports, a first
problem) is not measured.

{names}
"""


def print_tables(results: Results, console: Console) -> None:
    if results.levels:
        _print(console, "Speed", _SPEED, [_speed_row(level) for level in _levels(results)])
        _print(console, "Cost", _COST, [_cost_row(level) for level in _levels(results)])
    if results.rivals:
        _print(console, "Beside others", _OTHERS, _rival_rows(results))
    for line in [*_missing(results), *results.profile]:
        console.print(line, markup=False, highlight=False)


def as_markdown(results: Results) -> str:
    lines = ["# What the runtime itself costs", ""]
    lines += [f"- {name}: {value}" for name, value in (results.machine | results.settings).items()]
    if results.levels:
        last = results.levels[-1]
        lines += ["", _TEXT.format(at_once=last.at_once, latency=_time(last.latency))]
        lines += [*_markdown(_SPEED, [_speed_row(level) for level in _levels(results)]), ""]
        lines += [*_markdown(_COST, [_cost_row(level) for level in _levels(results)]), ""]
        lines += ["![Wall time and its parts](orchestration.png)"]
    if results.rivals:
        first = results.rivals[0]
        told = "\n".join(
            f"- {one.name}: {one.how} Python runs in {one.code_runs}."
            for one in results.rivals
            if one.reason is None
        )
        model = f"{first.turns} × {_time(first.latency)}"
        lines += ["", "## Beside others", ""]
        lines += [_OTHERS_TEXT.format(at_once=first.at_once, model=model, names=told)]
        lines += _markdown(_OTHERS, _rival_rows(results))
    lines += ["", *(f"- {line}" for line in _missing(results))]
    if results.profile:
        lines += ["## Profile", "", "```", *results.profile, "```"]
    return "\n".join(lines).rstrip() + "\n"


def plot(results: Results, folder: Path) -> None:
    """Write the wall times of all levels beside their ideals.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    if not results.levels:
        return
    figure, axes = plt.subplots(figsize=(10, 1.8 + 0.7 * len(results.levels)), layout="constrained")
    for row, level in enumerate(results.levels):
        axes.barh(row - 0.19, level.model_seconds, 0.34, color="#9ca3af", label="model" if not row else None)
        axes.barh(
            row - 0.19,
            level.kernel_seconds,
            0.34,
            left=level.model_seconds,
            color="#d1d5db",
            label="kernels" if not row else None,
        )
        axes.barh(row + 0.19, level.wall, 0.34, color="#2563eb", label="tir-agent" if not row else None)
        axes.annotate(
            f"{_time(level.wall)}  ({level.ratio:.2f} of the ideal)",
            (level.wall, row + 0.19),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(results.levels)), [f"{level.at_once} at once" for level in results.levels])
    axes.set_ylim(len(results.levels) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(right=max(level.wall for level in results.levels) * 4)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("seconds of wall time, logarithmic", fontsize=9, color="#555555")
    title = "Trajectories of three or four turns: wall time, and the model and the kernels alone"
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    figure.savefig(folder / "orchestration.png", dpi=160)
    plt.close(figure)


def _levels(results: Results) -> list[Level]:
    return [*results.levels, *([results.no_kernel] if results.no_kernel else [])]


def _speed_row(level: Level) -> tuple[str, ...]:
    return (
        level.name,
        _time(level.wall),
        _time(level.model_seconds),
        _time(level.kernel_seconds) if level.kernels else "-",
        _time(level.ideal),
        f"{level.ratio:.2f}×",
        f"{level.strict_ratio:.2f}×",
        f"{level.per_minute:,.0f}",
    )


def _cost_row(level: Level) -> tuple[str, ...]:
    late = [batch.server_late for batch in level.agents]
    return (
        level.name,
        _time(quantile(level.added, 0.5)),
        _time(quantile(level.added, 0.95)),
        _time(level.cpu),
        _time(level.kernel_cpu),
        _time(sum(late) / len(late)),
        f"{level.peak_rss / 2**20:,.0f} MiB",
    )


def _rival_rows(results: Results) -> Rows:
    return [_rival_row(one) for one in results.rivals if one.reason is None]


def _rival_row(one: RivalFigures) -> tuple[str, ...]:
    return (
        f"{one.name} {one.version}".strip(),
        f"{one.right} of {one.at_once}",
        _time(one.wall),
        f"{one.ratio:.1f}×",
        f"{60 * one.at_once / one.wall:,.0f}",
        _time(one.machine_cpu / one.at_once),
        f"{one.peak_rss / 2**20:,.0f} MiB",
    )


def _missing(results: Results) -> list[str]:
    return [f"{one.name}: not measured: {one.reason}" for one in results.rivals if one.reason]


def _time(seconds: float | None) -> str:
    """`12.3 ms`, `4.56 s`, or a dash."""
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if abs(seconds) >= 1 else f"{1000 * seconds:.3g} ms"


def _print(console: Console, title: str, header: Sequence[str], rows: Rows) -> None:
    table = Table(title=title)
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _markdown(header: Sequence[str], rows: Rows) -> list[str]:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]
