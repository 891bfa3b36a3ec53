"""The results as tables: on the terminal and in Markdown, from the same cells."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from rivals.results import Figures, MemoryFigures, Results, median

__all__ = ["as_markdown", "milliseconds", "print_tables", "ratio"]

Rows = list[tuple[str, ...]]
_MEMORY = ("idle sessions", "opened", "USS per session", "USS together", "container together")


def milliseconds(seconds: float | None) -> str:
    """`12.3 ms`, or a dash."""
    if seconds is None:
        return "-"
    value = seconds * 1000
    return f"{value:.3g} ms" if value < 100 else f"{value:,.0f} ms"


def ratio(value: float | None, reference: float | None) -> str:
    """`0.31×`, or a dash."""
    return "-" if value is None or not reference else f"{value / reference:.2g}×"


def p90(values: list[float]) -> float | None:
    return statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else None


def speed_header(systems: Sequence[Figures]) -> tuple[str, ...]:
    return (
        "system",
        "kept apart by",
        "first SymPy output",
        "its p90",
        f"time to {systems[0].name}",
        "print(1)",
        "sessions/s",
        f"rate to {systems[0].name}",
    )


def speed_rows(systems: Sequence[Figures]) -> Rows:
    first = systems[0]
    latency, rate = median(first.first_output), median(first.sessions_per_second)
    rows: Rows = []
    for system in systems:
        own_latency, own_rate = median(system.first_output), median(system.sessions_per_second)
        rows.append(
            (
                system.name,
                system.isolation,
                milliseconds(own_latency),
                milliseconds(p90(system.first_output)),
                ratio(own_latency, latency),
                milliseconds(median(system.round_trip)),
                "-" if own_rate is None else f"{own_rate:.3g}",
                ratio(own_rate, rate),
            )
        )
    return rows


def memory_rows(memory: Sequence[MemoryFigures]) -> Rows:
    return [
        (
            figures.name,
            f"{figures.opened} of {figures.asked}",
            _mebibytes(figures.per_session),
            _mebibytes(figures.total),
            _mebibytes(figures.engine_total),
        )
        for figures in memory
    ]


def notes(results: Results) -> list[str]:
    """What was not measured, and the figures that are no table."""
    lines = [f"{one.name}: not measured: {one.reason}" for one in results.systems if one.reason]
    lines += [f"{one.name}, {one.asked} idle: {one.reason}" for one in results.memory if one.reason]
    branching = results.branching
    if branching is not None and branching.reason:
        lines.append(f"branching: not measured: {branching.reason}")
    elif branching is not None and branching.branch:
        branch, fresh = median(branching.branch), median(branching.fresh)
        lines.append(
            f"branching a session that holds a list of 2,000,000 numbers: {milliseconds(branch)} "
            f"(a fresh session: {milliseconds(fresh)}; {ratio(branch, fresh)})"
        )
    return lines


def print_tables(results: Results, console: Console) -> None:
    if results.systems:
        _print(console, speed_header(results.systems), speed_rows(results.systems), hidden=1)
    if results.memory:
        _print(console, _MEMORY, memory_rows(results.memory))
    for line in notes(results):
        console.print(line, markup=False)


def as_markdown(results: Results, title: str) -> str:
    lines = [f"# {title}", ""]
    lines += [f"- {name}: {value}" for name, value in (results.machine | results.settings).items()]
    if results.systems:
        lines += ["", *_markdown(speed_header(results.systems), speed_rows(results.systems))]
    if results.memory:
        lines += ["", *_markdown(_MEMORY, memory_rows(results.memory))]
    lines += ["", *(f"- {line}" for line in notes(results))]
    return "\n".join(lines).rstrip() + "\n"


def _print(console: Console, header: Sequence[str], rows: Rows, *, hidden: int | None = None) -> None:
    """`hidden` is a column for which a terminal has no room."""
    table = Table()
    for number, name in enumerate(header):
        if number != hidden:
            table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(cell for number, cell in enumerate(row) if number != hidden))
    console.print(table)


def _markdown(header: Sequence[str], rows: Rows) -> list[str]:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def _mebibytes(size: float | None) -> str:
    return "-" if size is None else f"{size / 2**20:,.1f} MiB"
