"""`tir kernel`: the sandbox as a kernel for notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tir_agent.cli.terminal import say
from tir_agent.errors import UsageError
from tir_agent.kernel import spec
from tir_agent.settings import Isolation, KernelChoice

__all__ = ["app"]

app = typer.Typer(help="Use the sandbox as a Jupyter kernel.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Use the sandbox as a Jupyter kernel."""


@app.command()
def install(
    kernel: Annotated[KernelChoice, typer.Option(help="Where code runs.")] = KernelChoice.AUTO,
    isolation: Annotated[
        Isolation, typer.Option(help="What a notebook shares with others.")
    ] = Isolation.SESSION,
    runtime: Annotated[
        str | None, typer.Option(help="OCI runtime for Docker, e.g. runsc (default: the engine's own)")
    ] = None,
    name: Annotated[str, typer.Option(help="What notebooks call the kernel.")] = spec.NAME,
    prefix: Annotated[
        Path | None, typer.Option(help="Install below this folder (default: for this user).")
    ] = None,
) -> None:
    """Write the kernel spec, so that JupyterLab, nbclient and papermill find the kernel."""
    if not spec.is_valid_name(name):
        raise UsageError(f"{name!r} is no name for a kernel", hint="Letters, digits, '.', '_' and '-' are")
    if isolation is Isolation.CONTAINER and kernel is KernelChoice.LOCAL:
        raise UsageError(
            "The local kernel isolates nothing, so it has no containers",
            hint="Use --kernel docker or bubblewrap",
        )
    if runtime is not None and kernel in {KernelChoice.BUBBLEWRAP, KernelChoice.LOCAL}:
        raise UsageError(f"A runtime is an option of Docker's, and the kernel is {kernel}")
    where = spec.install(name, kernel, isolation, prefix, runtime)
    if kernel is KernelChoice.LOCAL:
        say("Notebooks with this kernel run on this machine without any isolation", "yellow")
    say(f"installed as {where.name} in {where}", "green")
    if prefix is not None:
        say(f"Jupyter finds it with JUPYTER_PATH={where.parent.parent}, or if that is where it looks anyway")
    say(f"jupyter lab lists it; or: jupyter execute --kernel_name={where.name} notebook.ipynb")
