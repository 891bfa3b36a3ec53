"""The results of `collect_speed.py` as tables, on the terminal and in Markdown, and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from collect_results import Level, Profile, Results

__all__ = ["as_markdown", "plot", "print_tables"]

_NAMES = {"fences": "code", "prose": "prose"}
_SPEED = (
    *("", "at once", "trajectories", "a minute", "bare kernels a minute", "share of it"),
    *("CPU of the collector, each", "of the model's server", "of kernels and graders", "memory", "load"),
)
_TEXT = """\
- **a minute**: trajectories, from the first one's beginning to the last one's end, best of {rounds} runs.
- **bare kernels a minute**: sessions with the same cells in the same sandbox, up to 128 at once, without a
  model, a client, grading or a log, measured just before each run; the best. They have all that the machine
  leaves over, so **share of it** is how much of that the collection as a whole keeps.
- **CPU, each**: processor time for one trajectory; of the collecting process, of the model's server beside
  it, of the fork server with its kernels and graders.
- **load**: processes that ran or waited to run over the last minute. Above the number of cores, everything
  waits for everything else, and the figures of speed are lower than they would be on a quiet machine.
"""
_PROFILE_TEXT = """\
Milliseconds of the collecting process's main thread for one trajectory, under a profiler that makes all of
it slower: the shares count. What is built in counts for whoever called it. What the process takes to start
and to end is in it.
"""
_GROWTH_TEXT = """\
{trajectories:,} trajectories of prose in one process, {at_once} at once, {minutes:.0f} minutes, {cpu:.1f} ms
of processor time each; {load:.1f} processes ran or waited on the machine meanwhile. Resident memory was
{early:.0f} MiB after the first tenth and {late:.0f} MiB at most; it grows by **{slope:,.0f} bytes for each
trajectory**, which is what is kept of each so that a plan can look at it: its key, how it ended, its answer,
its verdict. A million trajectories take {million:.1f} GiB.
"""


def print_tables(results: Results, console: Console) -> None:
    for title, head, rows in _tables(results):
        table = Table(title=title)
        for name in head:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    if results.growth is not None:
        console.print(f"memory: {results.growth.slope:,.0f} bytes for each trajectory")


def as_markdown(results: Results, command: str) -> str:
    lines = ["# What collecting costs", "", f"`{command}` wrote this page.", ""]
    lines += [f"- {name}: {value}" for name, value in results.machine.items()]
    lines += [f"- model: answers every request after {results.latency * 1000:g} ms", ""]
    tables = _tables(results)
    rounds = max((len(level.runs) for level in results.levels), default=0)
    lines += [*_markdown(*tables[0][1:]), "", _TEXT.format(rounds=rounds)]
    lines += ["![Trajectories a minute](collect_speed.png)", ""]
    if results.profiles:
        lines += ["## Where the time of the collecting process goes", "", _PROFILE_TEXT]
        lines += [*_markdown(*tables[1][1:]), ""]
    growth = results.growth
    if growth is not None:
        kept = [one for one in growth.moments if one.trajectories >= growth.trajectories / 10]
        lines += ["## Memory", ""]
        lines += [
            _GROWTH_TEXT.format(
                trajectories=growth.trajectories,
                at_once=growth.at_once,
                minutes=growth.moments[-1].seconds / 60,
                cpu=1000 * growth.cpu / growth.trajectories,
                load=growth.load,
                early=kept[0].resident / 2**20,
                late=max(one.resident for one in growth.moments) / 2**20,
                slope=growth.slope,
                million=growth.slope * 1e6 / 2**30,
            )
        ]
        lines += ["![Memory over trajectories](collect_memory.png)"]
    return "\n".join(lines).rstrip() + "\n"


def _tables(results: Results) -> list[tuple[str, Sequence[str], list[tuple[str, ...]]]]:
    tables: list[tuple[str, Sequence[str], list[tuple[str, ...]]]] = [
        ("Speed", _SPEED, [_row(level) for level in results.levels])
    ]
    if results.profiles:
        head = ("", *(f"a trajectory of {_NAMES[profile.form]}" for profile in results.profiles))
        tables.append(("Shares", head, _shares(results.profiles)))
    return tables


def _row(level: Level) -> tuple[str, ...]:
    best, bare = level.best, level.best_bare
    return (
        _NAMES.get(level.form, level.form),
        str(level.at_once),
        str(best.trajectories),
        f"{best.per_minute:,.0f}",
        f"{bare:,.0f}" if bare else "-",
        f"{best.per_minute / bare:.0%}" if bare else "-",
        _milliseconds(min(run.cpu / run.trajectories for run in level.runs)),
        _milliseconds(min(run.server_cpu / run.trajectories for run in level.runs)),
        _milliseconds(min(run.jail_cpu / run.trajectories for run in level.runs)) if bare else "-",
        f"{max(run.resident for run in level.runs) / 2**20:,.0f} MiB",
        f"{best.load:.1f}",
    )


def _shares(profiles: list[Profile]) -> list[tuple[str, ...]]:
    groups = {name: None for profile in profiles for name in profile.seconds}
    rows = [(name, *(_share(profile, name) for profile in profiles)) for name in groups]
    whole = (f"{1000 * profile.whole / profile.trajectories:.1f} ms" for profile in profiles)
    return [*rows, ("all", *whole)]


def _share(profile: Profile, name: str) -> str:
    seconds = profile.seconds.get(name, 0.0)
    return f"{1000 * seconds / profile.trajectories:.2f} ms ({seconds / profile.whole:.0%})"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def _markdown(head: Sequence[str], rows: list[tuple[str, ...]]) -> list[str]:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def plot(results: Results, path: Path) -> None:
    """Trajectories a minute over how many are under way.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    if not results.levels:
        return
    figure, axes = plt.subplots(figsize=(10, 4.5), layout="constrained")
    colors = {"fences": "#2563eb", "prose": "#059669"}
    for form, color in colors.items():
        levels = [level for level in results.levels if level.form == form]
        if not levels:
            continue
        at_once = [level.at_once for level in levels]
        label = f"{_NAMES[form]}: trajectories"
        axes.plot(at_once, [one.best.per_minute for one in levels], "o-", color=color, label=label)
        bare = [one.best_bare for one in levels if one.best_bare]
        if len(bare) == len(levels) and bare:
            axes.plot(at_once, bare, "o--", color="#9ca3af", label="the kernels' sessions, bare")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({level.at_once for level in results.levels})
    axes.set_xticks(ticks, [str(one) for one in ticks])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("trajectories at once", fontsize=9, color="#555555")
    axes.set_ylabel("a minute, logarithmic", fontsize=9, color="#555555")
    axes.set_title("Trajectories a minute", loc="left", fontsize=12, fontweight="bold", pad=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=160)
    plt.close(figure)
