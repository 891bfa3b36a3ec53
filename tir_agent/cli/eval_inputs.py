"""From runs on disk to their rows: read once, scored by the reward as they pass, answers put in clusters."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from tir_agent.cli.terminal import say
from tir_agent.errors import RunError
from tir_agent.evaluate.clusters import AskedOnce, cluster
from tir_agent.evaluate.results import Intake, Result
from tir_agent.evaluate.rewards import Reward, candidate
from tir_agent.grades import EQUALITY, GradingRule
from tir_agent.grading import equal
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice, Limits
from tir_agent.store import Fault, RunReader
from tir_agent.trajectory import Trajectory

__all__ = ["Run", "clustered", "different_answers", "read_runs", "sandbox_equality"]

RuledEqual = Callable[[str, str, GradingRule], Awaitable[bool | None]]
"""Whether two answers to a problem with this rule are the same; None where it cannot be told."""
Clusters = dict[tuple[str, str, int], int | None]
AT_ONCE = 8
"""Comparisons under way in the sandbox."""
_BATCH = 64


@dataclass
class Run:
    """The rows of one run."""

    name: str
    results: list[Result]
    duplicates: int = 0

    def by_arm(self) -> list[Run]:
        """A run for each arm."""
        arms = sorted({result.arm for result in self.results})
        return [Run(arm, [one for one in self.results if one.arm == arm]) for arm in arms]


async def read_runs(paths: Sequence[Path], reward: Reward | None, grades: str | None = None) -> list[Run]:
    """Every run with its rewards; with the grades that the grader `grades` gave later, where one is named.

    Raises:
        RunError: one is not there, or empty.
        StorageError: a file cannot be read.
        MachineryError, DataError: see `Reward`.
    """
    names = [path.resolve().name if path.is_dir() else path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    return [await _read(path, name, reward, grades) for path, name in zip(paths, names, strict=True)]


async def _read(path: Path, name: str, reward: Reward | None, grades: str | None) -> Run:
    intake, faults = Intake(), Counter[str]()

    def skipped(fault: Fault) -> None:
        faults[str(fault)] += 1

    reader = RunReader.open(path)
    if grades is not None:
        reader = reader.merge_grades(grades)
    trajectories = reader.trajectories(skipped)
    if reward is None:
        intake.extend(trajectories)
    else:
        while batch := list(islice(trajectories, _BATCH)):
            await _scored(intake, batch, reward)
    for failed in reader.failures():
        intake.add_failure(failed)
    if not intake.results:
        raise RunError(f"There are no trajectories in {path}")
    if faults:
        first = next(iter(faults))
        say(f"{faults.total()} lines of {path} were skipped; the first: {first}", "yellow")
    return Run(name, intake.results, intake.duplicates)


async def _scored(intake: Intake, trajectories: Sequence[Trajectory], reward: Reward) -> None:
    rewards = await reward.score([candidate(one) for one in trajectories])
    for trajectory, value in zip(trajectories, rewards, strict=True):
        intake.add(trajectory, reward=value)


def different_answers(runs: Iterable[Run]) -> bool:
    """Whether some problem has answers of different text: only then is there something to ask."""
    seen: dict[str, str] = {}
    return any(
        seen.setdefault(result.problem, result.answer.strip()) != result.answer.strip()
        for run in runs
        for result in run.results
        if result.scored and result.answer is not None
    )


async def clustered(
    runs: Sequence[Run], same: RuledEqual | None, progress: Callable[[str], None]
) -> tuple[list[Clusters], int]:
    """The cluster of every scored answer, and the comparisons that came to nothing.

    The answers of all runs to one problem are compared together, so that no pair is asked about twice.
    """
    problems: dict[str, list[tuple[int, Result]]] = {}
    for number, run in enumerate(runs):
        for result in sorted(run.results, key=lambda one: (one.index, one.arm)):
            if result.scored:
                problems.setdefault(result.problem, []).append((number, result))
    found: list[Clusters] = [{} for _ in runs]
    places = asyncio.Semaphore(AT_ONCE)
    workers = asyncio.Semaphore(2 * AT_ONCE)
    unknown = done = 0

    async def one(rows: list[tuple[int, Result]]) -> None:
        nonlocal unknown, done
        asked = (
            None if same is None else AskedOnce(partial(_ruled, same, rows[0][1].rule or EQUALITY), places)
        )
        async with workers:
            numbers = await cluster([result.answer for _, result in rows], asked)
        for (run, result), number in zip(rows, numbers, strict=True):
            found[run][result.key] = number
        unknown += 0 if asked is None else asked.unknown
        done += 1
        if done % 100 == 0:
            progress(f"comparing answers: {done:,} of {len(problems):,} problems")

    try:
        async with asyncio.TaskGroup() as group:
            for rows in problems.values():
                group.create_task(one(rows))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return found, unknown


async def _ruled(same: RuledEqual, rule: GradingRule, one: str, other: str) -> bool | None:
    return await same(one, other, rule)


@asynccontextmanager
async def sandbox_equality(
    kernel: KernelChoice, progress: Callable[[str], None]
) -> AsyncIterator[RuledEqual]:
    """The grader's equality, asked of a sandbox that is there for so long.

    Raises:
        SandboxUnavailable: it cannot be started.
    """
    async with await open_sandbox(kernel, Limits(), pool=0, progress=progress) as sandbox:
        yield lambda one, other, rule: equal(sandbox, one, other, rule=rule)
