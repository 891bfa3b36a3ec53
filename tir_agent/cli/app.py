"""All commands of `tir` under one roof."""

from __future__ import annotations

from typing import Annotated

import typer

import tir_agent
from tir_agent.cli import kernel, prompts, runs, sandbox
from tir_agent.cli.collect import collect
from tir_agent.cli.diff import diff
from tir_agent.cli.doctor import doctor
from tir_agent.cli.eval import eval_runs
from tir_agent.cli.export import export
from tir_agent.cli.grade import grade
from tir_agent.cli.import_ import import_runs
from tir_agent.cli.problems import problems
from tir_agent.cli.show import show
from tir_agent.cli.solve import solve
from tir_agent.cli.stats import stats

__all__ = ["app"]

app = typer.Typer(
    name="tir",
    help="Tool-integrated reasoning: a language model, a live Jupyter kernel in a locked-down sandbox.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("solve")(solve)
app.command("collect")(collect)
app.command("show")(show)
app.command("problems")(problems)
app.command("import")(import_runs)
app.command("grade")(grade)
app.command("eval")(eval_runs)
app.command("export")(export)
app.command("stats")(stats)
app.command("diff")(diff)
app.command("doctor")(doctor)
app.add_typer(runs.app, name="runs")
app.add_typer(prompts.app, name="prompts")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(kernel.app, name="kernel")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"tir-agent {tir_agent.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
