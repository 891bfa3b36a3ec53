"""`tir solve`: one problem, watched while it is solved."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tir_agent.agent import Agent
from tir_agent.cli.interrupts import interruptible
from tir_agent.cli.places import api_key, base_url, cache_dir, trajectories_dir
from tir_agent.cli.saving import Saved
from tir_agent.cli.terminal import EXIT_INTERRUPTED, EXIT_MACHINERY, EXIT_NO_ANSWER, Progress, fail, say
from tir_agent.console import RunView
from tir_agent.costs import PriceTable
from tir_agent.errors import TirError, UsageError
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.base import Model
from tir_agent.models.cache import CapabilityCache
from tir_agent.models.choice import EMBEDDED, is_embedded, open_model
from tir_agent.problems import problem_from_bytes, problem_from_file, problem_from_text
from tir_agent.prompts import Prompt, load_prompt
from tir_agent.settings import Budget, Isolation, KernelChoice, Limits, RunSettings, Sampling, Stages
from tir_agent.store import check_writable
from tir_agent.trajectory import Problem, StopReason, Trajectory

__all__ = ["solve"]

_EXIT = {StopReason.ANSWERED: 0, StopReason.ERROR: EXIT_MACHINERY, StopReason.INTERRUPTED: EXIT_INTERRUPTED}


def solve(
    problem: Annotated[
        str | None, typer.Argument(help="The problem; left out or '-': read from standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Read the problem from this file.")] = None,
    gold: Annotated[str | None, typer.Option(help="The right answer, to grade against.")] = None,
    model: Annotated[
        str,
        typer.Option(
            envvar="TIR_MODEL",
            help="'embedded', a GGUF file, or a model's name on an OpenAI-compatible server.",
        ),
    ] = EMBEDDED,
    base_url_option: Annotated[
        str | None, typer.Option("--base-url", help="The server's address (default: $OPENAI_BASE_URL).")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable with the key (default: OPENAI_API_KEY).")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="A prompt's name or YAML file (default: tir; tir_fewshot for the embedded model)."),
    ] = None,
    kernel: Annotated[KernelChoice, typer.Option(help="Where code runs.")] = KernelChoice.AUTO,
    isolation: Annotated[
        Isolation, typer.Option(help="container: a session shares its container with no other.")
    ] = Isolation.SESSION,
    runtime: Annotated[
        str | None, typer.Option(help="OCI runtime for Docker, e.g. runsc (default: the engine's own).")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, max=2)] = Sampling().temperature,
    top_p: Annotated[float, typer.Option(min=0.001, max=1)] = Sampling().top_p,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens in one reply.")] = Sampling().max_tokens,
    seed: Annotated[int | None, typer.Option(help="Seed for sampling.")] = None,
    top_k: Annotated[
        int | None, typer.Option(min=-1, help="Draw among the likeliest K; -1: all (default: the server's).")
    ] = None,
    min_p: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Leave out tokens below this part of the likeliest's chance."),
    ] = None,
    tokens: Annotated[
        bool,
        typer.Option(
            "--tokens/--no-tokens", help="Record token ids and logprobs where the server gives them."
        ),
    ] = False,
    max_turns: Annotated[int, typer.Option(min=1, help="Replies of the model.")] = Budget().max_turns,
    max_total_tokens: Annotated[
        int, typer.Option(min=1, help="Length of the whole conversation in tokens.")
    ] = Budget().max_total_tokens,
    max_seconds: Annotated[
        float, typer.Option(min=1, help="Seconds for the whole run.")
    ] = Budget().max_seconds,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one cell.")] = Limits().cell_seconds,
    verify: Annotated[
        int, typer.Option(min=0, help="Times that the model is asked to check its answer with a program.")
    ] = Stages().verifications,
    critique: Annotated[
        int, typer.Option(min=0, help="Times that it is asked, apart, what is wrong with its answer.")
    ] = Stages().critiques,
    restarts: Annotated[
        int, typer.Option(min=0, help="Fresh starts of a run that ended without having run code.")
    ] = Stages().restarts,
    code_first: Annotated[
        bool, typer.Option("--code-first", help="No answer counts before code has run without an error.")
    ] = Stages().code_first,
    force_answer: Annotated[
        bool, typer.Option("--force-answer", help='Have the model end "the answer is" where it gave none.')
    ] = Stages().forced_answer,
    prices: Annotated[
        Path | None,
        typer.Option(help="Prices of models, before those that are known (docs/costs.md)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Save the trajectory here (default: a new file in the state folder).")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the record on standard output, and nothing else.")
    ] = False,
) -> None:
    """Solve one problem and save the trajectory.

    Exit status: 0 answered, 1 something around the model failed, 2 wrong usage, 3 no answer, 130 interrupted.
    """
    settings = RunSettings(
        model=model,
        base_url=None if is_embedded(model) else base_url(base_url_option),
        tokens=tokens,
        kernel=kernel,
        isolation=isolation,
        runtime=runtime,
        sampling=Sampling(
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            seed=seed,
            top_k=top_k,
            min_p=min_p,
        ),
        budget=Budget(max_turns=max_turns, max_total_tokens=max_total_tokens, max_seconds=max_seconds),
        limits=Limits(cell_seconds=timeout),
        stages=Stages(
            verifications=verify,
            critiques=critique,
            restarts=restarts,
            code_first=code_first,
            forced_answer=force_answer,
        ),
    )
    job = _Job(
        problem=_read_problem(problem, file, gold),
        prompt=load_prompt(prompt or ("tir_fewshot" if is_embedded(model) else "tir")),
        settings=settings,
        prices=PriceTable.load(prices),
        key=None if is_embedded(model) else api_key(api_key_env),
        out=out,
    )
    check_writable(out or trajectories_dir() / "any.json")
    view = RunView(Console(quiet=json, soft_wrap=True))
    view.problem(job.problem.text)
    saved = Saved(view, out, as_json=json)
    try:
        trajectory = asyncio.run(_run(job, view, saved))
    except asyncio.CancelledError:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if trajectory.failure is not None:
        fail(TirError(trajectory.failure.message, hint=trajectory.failure.hint))
    if saved.lost:
        raise typer.Exit(EXIT_MACHINERY)
    raise typer.Exit(_EXIT.get(trajectory.stop, EXIT_NO_ANSWER))


@dataclass(frozen=True)
class _Job:
    problem: Problem
    prompt: Prompt
    settings: RunSettings
    prices: PriceTable
    key: str | None
    out: Path | None


def _read_problem(text: str | None, file: Path | None, gold: str | None) -> Problem:
    if file is not None:
        if text is not None:
            raise UsageError("Give the problem as an argument or with --file, not both")
        return problem_from_file(file, gold=gold)
    if text is not None and text != "-":
        return problem_from_text(text, gold=gold)
    if text is None and sys.stdin.isatty():
        raise UsageError(
            "No problem was given", hint='tir solve "What is 2 + 2?", or --file, or standard input'
        )
    return problem_from_bytes(sys.stdin.buffer.read(), source="Standard input", gold=gold)


async def _run(job: _Job, view: RunView, save: Saved) -> Trajectory:
    with interruptible(view):
        async with AsyncExitStack() as stack:
            notes: list[str] = []
            model, sandbox = await _open(job, stack, notes)
            settings = job.settings.model_copy(update={"base_url": model.base_url})
            server = await model.describe()
            price = job.prices.price_of(settings.model, model.base_url)
            agent = Agent(model, sandbox, job.prompt, settings, model_server=server, price=price)
            save.said = frozenset(notes)
            return await agent.solve(job.problem, observer=view, save=save, notes=tuple(notes))


async def _open(job: _Job, stack: AsyncExitStack, notes: list[str]) -> tuple[Model, Sandbox | None]:
    """Start the model and the sandbox side by side; whichever started is closed by `stack`."""

    def deviate(text: str) -> None:
        notes.append(text)
        say(text, "yellow")

    async def start_model() -> Model:
        model = await open_model(
            job.settings.model,
            base_url=job.settings.base_url,
            api_key=job.key,
            tokens=job.settings.tokens,
            cache=CapabilityCache(cache_dir() / "capabilities"),
        )
        stack.push_async_callback(model.close)
        return model

    async def start_sandbox() -> Sandbox | None:
        if not job.prompt.uses_tool and job.problem.gold is None:
            return None
        settings = job.settings
        sandbox = await open_sandbox(
            settings.kernel,
            settings.limits,
            isolation=settings.isolation,
            runtime=settings.runtime,
            pool=0,
            progress=progress.line,
            deviate=deviate,
        )
        stack.push_async_callback(sandbox.close)
        return sandbox

    with Progress() as progress:
        progress.line("starting the model and the sandbox")
        try:
            async with asyncio.TaskGroup() as group:
                opening_model = group.create_task(start_model())
                opening_sandbox = group.create_task(start_sandbox())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
    return opening_model.result(), opening_sandbox.result()
