"""`tir sandbox`: the sandbox's image and environment."""

from __future__ import annotations

import typer

app = typer.Typer(help="Build and look at the sandbox.", no_args_is_help=True)
