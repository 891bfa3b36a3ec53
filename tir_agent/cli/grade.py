"""`tir grade`: answers graded again beside a run's log, and a model as judge of what is left."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tir_agent.cli.grade_view import as_json, grids, notes
from tir_agent.cli.grid import draw
from tir_agent.cli.places import api_key, base_url, cache_dir
from tir_agent.cli.terminal import EXIT_INTERRUPTED, EXIT_MACHINERY, Progress, say
from tir_agent.costs import PriceTable
from tir_agent.errors import RunError, UsageError
from tir_agent.grades import GRADING_SECONDS, Verdict
from tir_agent.judging import JUDGE_SECONDS, Judge
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.kernel.image import sandbox_hash
from tir_agent.models.cache import CapabilityCache
from tir_agent.models.choice import is_embedded, open_model
from tir_agent.models.limiter import RateLimiter
from tir_agent.problems import load_problems
from tir_agent.prompts import JUDGE, JudgePrompt, load_judge_prompt
from tir_agent.regrade import Golds, Regrader, Report, Terms
from tir_agent.settings import KernelChoice, Limits, ProblemSource, RateLimits
from tir_agent.store import Fault, GradeLog, GradeTerms, RunReader, read_grades

__all__ = ["grade"]

_NONE = "none"
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARS = 100
_HASH_CHARS = 8


@dataclass(frozen=True)
class _Asked:
    """A judge that is to be opened."""

    model: str
    base_url: str | None
    key: str | None
    prompt: JudgePrompt
    prices: PriceTable
    at_once: int
    timeout: float


@dataclass(frozen=True)
class _Job:
    run: Path
    name: str | None
    terms: Terms
    golds: tuple[str, str] | None
    """A data set's name and digest."""
    kernel: KernelChoice
    judge: _Asked | None


def grade(
    run: Annotated[Path, typer.Argument(help="The run's folder.", metavar="RUN")],
    name: Annotated[
        str | None, typer.Option(help="Of the new grades (default: made of the grader and the options).")
    ] = None,
    relative: Annotated[
        float | None, typer.Option(min=0, help="Numbers may differ by so much of the larger one.")
    ] = None,
    absolute: Annotated[float | None, typer.Option(min=0, help="Numbers may differ by so much.")] = None,
    kernel: Annotated[KernelChoice, typer.Option(help="Where answers are compared.")] = KernelChoice.AUTO,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one comparison.")] = GRADING_SECONDS,
    only: Annotated[
        str, typer.Option(help="Verdicts to grade again: correct,wrong,ungradable,timeout,none.")
    ] = "",
    extract: Annotated[
        bool, typer.Option("--extract", help="Read the answers from the last replies once more.")
    ] = False,
    gold_from: Annotated[
        str | None, typer.Option(help="Gold answers of another data set, by a problem's text or id.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="A model to ask where the grader cannot tell.", metavar="MODEL")
    ] = None,
    base_url_option: Annotated[
        str | None, typer.Option("--base-url", help="The judge's server (default: $OPENAI_BASE_URL).")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable with its key (default: OPENAI_API_KEY).")
    ] = None,
    judge_prompt: Annotated[str | None, typer.Option(help="A judge's prompt, by name or file.")] = None,
    judge_timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for one verdict of the judge.")
    ] = JUDGE_SECONDS,
    judge_at_once: Annotated[int, typer.Option(min=1, help="Requests to the judge at a time.")] = 16,
    prices: Annotated[Path | None, typer.Option(help="Prices of models (docs/costs.md).")] = None,
    show: Annotated[int, typer.Option(min=0, help="Differing verdicts that are shown.")] = 20,
    as_json_option: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")
    ] = False,
) -> None:
    """Grade a run's answers again; the grades go beside its log, for `tir eval RUN --grades NAME`.

    Exit status: 0 done, 1 something failed and grades are missing, 2 wrong usage, 130 interrupted. The
    same command goes on where one was stopped.
    """
    if judge is None and (base_url_option or api_key_env or judge_prompt):
        raise UsageError("A judge's options need --judge", hint="--judge MODEL")
    golds, digest = _golds(run, gold_from) if gold_from is not None else (None, "")
    job = _Job(
        run=run,
        name=name,
        terms=Terms(
            only=_only(only),
            relative=relative,
            absolute=absolute,
            timeout=timeout,
            extract=extract,
            golds=golds,
        ),
        golds=(gold_from, digest) if gold_from is not None else None,
        kernel=kernel,
        judge=None
        if judge is None
        else _Asked(
            model=judge,
            base_url=None if is_embedded(judge) else base_url(base_url_option),
            key=None if is_embedded(judge) else api_key(api_key_env),
            prompt=load_judge_prompt(judge_prompt or JUDGE),
            prices=PriceTable.load(prices),
            at_once=judge_at_once,
            timeout=judge_timeout,
        ),
    )
    if RunReader.open(run).manifest is None:
        raise RunError(f"{run} is not a run: it has no run.json")
    try:
        used, report, asked = asyncio.run(_grade(job, Report(show=show)))
    except KeyboardInterrupt:
        say("Stopped; the same command goes on", "yellow")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json_option:
        typer.echo(json.dumps(as_json(used, report, asked), ensure_ascii=False, indent=1))
    else:
        draw(grids(report), list(notes(report, asked)))
        say(f"next: tir eval {shlex.quote(str(run))} --grades {used}")
    if report.left_out:
        say(f"{report.left_out:,} were left out: the same command tries them again", "yellow")
        raise typer.Exit(EXIT_MACHINERY)


