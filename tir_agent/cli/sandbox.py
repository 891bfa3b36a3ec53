"""`tir sandbox`: building what the kernel runs in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tir_agent.cli.terminal import Progress, say
from tir_agent.errors import UsageError
from tir_agent.kernel import environment, image
from tir_agent.settings import KernelChoice

__all__ = ["app"]

app = typer.Typer(help="Build the sandbox.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Build the sandbox."""


@app.command()
def build(
    kernel: Annotated[
        KernelChoice, typer.Option(help="docker: the image; bubblewrap, local: the Python environment.")
    ] = KernelChoice.DOCKER,
    base: Annotated[
        str, typer.Option(help="Image to build on: needs Python 3.11 or newer with pip and venv.")
    ] = image.DEFAULT_BASE,
    network: Annotated[
        str | None, typer.Option(help="Network of the build, e.g. 'host' (default: Docker's own).")
    ] = None,
    ca_bundle: Annotated[
        Path | None, typer.Option(help="Certificates (PEM) that pip shall trust during the build.")
    ] = None,
) -> None:
    """Build the Docker image, or the Python environment for the other kernels."""
    if ca_bundle is not None and not ca_bundle.is_file():
        raise UsageError(f"There is no file {ca_bundle}")
    with Progress() as progress:
        if kernel in {KernelChoice.BUBBLEWRAP, KernelChoice.LOCAL}:
            done = str(environment.ensure(progress=progress.line).folder)
        else:
            client = image.connect()
            try:
                image.build(client, base=base, network=network, ca_bundle=ca_bundle, progress=progress.line)
            finally:
                client.close()
            done = image.tag()
    say(f"{done} is ready", "green")
