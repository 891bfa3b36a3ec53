"""Can the grader use each gold answer? One that it cannot read makes every sample wrong or ungradable.

That a gold answer is right beside itself says little: equal texts are right, read or not. So each is
also graded against an answer that is nobody's, which must be wrong: where the gold answer cannot be
read, the verdict is another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tir_agent.trajectory import Grade, Problem, Verdict

__all__ = ["Refusal", "check_golds"]

_NOBODYS: Final = "-7654321.123"


@dataclass(frozen=True)
class Refusal:
    """A gold answer that the grader cannot use."""

    problem: Problem
    answer: str
    """What it was compared with: itself, or an answer that is certainly wrong."""
    grade: Grade


async def check_golds(
    problems: Iterable[Problem],
    grade: Callable[[Problem, str], Awaitable[Grade]],
    *,
    at_once: int = 8,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Refusal, ...]:
    """Grade every gold answer against itself and against a wrong answer.

    Args:
        problems: those without a gold answer are passed over.
        grade: grades an answer to a problem.
        at_once: how many problems are looked at at the same time.
        progress: is told, after each, how many are done.

    Returns:
        Those whose gold answer is not right beside itself, or not beside it alone, in their order.

    Raises:
        whatever `grade` raises first; the others are given up then.
    """
    waiting = enumerate(problem for problem in problems if problem.gold is not None)
    refusals: dict[int, Refusal] = {}
    done = 0

    async def work() -> None:
        nonlocal done
        for number, problem in waiting:
            refusal = await _refusal(problem, problem.gold or "", grade)
            if refusal is not None:
                refusals[number] = refusal
            done += 1
            progress(done)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return tuple(refusals[number] for number in sorted(refusals))


async def _refusal(
    problem: Problem, gold: str, grade: Callable[[Problem, str], Awaitable[Grade]]
) -> Refusal | None:
    for answer, expected in ((gold, Verdict.CORRECT), (_NOBODYS, Verdict.WRONG)):
        found = await grade(problem, answer)
        if found.verdict is not expected:
            return Refusal(problem, answer, found)
    return None
