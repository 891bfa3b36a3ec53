"""One process's part in a collection: from the recipe to the folder, new or resumed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tir_agent.collect.arms import check_arms, prompt_of
from tir_agent.collect.collector import Collector
from tir_agent.collect.crew import Crew
from tir_agent.collect.plans import needs_golds
from tir_agent.collect.schedule import Schedule
from tir_agent.collect.tally import Tally
from tir_agent.collect.votes import Votes
from tir_agent.errors import DataError, RunError
from tir_agent.problems import ProblemSet, Refusal, check_golds, load_problems
from tir_agent.settings import Operation, Recipe, Vote
from tir_agent.store import ArmPrompt, Draft, RunReader, RunWriter
from tir_agent.store.layout import Layout
from tir_agent.store.lock import RunLock
from tir_agent.trajectory import Grade, Problem

__all__ = ["Session", "Sifted", "check_unwritten", "draft_of", "is_run", "load", "open_session", "sift"]


@dataclass(frozen=True)
class Sifted:
    """Problems that are to be sampled, and those that are left out."""

    problems: tuple[Problem, ...]
    refused: tuple[Refusal, ...] = ()
    """Their gold answers are not accepted as answers by the grader."""
    no_gold: tuple[Problem, ...] = ()
    """They have no gold answer, and the plan needs one."""


def is_run(folder: Path) -> bool:
    """Whether a run was begun there."""
    return (folder / "run.json").is_file()


def check_unwritten(folder: Path) -> None:
    """Find out that another process writes the run there before anything is started for it.

    One that begins later is found by `open_session`.

    Raises:
        RunError: one does, or `folder` is a file.
        StorageError: it cannot be found out.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, not the folder of a run", hint="Name another with --out")
    lock = RunLock.share(Layout(folder).lock)
    if lock is not None:
        lock.close()


def load(recipe: Recipe, operation: Operation) -> ProblemSet:
    """The problems; also finds mistakes in the arms and prompts. Costs nothing.

    Raises:
        UsageError: something in the recipe cannot be.
    """
    check_arms(recipe, operation)
    for arm in recipe.arms:
        prompt_of(arm)
    return load_problems(recipe.problems)


def draft_of(recipe: Recipe, operation: Operation) -> Draft:
    """What the run's folder is told of it. Raises PromptError."""
    prompts = []
    for arm in recipe.arms:
        identity = prompt_of(arm).identity
        prompts.append(ArmPrompt(arm=arm.name, name=identity.name, sha256=identity.sha256))
    return Draft(recipe=recipe, prompts=tuple(prompts), operation=operation)


async def sift(
    recipe: Recipe,
    problems: Sequence[Problem],
    crew: Crew | None,
    *,
    before: Sequence[Problem] = (),
    progress: Callable[[int], None] = lambda done: None,
) -> Sifted:
    """Leave out what cannot be sampled as the plan wants, before a token is spent.

    `crew` grades every gold answer against itself; without one they are taken at their word. `before` are
    the problems of a run that is resumed: they have passed already.

    Raises:
        DataError: nothing is left.
        MachineryError: the grader cannot be had.
    """
    passed = set(before)
    no_gold: list[Problem] = []
    refused: tuple[Refusal, ...] = ()
    if needs_golds(recipe.samples):
        no_gold = [problem for problem in problems if problem.gold is None]
    if crew is not None:
        new = [problem for problem in problems if problem not in passed]
        refused = await check_golds(new, _grader(crew), progress=progress)
    out = {problem.id for problem in no_gold} | {one.problem.id for one in refused}
    left = tuple(problem for problem in problems if problem.id not in out)
    if not left:
        raise DataError(
            f"None of the {len(problems)} problems can be sampled: {len(no_gold)} have no gold answer, "
            f"{len(refused)} have one that the grader does not accept as an answer to itself"
        )
    return Sifted(left, refused, tuple(no_gold))


def _grader(crew: Crew) -> Callable[[Problem, str], Awaitable[Grade]]:
    async def grade(problem: Problem, answer: str) -> Grade:
        assert problem.gold is not None
        return await crew.grade(answer, problem.gold, problem.rule)

    return grade


class Session:
    """A folder that is open for writing, and the collector that fills it. Made by `open_session`."""

    def __init__(self, writer: RunWriter, collector: Collector) -> None:
        self.writer = writer
        self.collector = collector

    def close(self) -> None:
        """Give the folder back. Raises StorageError if the last sync fails."""
        self.writer.close()


async def open_session(folder: Path, draft: Draft, problems: Sequence[Problem], crew: Crew) -> Session:
    """Begin the run in `folder`, or go on with it: what is in the log is counted and not made again.

    Raises:
        RunError: it is being written, was begun otherwise, or is something else.
        StorageError: the disk failed.
    """
    recipe = draft.recipe
    writer = RunWriter.open(folder, draft, problems)
    try:
        schedule, tally, votes = Schedule(recipe, problems), Tally(), Votes(crew.grade)
        by_id = {problem.id: problem for problem in problems}
        for key, outcome in writer.done.items():
            if schedule.known(key):
                voting = isinstance(recipe.samples, Vote)
                votes_for = await votes.cast(by_id[key.problem], outcome.answer) if voting else None
                schedule.restore(key, outcome.verdict, votes_for)
                tally.restore(outcome.verdict, outcome.stop)
        collector = Collector(
            crew,
            schedule,
            writer,
            recipe.samples,
            draft.operation,
            tally=tally,
            votes=votes,
        )
    except BaseException:
        writer.close()
        raise
    return Session(writer, collector)


def problems_of(folder: Path) -> tuple[Problem, ...]:
    """Those of the run that was begun there. Raises RunError, StorageError."""
    return tuple(RunReader.open(folder).problems())
