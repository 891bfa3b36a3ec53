"""Does the grader accept each gold answer as right? One that it does not can make every sample wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from tir_agent.trajectory import Grade, Problem, Verdict

__all__ = ["Refusal", "check_golds"]


@dataclass(frozen=True)
class Refusal:
    """A gold answer that was graded against itself, and was not found right."""

    problem: Problem
    grade: Grade


async def check_golds(
    problems: Iterable[Problem],
    grade: Callable[[Problem], Awaitable[Grade]],
    *,
    at_once: int = 8,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Refusal, ...]:
    """Grade every gold answer against itself; those that are refused, in the order of the problems.

    Args:
        problems: those without a gold answer are passed over.
        grade: grades the gold answer of a problem as an answer to it.
        at_once: how many are graded at the same time.
        progress: is told, after each, how many are done.

    Raises:
        whatever `grade` raises first; the others are given up then.
    """
    waiting = enumerate(problem for problem in problems if problem.gold is not None)
    refusals: dict[int, Refusal] = {}
    done = 0

    async def work() -> None:
        nonlocal done
        for number, problem in waiting:
            found = await grade(problem)
            if found.verdict is not Verdict.CORRECT:
                refusals[number] = Refusal(problem, found)
            done += 1
            progress(done)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return tuple(refusals[number] for number in sorted(refusals))
