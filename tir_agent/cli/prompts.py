"""`tir prompts`: the prompt files there are, what the model gets to read of one, and whether one is sound."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tir_agent.cli.prompt_view import draw, with_turns
from tir_agent.cli.prompt_warnings import warnings
from tir_agent.cli.terminal import EXIT_USAGE
from tir_agent.console import printable
from tir_agent.problems import problem_from_text
from tir_agent.prompts import Fault, find_prompt, load_prompt, prompt_names, read_prompt
from tir_agent.prompts.faults import Places

__all__ = ["app"]

app = typer.Typer(help="List, show and check prompt files.", no_args_is_help=True)

_PROBLEM = "What is 6 times 7?"
_WIDE = 10_000
"""Columns where no terminal sets a limit: a line of a table stays a line."""


@app.command("list")
def list_prompts() -> None:
    """The prompts that ship with tir-agent."""
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _WIDE)
    table = Table(box=None, pad_edge=False, show_header=terminal)
    for heading in ("name", "protocol", "conversation", "for"):
        table.add_column(heading, no_wrap=heading != "for")
    for name in prompt_names():
        prompt = load_prompt(name)
        style = "bold" if terminal else ""
        table.add_row(
            Text(name, style=style), prompt.protocol.kind, prompt.conversation.value, Text(prompt.description)
        )
    console.print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A prompt's name, or a YAML file of yours.")],
    problem: Annotated[str, typer.Argument(help="The problem.")] = _PROBLEM,
    turns: Annotated[
        bool, typer.Option("--turns", help="Go on with an output, an error, a nudge and the last turn.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The messages as JSON, spans included.")] = False,
) -> None:
    """The exact text that the model gets to read; colours say who wrote what."""
    prompt = load_prompt(name)
    asked = problem_from_text(problem)
    messages = with_turns(prompt, asked) if turns else prompt.opening(asked)
    if as_json:
        rows = [message.model_dump(mode="json", exclude_defaults=True) for message in messages]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    draw(Console(soft_wrap=True, highlight=False), prompt, messages)


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(help="Files, or names of prompts.", metavar="FILE...")],
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Look for mistakes: every one with its line and column. Ends with status 2 where there is one."""
    console = Console(soft_wrap=True, highlight=False)
    failed = False
    for name in files:
        path = find_prompt(name)
        prompt, faults = read_prompt(path)
        warned = warnings(prompt, Places(path.read_text(encoding="utf-8"))) if prompt else []
        for fault in faults:
            _print(console, str(path), fault, "error", "bold red")
        for fault in warned:
            _print(console, str(path), fault, "warning", "bold yellow")
        if not faults and not warned:
            console.print(Text.assemble(printable(str(path)), ": ", ("sound", "green")))
        failed = failed or bool(faults) or (strict and bool(warned))
    if failed:
        raise typer.Exit(EXIT_USAGE)


def _print(console: Console, path: str, fault: Fault, kind: str, style: str) -> None:
    field = f"{fault.field}: " if fault.field else ""
    hint = f" ({fault.hint})" if fault.hint else ""
    where = f"{path}:{fault.line}:{fault.column}: "
    console.print(
        Text.assemble(printable(where), (f"{kind}: ", style), printable(f"{field}{fault.message}{hint}"))
    )