def _only(text: str) -> frozenset[Verdict | None]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = [*Verdict, _NONE]
    for word in words:
        if word not in known:
            raise UsageError(f"There is no verdict {word!r}", hint=f"There are: {', '.join(known)}")
    return frozenset(None if word == _NONE else Verdict(word) for word in words)


def _golds(run: Path, data: str) -> tuple[Golds, str]:
    found = load_problems(ProblemSource(path=data))
    golds = Golds(found.problems)
    problems = list(RunReader.open(run).problems())
    known = sum(golds.knows(problem) for problem in problems)
    if not known:
        raise UsageError(
            f"{data} has a gold answer for none of the {len(problems):,} problems of {run}",
            hint="Problems are found by their text, or else by their id",
        )
    if known < len(problems):
        rest = len(problems) - known
        say(f"{rest:,} of {len(problems):,} problems are not in {data} and keep their gold answer", "yellow")
    return golds, found.digest


async def _grade(job: _Job, report: Report) -> tuple[str, Report, Judge | None]:
    reader = RunReader.open(job.run)
    async with AsyncExitStack() as stack:
        with Progress() as progress:
            progress.line("starting the sandbox")
            sandbox = await open_sandbox(
                job.kernel, Limits(), pool=0, progress=progress.line, deviate=lambda text: say(text, "yellow")
            )
            stack.push_async_callback(sandbox.close)
            judge = await _open_judge(job.judge, stack) if job.judge is not None else None
            terms = _kept(job, sandbox)
            name = job.name or _default_name(job, terms)
            with GradeLog.open(job.run, name, terms=terms) as log:
                for fault in log.repairs:
                    say(f"repaired: {fault}", "yellow")
                earlier = (
                    {row.trajectory: row.grade for row in read_grades(job.run, name)} if log.done else {}
                )
                await Regrader(sandbox, job.terms, judge).run(
                    reader.trajectories(_skipped),
                    log,
                    report,
                    earlier=earlier,
                    progress=lambda done: progress.line(f"{done:,} trajectories graded"),
                )
    return name, report, judge


async def _open_judge(asked: _Asked, stack: AsyncExitStack) -> Judge:
    model = await open_model(
        asked.model,
        base_url=asked.base_url,
        api_key=asked.key,
        limiter=RateLimiter(RateLimits(concurrent=asked.at_once)),
        cache=CapabilityCache(cache_dir() / "capabilities"),
        at_once=asked.at_once,
    )
    stack.push_async_callback(model.close)
    price = asked.prices.price_of(asked.model, model.base_url)
    return Judge(model, asked.prompt, price=price, timeout=asked.timeout, at_once=asked.at_once)


def _kept(job: _Job, sandbox: Sandbox) -> GradeTerms:
    terms = job.terms
    return GradeTerms(
        grader=f"math-verify {sandbox.info.packages.get('math-verify', '')}".strip(),
        programs=sandbox_hash(),
        timeout=terms.timeout,
        relative=terms.relative,
        absolute=terms.absolute,
        only=tuple(sorted(_NONE if verdict is None else verdict.value for verdict in terms.only)),
        extracted=terms.extract,
        golds=job.golds[1] if job.golds else None,
        judge=job.judge.model if job.judge else None,
        judge_prompt=job.judge.prompt.identity if job.judge else None,
    )


def _default_name(job: _Job, terms: GradeTerms) -> str:
    """Another one for each grader and for each set of options."""
    words = [terms.grader, terms.programs[:_HASH_CHARS]]
    if terms.only:
        words += ["only", *terms.only]
    for word, number in (("relative", terms.relative), ("absolute", terms.absolute)):
        words += [] if number is None else [word, f"{number:g}"]
    if terms.timeout != GRADING_SECONDS:
        words += ["timeout", f"{terms.timeout:g}"]
    if terms.extracted:
        words.append("extracted")
    if job.golds is not None:
        words += ["gold", Path(job.golds[0]).stem]
    if terms.judge is not None:
        words += ["judge", Path(terms.judge).name]
    return _STRANGE.sub("-", "-".join(words))[:_NAME_CHARS]


def _skipped(fault: Fault) -> None:
    say(f"skipped {fault}", "yellow")
