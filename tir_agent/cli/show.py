"""`tir show`: a recorded run, readably."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tir_agent.cli.places import newest_trajectory
from tir_agent.console import show_trajectory
from tir_agent.store import load

__all__ = ["show"]


def show(
    file: Annotated[
        Path | None,
        typer.Argument(help="The trajectory's file; left out: the newest one.", show_default=False),
    ] = None,
) -> None:
    """Print a recorded run as it looked when it happened."""
    show_trajectory(Console(soft_wrap=True), load(file or newest_trajectory()))
