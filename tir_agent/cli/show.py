"""`tir show`: a recorded run, readably."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tir_agent.cli.places import newest_trajectory
from tir_agent.cli.terminal import say
from tir_agent.console import show_trajectory
from tir_agent.errors import RunError
from tir_agent.store import RunReader, load
from tir_agent.trajectory import Trajectory, Verdict

__all__ = ["show"]

_MANY = (".jsonl", ".jsonl.zst")
"""Ends of the names of files that hold a trajectory a line."""


def show(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A trajectory's file, or a collection's folder; left out: the newest run of tir solve.",
            show_default=False,
        ),
    ] = None,
    which: Annotated[
        str | None,
        typer.Argument(
            help="Of a collection: the beginning of a trajectory's or a problem's id.", show_default=False
        ),
    ] = None,
    arm: Annotated[str | None, typer.Option(help="Of a collection: of this arm.")] = None,
    sample: Annotated[int | None, typer.Option(min=0, help="Of a collection: this sample.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Of a collection: with this verdict.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Of a collection: one that the machinery failed.")
    ] = False,
) -> None:
    """Print a recorded run as it looked when it happened; of a collection the first one that is meant."""
    console = Console(soft_wrap=True)
    if file is None or (file.is_file() and not file.name.endswith(_MANY)):
        show_trajectory(console, load(file or newest_trajectory()))
        return

    def meant(one: Trajectory) -> bool:
        where = one.sample
        return (
            (which is None or one.id.startswith(which) or one.problem.id.startswith(which))
            and (arm is None or (where is not None and where.arm == arm))
            and (sample is None or (where is not None and where.index == sample))
            and (verdict is None or (one.grade is not None and one.grade.verdict is verdict))
        )

    _show_one(console, file, meant, failed=failed)


def _show_one(console: Console, run: Path, meant: Callable[[Trajectory], bool], *, failed: bool) -> None:
    reader = RunReader.open(run)
    found = filter(meant, reader.failures() if failed else reader.trajectories())
    first = next(found, None)
    if first is None:
        raise RunError(
            f"There is no such trajectory in {run}",
            hint="tir show RUN --verdict wrong, or tir show RUN PROBLEM --sample 0",
        )
    show_trajectory(console, first)
    where = f", sample {first.sample.index} of {first.sample.arm}" if first.sample else ""
    say(f"trajectory {first.id}, problem {first.problem.id}{where}")
    others = sum(1 for _ in found)
    if others:
        say(f"{others:,} more of this kind: name one by its id, --arm, --sample or --verdict")
