"""One node's part of a collection: a local crew in a process of its own, which Ray calls an actor.

Nothing of Ray is imported here. Everything that goes in or out is `ray_wire`'s JSON, and what fails is said
in it: an exception that leaves a method is a mistake in this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tir_agent.collect.local import LocalCrew, Surroundings
from tir_agent.collect.ray_wire import Outcome, Outfit, Question, Report, TaskLine, failure_of
from tir_agent.costs import PriceTable
from tir_agent.models.cache import CapabilityCache
from tir_agent.store.encoding import encoded

__all__ = ["RayWorker"]


class RayWorker:
    """Owns its node's sandbox and the clients of its models. All methods may run at the same time."""

    def __init__(self) -> None:
        self._crew: LocalCrew | None = None
        self._under_way: dict[int, asyncio.Task[Outcome]] = {}
        self._dropped: set[int] = set()
        self._notes: list[str] = []
        self._progress: str | None = None

    async def open(self, number: int, outfit: bytes, crews: int) -> bytes:
        """Start what an `Outfit` wants; an `Outcome` with a failure, or with nothing. To be called once."""
        return await self._answer(number, lambda: self._open(Outfit.model_validate_json(outfit), crews))

    async def solve(self, number: int, task: bytes) -> bytes:
        """The `Outcome` of a `TaskLine`: a trajectory, or a failure."""
        return await self._answer(number, lambda: self._solve(TaskLine.model_validate_json(task)))

    async def grade(self, number: int, question: bytes) -> bytes:
        """The `Outcome` of a `Question`: a grade, or a failure."""
        return await self._answer(number, lambda: self._grade(Question.model_validate_json(question)))

    async def drop(self, number: int) -> None:
        """Cancel the call of this number, whether it has come or is yet to come."""
        if (call := self._under_way.get(number)) is not None:
            call.cancel()
        else:
            self._dropped.add(number)

    async def share(self, crews: int) -> None:
        """See `LocalCrew.share`."""
        if self._crew is not None:
            self._crew.share(crews)

    async def report(self) -> bytes:
        """A `Report`."""
        load = self._crew.load if self._crew is not None else None
        notes, self._notes = self._notes, []
        return encoded(Report(**(vars(load) if load else {}), notes=tuple(notes), progress=self._progress))

    async def close(self) -> None:
        """End what is under way, the models and the sandbox. Idempotent."""
        calls = list(self._under_way.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        crew, self._crew = self._crew, None
        if crew is not None:
            await crew.close()

    async def _answer(self, number: int, call: Callable[[], Awaitable[Outcome]]) -> bytes:
        """In a task of its own, so that it can be cancelled by its number."""
        if number in self._dropped:
            self._dropped.remove(number)
            return encoded(Outcome())
        work = self._under_way[number] = asyncio.create_task(_outcome(call))
        try:
            await asyncio.wait({work})
        finally:
            del self._under_way[number]
        # Whoever had it cancelled does not listen any more.
        return encoded(Outcome() if work.cancelled() else work.result())

    async def _open(self, outfit: Outfit, crews: int) -> Outcome:
        # This process is a worker's alone. Where there is no such folder, no path leads there either.
        with contextlib.suppress(OSError):
            os.chdir(outfit.folder)
        with tempfile.TemporaryDirectory(prefix="tir-prompts-") as folder:
            self._crew = await LocalCrew.open(
                outfit.unpack_prompts(Path(folder)),
                outfit.operation,
                Surroundings(
                    secrets=lambda variable: outfit.keys.get(variable or ""),
                    prices=PriceTable(outfit.shipped_prices, outfit.own_prices),
                    cache=CapabilityCache(outfit.cache) if outfit.cache else None,
                    progress=self._hear,
                    deviate=self._note,
                    crews=crews,
                    grades=outfit.grades,
                ),
            )
        self._progress = None
        return Outcome()

    async def _solve(self, line: TaskLine) -> Outcome:
        assert self._crew is not None
        return Outcome(trajectory=await self._crew.solve(line.task))

    async def _grade(self, question: Question) -> Outcome:
        assert self._crew is not None
        return Outcome(grade=await self._crew.grade(question.answer, question.gold, question.rule))

    def _hear(self, line: str) -> None:
        self._progress = line

    def _note(self, sentence: str) -> None:
        self._notes.append(sentence)


async def _outcome(call: Callable[[], Awaitable[Outcome]]) -> Outcome:
    try:
        return await call()
    except Exception as error:
        return Outcome(failure=failure_of(error))
