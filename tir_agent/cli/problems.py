"""`tir problems`: how a data set is read, before a collection is begun with it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tir_agent.cli.source import (
    Data,
    Field,
    Filter,
    KeepDuplicates,
    Limit,
    Seed,
    Shuffle,
    Split,
    Subset,
    problem_source,
)
from tir_agent.cli.terminal import EXIT_MACHINERY, Progress, say
from tir_agent.console import printable
from tir_agent.grading import grade_answer
from tir_agent.kernel.choice import open_sandbox
from tir_agent.problems import Fault, ProblemSet, Refusal, check_golds, load_problems
from tir_agent.settings import KernelChoice, Limits
from tir_agent.trajectory import Grade, Problem

__all__ = ["problems"]

_FAULTS = 20
_GROUPS = 12
_EVERY = 50
"""Golds between two lines of progress."""


def problems(
    data: Data,
    split: Split = None,
    subset: Subset = None,
    field: Field = None,
    filter_: Filter = None,
    limit: Limit = None,
    shuffle: Shuffle = False,
    keep_duplicates: KeepDuplicates = False,
    seed: Seed = 0,
    head: Annotated[int, typer.Option(min=0, help="Problems that are shown.")] = 3,
    check: Annotated[
        bool, typer.Option("--check", help="See whether the grader can use each gold answer.")
    ] = False,
    kernel: Annotated[KernelChoice, typer.Option(help="Where --check grades.")] = KernelChoice.AUTO,
    json: Annotated[
        bool, typer.Option("--json", help="Print the problems on standard output, one a line.")
    ] = False,
) -> None:
    """Show how a data set is read: what was taken for what, what is wrong with it, a few problems.

    Exit status: 0; 1 if --check found golds that the grader cannot use; 2 if it cannot be read.
    """
    source = problem_source(
        data,
        split=split,
        subset=subset,
        fields=field,
        filters=filter_,
        limit=limit,
        shuffle=shuffle,
        seed=seed,
        keep_duplicates=keep_duplicates,
    )
    found = load_problems(source)
    tell = say if json else _line
    for line in [*found.guess.lines(), *_counts(found)]:
        tell(line)
    for line in _faults(found.faults):
        tell(line, "yellow")
    if json:
        for problem in found.problems:
            typer.echo(problem.model_dump_json())
    else:
        for line in _groups(found.problems):
            tell(line)
        if head:
            _console().print(_table(found.problems[:head]))
    if check:
        refusals = asyncio.run(_check(found.problems, kernel))
        for line in _refused(found.problems, refusals):
            tell(line, "yellow" if refusals else "green")
        if refusals:
            raise typer.Exit(EXIT_MACHINERY)


def _console() -> Console:
    return Console(soft_wrap=True)


def _line(text: str, style: str = "") -> None:
    _console().print(Text(printable(text), style=style), soft_wrap=True)


def _counts(found: ProblemSet) -> Iterator[str]:
    counts = found.counts
    steps = [f"{counts.rows:,} read", f"{counts.problems:,} different problems"]
    if counts.filtered != counts.problems:
        steps.append(f"{counts.filtered:,} after the filters")
    if counts.taken != counts.filtered:
        steps.append(f"{counts.taken:,} taken")
    golds = sum(problem.gold is not None for problem in found.problems)
    yield f"{', '.join(steps)}; {golds:,} with a gold answer; digest {found.digest[:16]}"


def _faults(faults: tuple[Fault, ...]) -> Iterator[str]:
    for fault in faults[:_FAULTS]:
        yield f"{fault.where}: {fault.sentence}"
    if len(faults) > _FAULTS:
        yield f"and {len(faults) - _FAULTS:,} more"


def _groups(taken: Iterable[Problem]) -> Iterator[str]:
    problems = list(taken)
    for name, values in (
        ("levels", [problem.level for problem in problems]),
        ("subjects", [problem.subject for problem in problems]),
    ):
        counts = Counter(value for value in values if value is not None)
        if counts:
            common = sorted(counts.most_common(_GROUPS), key=lambda pair: (len(pair[0]), pair[0]))
            if name == "subjects":
                common = counts.most_common(_GROUPS)
            more = f", and {len(counts) - _GROUPS:,} more" if len(counts) > _GROUPS else ""
            yield f"{name}: {', '.join(f'{value} ({count:,})' for value, count in common)}{more}"


def _table(shown: Iterable[Problem]) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    for name in ("source", "id"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("text", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("gold", no_wrap=True, overflow="ellipsis", max_width=20)
    for problem in shown:
        cells = (problem.source, problem.id, problem.text, problem.gold)
        table.add_row(*(Text(" ".join(printable(cell or "-")[:400].split())) for cell in cells))
    return table


async def _check(taken: tuple[Problem, ...], kernel: KernelChoice) -> tuple[Refusal, ...]:
    with Progress() as progress:
        progress.line("starting the sandbox")

        async with await open_sandbox(
            kernel, Limits(), pool=0, progress=progress.line, deviate=lambda text: say(text, "yellow")
        ) as sandbox:

            async def grade(problem: Problem, answer: str) -> Grade:
                return await grade_answer(sandbox, answer, problem.gold or "", rule=problem.rule)

            return await check_golds(taken, grade, progress=_told(progress, len(taken)))


def _told(progress: Progress, total: int) -> Callable[[int], None]:
    def told(done: int) -> None:
        if done % _EVERY == 0:
            progress.line(f"{done:,} of {total:,} gold answers graded")

    return told


def _refused(taken: tuple[Problem, ...], refusals: tuple[Refusal, ...]) -> Iterator[str]:
    graded = sum(problem.gold is not None for problem in taken)
    if not refusals:
        yield f"The grader can use each of the {graded:,} gold answers"
        return
    for refusal in refusals[:_FAULTS]:
        problem, grade = refusal.problem, refusal.grade
        beside = "itself" if refusal.answer == problem.gold else f"{refusal.answer}, which is wrong,"
        yield (
            f"{problem.source or problem.id}: beside {beside} {(problem.gold or '')[:80]!r} "
            f"is {grade.verdict.value}: {grade.reason}"
        )
    if len(refusals) > _FAULTS:
        yield f"and {len(refusals) - _FAULTS:,} more"
    yield f"The grader cannot use {len(refusals):,} of the {graded:,} gold answers"
