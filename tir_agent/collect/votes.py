"""Which answers of one problem are the same: the classes that a vote counts."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from tir_agent.errors import MachineryError
from tir_agent.trajectory import Grade, GradingRule, Problem, Verdict

__all__ = ["Votes"]


class Votes:
    """Sorts the answers of each problem into classes of equal ones, as they come."""

    def __init__(self, grade: Callable[[str, str, GradingRule], Awaitable[Grade]]) -> None:
        """`grade` compares two answers; those of the same text are not given to it."""
        self._grade = grade
        self._classes: dict[str, list[str]] = defaultdict(list)
        """By problem: the first answer of each class."""
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def cast(self, problem: Problem, answer: str | None) -> int | None:
        """The number of the class that `answer` belongs to; None for no answer.

        Where the comparison fails, the answer has a class of its own: the vote goes on.
        """
        if answer is None:
            return None
        async with self._locks[problem.id]:
            classes = self._classes[problem.id]
            for number, first in enumerate(classes):
                if await self._same(answer, first, problem.rule):
                    return number
            classes.append(answer)
            return len(classes) - 1

    async def _same(self, answer: str, other: str, rule: GradingRule) -> bool:
        if answer.strip() == other.strip():
            return True
        try:
            return (await self._grade(answer, other, rule)).verdict is Verdict.CORRECT
        except MachineryError:
            return False

    def forget(self, problem: Problem) -> None:
        """The problem has come to its end."""
        self._classes.pop(problem.id, None)
        self._locks.pop(problem.id, None)
