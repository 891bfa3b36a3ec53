"""`tir import`: recorded trajectories of other systems as a run, for everything that reads runs."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from tir_agent.cli.grid import draw
from tir_agent.cli.import_view import as_json, grids, notes
from tir_agent.cli.terminal import EXIT_INTERRUPTED, Progress, say
from tir_agent.imports import Importer, Layout
from tir_agent.store import RunWriter

__all__ = ["import_runs"]


def import_runs(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of trajectories: JSON lines, JSON, Parquet.", metavar="FILE..."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The run's folder.")],
    layout: Annotated[Layout, typer.Option("--from", help="Whose they are.")] = Layout.AUTO,
    limit: Annotated[int | None, typer.Option(min=1, help="Trajectories that are taken, at most.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The arm of trajectories that do not name their model.")
    ] = None,
    as_json_option: Annotated[
        bool, typer.Option("--json", help="Print the account as JSON, and nothing else.")
    ] = False,
) -> None:
    """Make a run of trajectories that another system recorded (docs/importing.md).

    Rows of which nothing can be made are counted and named. The same command goes on where one was stopped.
    Exit status: 0 done, 1 the disk failed, 2 wrong usage, or no trajectory was found, 130 interrupted.
    """
    importer = Importer(files, layout, model=model, limit=limit)
    try:
        with Progress() as progress:
            plan = importer.plan(lambda rows: progress.line(f"{rows:,} rows read"))
            total = plan.ledger.accepted
            with RunWriter.open(out, plan.draft, plan.problems) as writer:
                for fault in writer.repairs:
                    say(f"repaired: {fault}", "yellow")
                written, there = asyncio.run(
                    importer.write(
                        plan,
                        writer,
                        lambda done: progress.line(f"{done:,} of {total:,} trajectories written"),
                    )
                )
    except KeyboardInterrupt:
        say("Stopped; the same command goes on", "yellow")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json_option:
        typer.echo(json.dumps(as_json(plan.ledger, written, there), ensure_ascii=False, indent=1))
        return
    draw(list(grids(plan.ledger)), list(notes(plan.ledger, there)))
    say(f"next: tir grade {shlex.quote(str(out))}")
