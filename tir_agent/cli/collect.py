"""`tir collect`: many samples of many problems into a folder, begun or gone on with."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tir_agent.cli.collect_options import Asked, default_folder, resolve
from tir_agent.cli.collect_run import Job
from tir_agent.cli.collect_run import collect as run
from tir_agent.cli.collect_run import dry_run as look
from tir_agent.cli.engines import Engine, crew_opener
from tir_agent.cli.places import base_url
from tir_agent.cli.source import Field, Filter, KeepDuplicates, Limit, Shuffle, Split, Subset, problem_source
from tir_agent.cli.terminal import EXIT_INTERRUPTED, EXIT_NO_ANSWER
from tir_agent.collect.events import Ending
from tir_agent.costs import PriceTable
from tir_agent.settings import Fsync, Isolation, KernelChoice
from tir_agent.tracing import Tracing, open_tracing

__all__ = ["collect"]

_ASIDE = "Where and how"
_DATA = "Problems"
_SAMPLES = "Samples"


class Plan(StrEnum):
    """How many samples a problem gets."""

    FIXED = "fixed"
    UNTIL_CORRECT = "until_correct"
    PROPORTIONAL = "proportional"
    PAIRS = "pairs"
    VOTE = "vote"


def collect(
    data: Annotated[
        str | None,
        typer.Argument(
            help="JSONL, JSON, CSV, TSV, Parquet, a folder saved by datasets, or owner/name on the hub.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model of the server, embedded, or a .gguf file.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", "-k", min=1, help="Samples of each problem (with --plan: at most)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run's folder (default: runs/DATA-MODEL).")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A TOML file (docs/collect.md).")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="Go on with the run in this folder.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting: budget.max_turns=6, samples.pilot=8.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run, its size and its cost.")
    ] = False,
    split: Split = None,
    subset: Subset = None,
    fields: Field = None,
    filters: Filter = None,
    limit: Limit = None,
    shuffle: Shuffle = False,
    keep_duplicates: KeepDuplicates = False,
    check_golds: Annotated[
        bool,
        typer.Option(
            "--check-golds/--no-check-golds",
            help="Leave out gold answers that the grader does not accept.",
            rich_help_panel=_DATA,
        ),
    ] = True,
    plan: Annotated[
        Plan | None, typer.Option(help="When a problem has enough samples.", rich_help_panel=_SAMPLES)
    ] = None,
    correct: Annotated[
        int | None,
        typer.Option(
            min=1, help="Right samples wanted (until_correct, proportional).", rich_help_panel=_SAMPLES
        ),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", help="Name or file.", rich_help_panel=_SAMPLES)
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, max=2, help="Default: 1.", rich_help_panel=_SAMPLES)
    ] = None,
    top_p: Annotated[float | None, typer.Option(min=0, max=1, rich_help_panel=_SAMPLES)] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of one reply.", rich_help_panel=_SAMPLES)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of all samples' seeds and of --shuffle.", rich_help_panel=_SAMPLES),
    ] = None,
    tokens: Annotated[
        bool | None,
        typer.Option("--tokens/--no-tokens", help="Record token ids and logprobs.", rich_help_panel=_SAMPLES),
    ] = None,
    base_url_option: Annotated[
        str | None,
        typer.Option("--base-url", help="The server (default: $OPENAI_BASE_URL).", rich_help_panel=_ASIDE),
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable with the key.", rich_help_panel=_ASIDE)
    ] = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Trajectories under way.", rich_help_panel=_ASIDE)
    ] = None,
    concurrent: Annotated[
        int | None, typer.Option(min=1, help="Requests to the server under way.", rich_help_panel=_ASIDE)
    ] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, rich_help_panel=_ASIDE)] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(min=1, rich_help_panel=_ASIDE)] = None,
    kernels: Annotated[int | None, typer.Option(min=1, help="Live kernels.", rich_help_panel=_ASIDE)] = None,
    kernel: Annotated[
        KernelChoice | None, typer.Option(help="Sandbox that runs the code.", rich_help_panel=_ASIDE)
    ] = None,
    isolation: Annotated[Isolation | None, typer.Option(rich_help_panel=_ASIDE)] = None,
    runtime: Annotated[str | None, typer.Option(help="Docker's OCI runtime.", rich_help_panel=_ASIDE)] = None,
    fsync: Annotated[
        Fsync | None, typer.Option(help="When the log is forced onto the disk.", rich_help_panel=_ASIDE)
    ] = None,
    compress: Annotated[
        bool | None, typer.Option("--compress/--no-compress", help="zstd.", rich_help_panel=_ASIDE)
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(help="Prices of models (docs/costs.md).", rich_help_panel=_ASIDE)
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="This process, or a Ray cluster (docs/ray.md).", rich_help_panel=_ASIDE)
    ] = Engine.LOCAL,
    ray_address: Annotated[
        str | None,
        typer.Option(help="The Ray cluster (default: $RAY_ADDRESS, this machine's).", rich_help_panel=_ASIDE),
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option(help="OpenTelemetry: a collector's URL, or a file's name.", rich_help_panel=_ASIDE),
    ] = None,
    trace_contents: Annotated[
        bool, typer.Option("--trace-contents", help="With what was said and run.", rich_help_panel=_ASIDE)
    ] = False,
) -> None:
    """Sample many problems, several times each, into a folder that survives being killed.

    The same command again goes on where it stopped. Ctrl-C lets what is under way come to its end, a second
    one drops it. Exit status: 0 complete, 1 something around the model failed, 2 wrong usage, 3 some samples
    are missing, 130 interrupted.
    """
    source = None
    if data is not None:
        source = problem_source(
            data,
            split=split,
            subset=subset,
            fields=fields,
            filters=filters,
            limit=limit,
            shuffle=shuffle,
            seed=seed or 0,
            keep_duplicates=keep_duplicates,
        )
    recipe, operation = resolve(
        Asked(
            source=source,
            config=config,
            resume=resume,
            arm={
                "model": model,
                "prompt": prompt,
                "sampling": {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens},
            },
            server={
                "base_url": base_url(base_url_option) if resume is None or base_url_option else None,
                "api_key_env": api_key_env,
                "limits": {
                    "concurrent": concurrent,
                    "requests_per_minute": requests_per_minute,
                    "tokens_per_minute": tokens_per_minute,
                },
            },
            samples=_samples(plan, samples, correct),
            recipe={"seed": seed, "tokens": tokens},
            operation={
                "at_once": at_once,
                "kernels": kernels,
                "kernel": kernel,
                "isolation": isolation,
                "runtime": runtime,
                "storage": {"fsync": fsync, "compress": compress},
            },
            assignments=set_ or (),
        )
    )
    job = Job(
        recipe=recipe,
        operation=operation,
        folder=resume or out or default_folder(recipe),
        prices=PriceTable.load(prices),
        check_golds=check_golds,
        resumed=resume is not None,
        console=Console(stderr=True, soft_wrap=True),
        tracing=_tracing(trace, trace_contents),
        open_crew=crew_opener(engine, ray_address),
    )
    if dry_run:
        asyncio.run(look(job))
        return
    try:
        ending, _ = asyncio.run(run(job))
    except asyncio.CancelledError:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if ending in {Ending.STOPPED, Ending.CANCELLED}:
        raise typer.Exit(EXIT_INTERRUPTED)
    if ending is Ending.INCOMPLETE:
        raise typer.Exit(EXIT_NO_ANSWER)


def _samples(plan: Plan | None, samples: int | None, correct: int | None) -> dict[str, object]:
    """The table `samples`, of what was said."""
    if plan is None and samples is None and correct is None:
        return {}
    kind = plan or (Plan.UNTIL_CORRECT if correct is not None else Plan.FIXED)
    most = "samples" if kind is Plan.FIXED else "at_most"
    right = "right" if kind is Plan.PAIRS else "correct"
    return {"kind": kind.value, most: samples, right: correct}


def _tracing(trace: str | None, contents: bool) -> Tracing | None:
    if trace is None:
        return None
    if trace.startswith(("http://", "https://")):
        return open_tracing(trace, contents=contents)
    return open_tracing(file=Path(trace), contents=contents)
