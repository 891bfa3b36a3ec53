"""`tir export`: a training set, made of the trajectories of one run or of several."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import Annotated

import typer

from tir_agent.cli.export_options import Asked, resolve
from tir_agent.cli.export_view import grids, notes
from tir_agent.cli.grid import draw
from tir_agent.cli.terminal import EXIT_INTERRUPTED, say
from tir_agent.cli.terminal import Progress as Spinner
from tir_agent.export.exporter import Exporter, Progress
from tir_agent.settings import BudgetRule, Dialect, ExportKind, PairRule

__all__ = ["export"]

_FILTERS = "Filters (docs/filters.md)"
_CHOICE = "Choice among what is left"
_ROWS = "Rows"


def export(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Runs' folders, or files of trajectories.", metavar="RUN...", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The set's folder.")],
    format_: Annotated[ExportKind | None, typer.Option("--format", "-f", help="What the set trains.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A TOML file (docs/export.md).")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting: filters.max_pass_rate=0.9.", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides all that is left to chance (default: 0).")] = None,
    validation: Annotated[
        float | None, typer.Option(help="Share of the problems for a validation split, from 0 to below 1.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the export that is in the folder.")
    ] = False,
    grades: Annotated[
        str | None, typer.Option(help="Later grades of the runs, by their name (tir grade).")
    ] = None,
    filter_: Annotated[
        list[str] | None,
        typer.Option("--filter", help="Switch a filter on.", show_default=False, rich_help_panel=_FILTERS),
    ] = None,
    no_filter: Annotated[
        list[str] | None,
        typer.Option(
            "--no-filter", help="Switch a filter off.", show_default=False, rich_help_panel=_FILTERS
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Leave longer conversations out.", rich_help_panel=_FILTERS)
    ] = None,
    pass_rate: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="MIN MAX",
            help="Leave problems out that were solved less or more often than this.",
            show_default=False,
            rich_help_panel=_FILTERS,
        ),
    ] = None,
    at_most: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Right and wrong trajectories of a problem, so many of each.",
            rich_help_panel=_FILTERS,
        ),
    ] = None,
    cleanest: Annotated[
        bool | None,
        typer.Option(
            "--cleanest-first/--by-chance",
            help="Which right ones are taken: those with the fewest failed cells.",
            show_default=False,
            rich_help_panel=_FILTERS,
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="A benchmark whose problems must not be in the set.",
            metavar="DATA",
            show_default=False,
            rich_help_panel=_FILTERS,
        ),
    ] = None,
    ngram: Annotated[
        int | None,
        typer.Option(min=1, help="Words in a row that make it the same (13).", rich_help_panel=_FILTERS),
    ] = None,
    pairs: Annotated[
        PairRule | None, typer.Option(help="DPO: which two become a pair.", rich_help_panel=_CHOICE)
    ] = None,
    budget: Annotated[
        BudgetRule | None, typer.Option(help="SFT: solutions of a problem.", rich_help_panel=_CHOICE)
    ] = None,
    per_problem: Annotated[
        int | None,
        typer.Option(min=1, help="Pairs, steps or solutions of a problem.", rich_help_panel=_CHOICE),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            min=0, help="KTO: undesirable rows for a desirable one; 0 keeps all.", rich_help_panel=_CHOICE
        ),
    ] = None,
    min_prefix: Annotated[
        int | None,
        typer.Option(min=0, help="Steps: turns that both must share.", rich_help_panel=_CHOICE),
    ] = None,
    rewards: Annotated[
        Path | None,
        typer.Option(help='Rewards by trajectory: lines of {"id", "reward"}.', rich_help_panel=_CHOICE),
    ] = None,
    dialect: Annotated[
        Dialect | None, typer.Option("--dialect", "-d", help="Whose rows.", rich_help_panel=_ROWS)
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="A prompt to put in the place of the sampled one.", rich_help_panel=_ROWS),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Folder or GGUF file that counts tokens and renders text.", rich_help_panel=_ROWS),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="For the dataset card: apache-2.0, ...", rich_help_panel=_ROWS)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the account as JSON, and nothing else.")
    ] = False,
) -> None:
    """Make a training set: filtered, paired, in a trainer's own form, with an account of what was left out.

    The same runs, recipe and seed give the same bytes. Exit status: 0 done, 1 the disk failed, 2 wrong usage
    or nothing left to write.
    """
    recipe = resolve(
        Asked(
            config=config,
            recipe={
                "kind": format_,
                "dialect": dialect,
                "seed": seed,
                "validation": validation,
                "prompt": prompt,
                "tokenizer": tokenizer,
                "grades": grades,
                "rewards": str(rewards) if rewards else None,
                "licence": licence,
                "balance": None if ratio is None else {"ratio": ratio or None},
            },
            filters={
                "max_tokens": max_tokens,
                "min_pass_rate": pass_rate[0] if pass_rate else None,
                "max_pass_rate": pass_rate[1] if pass_rate else None,
                "per_problem": at_most,
                "cleanest_first": cleanest,
            },
            pairing={"rule": pairs, "per_problem": per_problem, "min_prefix": min_prefix},
            budget={"rule": budget, "per_problem": per_problem},
            contamination={"against": [{"path": data} for data in against or ()] or None, "ngram": ngram},
            on=filter_ or (),
            off=no_filter or (),
            assignments=set_ or (),
            named=[
                name
                for name, value in (
                    ("--pairs", pairs),
                    ("--budget", budget),
                    ("--ratio", ratio),
                    ("--min-prefix", min_prefix),
                    ("--per-problem", per_problem),
                )
                if value is not None
            ],
        )
    )
    # Who is told to end, as by `timeout`, leaves no more behind than who is interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Spinner() as spinner:
            exporter = Exporter(recipe, Progress(step=spinner.line, say=lambda text: say(text, "yellow")))
            manifest = exporter.export(runs, out, replace=replace)
    except KeyboardInterrupt:
        say("Stopped; nothing was written", "yellow")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        typer.echo(manifest.model_dump_json(indent=1))
        return
    draw(grids(manifest), list(notes(manifest)))
    say(f"next: tir stats {shlex.quote(str(out))}")
