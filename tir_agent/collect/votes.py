"""Which answers of one problem are the same: the classes that a vote counts."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from tir_agent.errors import MachineryError
from tir_agent.trajectory import GradingRule, Problem

__all__ = ["Votes"]


class Votes:
    """Sorts the answers of each problem into classes of equal ones, as they come."""

    def __init__(self, equal: Callable[[str, str, GradingRule], Awaitable[bool]]) -> None:
        """`equal` says whether two answers are the same one."""
        self._equal = equal
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
                try:
                    if await self._equal(answer, first, problem.rule):
                        return number
                except MachineryError:
                    continue
            classes.append(answer)
            return len(classes) - 1

    def forget(self, problem: Problem) -> None:
        """The problem has come to its end."""
        self._classes.pop(problem.id, None)
        self._locks.pop(problem.id, None)
