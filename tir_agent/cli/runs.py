"""`tir runs`: the runs there are, what is in one, whether it is sound; several as one, and one as a table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tir_agent.cli.run_view import counts_of, describe, size
from tir_agent.cli.terminal import EXIT_MACHINERY, fail, say
from tir_agent.console import printable
from tir_agent.errors import RunError, TirError, UsageError
from tir_agent.store import Fault, RunReader, count, export_table, find_runs, merge_runs, verify_run
from tir_agent.store import folder_bytes as bytes_of

__all__ = ["app"]

app = typer.Typer(help="List, show, check, merge and export runs.", no_args_is_help=True)

_TABLES = frozenset({".parquet", ".pq"})
_WIDE = 10_000
"""Columns where no terminal sets a limit: a line of a table stays a line."""

Run = Annotated[Path, typer.Argument(help="The run's folder.", metavar="RUN")]


@app.command("list")
def list_runs(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where they are (default: here, or in runs).", metavar="DIR"),
    ] = None,
) -> None:
    """The runs in a folder, with how far they are."""
    if folder is None:
        folder = Path() if find_runs(Path()) or not Path("runs").is_dir() else Path("runs")
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _WIDE)
    table = Table(box=None, pad_edge=False, show_header=terminal)
    for heading in ("name", "created", "problems", "done", "correct", "failures", "size"):
        right = heading not in ("name", "created")
        table.add_column(heading, no_wrap=True, justify="right" if right else "left")
    runs = find_runs(folder)
    if not runs:
        raise RunError(f"There are no runs in {folder}", hint="tir runs list DIR looks elsewhere")
    for path in runs:
        try:
            reader = RunReader.open(path)
            counts = count(reader)
        except TirError as error:
            # One that cannot be read must not hide the others.
            fail(error)
            continue
        manifest = reader.manifest
        if manifest is None:
            continue
        done = f"{counts.done}/{manifest.expected}" if manifest.expected is not None else str(counts.done)
        table.add_row(
            Text(printable(reader.path.name), style="bold" if terminal else ""),
            manifest.created.strftime("%Y-%m-%d %H:%M"),
            str(manifest.problems.count),
            done,
            str(counts.correct),
            str(counts.failures.total()),
            size(bytes_of(path)),
        )
    console.print(table)


@app.command()
def show(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="The manifest and counts as JSON.")] = False,
) -> None:
    """What a run is, who wrote it, and what is in it."""
    reader = RunReader.open(run)
    if reader.manifest is None:
        raise RunError(f"{run} is not a run: it has no run.json")
    counts = count(reader)
    if as_json:
        content = {"manifest": reader.manifest.model_dump(mode="json"), "counts": counts_of(counts)}
        typer.echo(json.dumps(content, ensure_ascii=False, indent=2))
        return
    console = Console(soft_wrap=True, highlight=False)
    for name, text in describe(reader.path, reader.manifest, counts):
        console.print(Text.assemble((f"{name:<12}", "dim"), printable(text)))


@app.command()
def verify(run: Run) -> None:
    """Look for everything that could be wrong: one line for each finding, and status 1 where there is one."""
    found = 0
    for fault in verify_run(run):
        found += 1
        typer.echo(printable(str(fault)))
    if found:
        raise typer.Exit(EXIT_MACHINERY)
    say("sound", "green")


@app.command()
def merge(
    runs: Annotated[list[Path], typer.Argument(help="The runs' folders.", metavar="RUN...")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the new run.", metavar="DIR")],
    rename_arms: Annotated[
        bool, typer.Option("--rename-arms", help="Put the run's name before the names of its arms.")
    ] = False,
) -> None:
    """Copy several runs into a new one. A sample that two of them have is refused."""
    done = merge_runs(runs, out, rename_arms=rename_arms)
    say(f"{done} trajectories in {out}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, or files of trajectories.", metavar="RUN")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The Parquet file.", metavar="FILE")],
    flat: Annotated[bool, typer.Option("--flat", help="Without the column of the whole records.")] = False,
    grades: Annotated[
        str | None,
        typer.Option("--grades", help="A later grading, in the place of the first.", show_default=False),
    ] = None,
) -> None:
    """Write a run as a table: one row for each trajectory, in Parquet."""
    if out.suffix not in _TABLES:
        raise UsageError(f"{out} does not end in .parquet, and nothing else is written")
    reader = RunReader.open(run)
    if grades is not None:
        reader = reader.merge_grades(grades)
    rows = export_table(reader.trajectories(_skipped), out, flat=flat)
    say(f"{rows} rows in {out}")


def _skipped(fault: Fault) -> None:
    say(f"skipped {fault}", "yellow")
