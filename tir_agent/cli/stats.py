"""`tir stats`: what is in a training set, and whether it is sound."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from tir_agent.cli.grid import draw
from tir_agent.cli.stats_tables import grids, notes
from tir_agent.cli.terminal import EXIT_MACHINERY, say
from tir_agent.console import printable
from tir_agent.errors import StorageError, UsageError
from tir_agent.export.reading import ExportReader
from tir_agent.export.stats import ExportStats
from tir_agent.export.stats import stats as count
from tir_agent.export.verify import verify as faults_of

__all__ = ["stats"]

_PICTURES: Final = frozenset({".png", ".svg"})
_BESIDE_BARS: Final = 80
"""Columns of a terminal that has room for bars beside the waterfall."""


def stats(
    export: Annotated[Path, typer.Argument(help="The folder that tir export wrote.", metavar="EXPORT")],
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw waterfall and lengths: a .png or .svg file (needs matplotlib)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON, and nothing else.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare all checksums first, and say what is wrong, if anything is."),
    ] = False,
) -> None:
    """What became of everything, and what is in a training set: lengths, balance, use of the tool, rewards.

    Exit status: 0 done, 1 the set is not what it says of itself, or something failed, 2 wrong usage.
    """
    if plot is not None:
        _check_plot(plot)
    reader = ExportReader.open(export)
    if verify:
        _verify(reader)
    figures = count(reader)
    if as_json:
        typer.echo(figures.model_dump_json(indent=1))
    else:
        bars = sys.stdout.isatty() and Console().width >= _BESIDE_BARS
        draw(grids(reader.name, figures, bars=bars), notes(figures))
    if plot is not None:
        _plot(reader.name, figures, plot)


def _verify(reader: ExportReader) -> None:
    found = 0
    for fault in faults_of(reader):
        found += 1
        say(printable(str(fault)), "yellow")
    if found:
        raise typer.Exit(EXIT_MACHINERY)
    say("sound", "green")


def _check_plot(plot: Path) -> None:
    if plot.suffix.lower() not in _PICTURES:
        raise UsageError(f"{plot} ends neither in .png nor in .svg, and nothing else is drawn")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError("Plots need matplotlib", hint="pip install 'tir-agent[plot]'") from None


def _plot(name: str, figures: ExportStats, plot: Path) -> None:
    from tir_agent.cli.stats_plot import draw_figure

    try:
        draw_figure(name, figures, plot)
    except OSError as error:
        raise StorageError(f"Cannot write {plot}: {error.strerror}") from None
