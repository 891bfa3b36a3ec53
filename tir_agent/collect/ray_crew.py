"""The crew on a Ray cluster: a worker on each node, the scheduler and the log here.

Covered: nodes that come and go, workers that die, servers' limits parted among the nodes. Not covered: the
death of the driver or of Ray's head node. The log holds what was done by then, and the same command goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Final, Self, TypeVar

from tir_agent.collect.crew import CrewLoad, WorkerLost
from tir_agent.collect.local import Surroundings
from tir_agent.collect.ray_nodes import Member, Node, RayCluster
from tir_agent.collect.ray_wire import Outcome, Outfit, Question, TaskLine, error_of
from tir_agent.collect.tasks import Task
from tir_agent.errors import MachineryError, SandboxLost, TirError, UsageError
from tir_agent.settings import Operation, Recipe
from tir_agent.store.encoding import encoded
from tir_agent.trajectory import Grade, GradingRule, Trajectory

__all__ = ["NoWorkers", "RayCrew"]

_LOOK: Final = 2.0
"""Seconds between looks at who is there."""
_SILENCE: Final = 120.0
"""Seconds without an answer after which a worker is given up."""
_LONGEST: Final = 60.0
"""Seconds from one attempt on a node to the next, where its workers die or do not start."""


_Heard = TypeVar("_Heard")


class NoWorkers(MachineryError):
    """There is no node that could be given anything."""


@dataclass
class _Tries:
    """How a node's workers have fared."""

    failures: int = 0
    """Since one of them last brought something."""
    next: float = 0.0
    """When the next may be started."""

    def failed(self) -> None:
        self.next = time.monotonic() + min(2.0**self.failures - 1, _LONGEST)
        self.failures += 1


class RayCrew:
    """Runs tasks on all nodes of a cluster. Made by `open`."""

    def __init__(self, cluster: RayCluster, outfit: Outfit, surroundings: Surroundings) -> None:
        self._cluster = cluster
        self._at_once = outfit.operation.at_once
        self._outfit = encoded(outfit)
        self._surroundings = surroundings
        self._members: dict[str, Member] = {}
        """By node: those at work, and those that are being opened."""
        self._tries: dict[str, _Tries] = {}
        self._first_failure: TirError | None = None
        self._works: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._told: set[str] = set()

    @classmethod
    async def open(
        cls,
        recipe: Recipe,
        operation: Operation,
        surroundings: Surroundings | None = None,
        *,
        address: str | None = None,
    ) -> Self:
        """Join the cluster (see `RayCluster.connect`) and start a worker on each node; returns when one is
        ready, and the others follow.

        Raises:
            UsageError: Ray is not installed; or a prompt, a model or an address is not what it should be.
            MachineryError: there is no such cluster, or no node can start what is needed.
        """
        surroundings = surroundings or Surroundings()
        if surroundings.observer is not None or surroundings.opener is not None:
            raise UsageError("Steps of runs on other machines cannot be followed", hint="Leave out --trace")
        outfit = Outfit.pack(recipe, operation, surroundings)
        loop, deviate = asyncio.get_running_loop(), surroundings.deviate
        cluster = await asyncio.to_thread(
            RayCluster.connect, address, lambda sentence: _later(loop, deviate, sentence)
        )
        crew = cls(cluster, outfit, surroundings)
        try:
            await crew._begin()
        except BaseException:
            await crew.close()
            raise
        return crew

    @property
    def load(self) -> CrewLoad:
        """What is going on, as the workers last said."""
        return reduce(add, (member.load for member in self._members.values()), CrewLoad())

    async def solve(self, task: Task) -> Trajectory:
        """See `Crew.solve`. Raises NoWorkers where there is nobody to give it to."""
        line = encoded(TaskLine.of(task))
        member = await self._free()
        member.tasks += 1
        self._surroundings.given(task, member.node.name)
        try:
            outcome = await self._heard(member, member.solve(line))
        finally:
            member.tasks -= 1
            self._changed.set()
        if outcome.trajectory is None:
            raise _failure(outcome, member)
        self._tries.pop(member.node.id, None)
        return outcome.trajectory

    async def grade(self, answer: str, gold: str, rule: GradingRule) -> Grade:
        """See `Crew.grade`."""
        question = encoded(Question(answer=answer, gold=gold, rule=rule))
        while (ready := self._ready()) or any(not member.ready for member in self._members.values()):
            if not ready:
                await self._change()
                continue
            member = min(ready, key=lambda one: (one.gradings, one.tasks))
            member.gradings += 1
            try:
                outcome = await self._heard(member, member.grade(question))
            except WorkerLost:
                continue
            finally:
                member.gradings -= 1
            if outcome.grade is None:
                raise _failure(outcome, member)
            return outcome.grade
        raise SandboxLost("No node of the Ray cluster is left that could grade an answer")

    async def close(self) -> None:
        """End all workers and what they started; leave the cluster. Idempotent."""
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
        members, self._members = list(self._members.values()), {}
        await asyncio.gather(*(member.close() for member in members))
        await asyncio.to_thread(self._cluster.leave)

    async def _begin(self) -> None:
        await self._look()
        if not self._members:
            raise NoWorkers("No node of the Ray cluster takes work", hint="Nodes with --num-cpus 0 do not")
        while not self._ready():
            if not self._members:
                raise self._first_failure or NoWorkers("No node of the Ray cluster could begin")
            await self._change()
        # Not before: nodes that fail would be asked again for as long as others have yet to fail.
        self._spawn(self._watch())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            # What fails now is tried again at the next look, and by then the tasks tell of it too.
            with contextlib.suppress(MachineryError):
                await self._look()

    async def _look(self) -> None:
        """See who is there: say farewell to those who are not, and have those begin who are new."""
        nodes = {node.id: node for node in await asyncio.to_thread(self._cluster.nodes)}
        for member in list(self._members.values()):
            if member.node.id not in nodes:
                self._lose(member, "its node has left the cluster")
        now = time.monotonic()
        missing = [node for node in nodes.values() if node.id not in self._members]
        new = [node for node in missing if now >= self._tries.get(node.id, _Tries()).next]
        for node in new:
            member = self._members[node.id] = self._cluster.start(node, self._at_once)
            self._spawn(self._listen(member))
            self._spawn(self._open(member))
        if new:
            self._part()

    async def _open(self, member: Member) -> None:
        try:
            outcome = await member.open(self._outfit, len(self._members))
        except MachineryError as error:
            self._refused(member, error)
        else:
            if outcome.failure is not None:
                self._refused(member, error_of(outcome.failure, member.node.name))
            elif member.lost is None:
                member.began = True
                self._part()
                self._changed.set()

    def _refused(self, member: Member, error: TirError) -> None:
        """A node cannot begin: the others go on without it, and it is asked again later."""
        self._first_failure = self._first_failure or error
        self._say(member.node, f"cannot take part: {error.message}")
        self._tries.setdefault(member.node.id, _Tries()).failed()
        self._remove(member, "it could not begin")

    async def _listen(self, member: Member) -> None:
        """Ask it again and again how it stands, for as long as it is there."""
        while member.lost is None:
            try:
                report = await self._heard(member, member.report(_SILENCE))
            except TimeoutError:
                self._lose(member, f"it has not answered for {_SILENCE:.0f} seconds")
            except MachineryError:
                return
            else:
                for note in report.notes:
                    self._say(member.node, note)
                if report.progress is not None and not member.ready:
                    self._surroundings.progress(f"{member.node.name}: {report.progress}")
                await asyncio.sleep(_LOOK)

    async def _heard(self, member: Member, call: Awaitable[_Heard]) -> _Heard:
        """The call's result; where it tells that the member is gone, all others hear of it."""
        try:
            return await call
        except WorkerLost as error:
            self._lose(member, member.lost or error.message)
            raise

    def _lose(self, member: Member, reason: str) -> None:
        if self._members.get(member.node.id) is not member:
            return
        if member.began:
            self._surroundings.lost(member.node.name, reason, member.tasks)
        self._tries.setdefault(member.node.id, _Tries()).failed()
        self._remove(member, reason)

    def _remove(self, member: Member, reason: str) -> None:
        self._members.pop(member.node.id, None)
        member.end(reason)
        self._part()
        self._changed.set()

    def _part(self) -> None:
        """The servers' limits are for all nodes together, those among them that are being opened."""
        for member in self._ready():
            self._spawn(self._share(member, len(self._members)))

    async def _share(self, member: Member, crews: int) -> None:
        # One that does not answer is found out by its reports.
        with contextlib.suppress(MachineryError, TimeoutError):
            await member.share(crews)

    def _ready(self) -> list[Member]:
        return [member for member in self._members.values() if member.ready]

    async def _free(self) -> Member:
        """Who has the fewest runs, and room for one more; those that are being opened are waited for."""
        while self._members:
            # Those to come have their share too, or else the first one ready would be given everything.
            share = -(-self._at_once // len(self._members))
            if free := [member for member in self._ready() if member.tasks < share]:
                return min(free, key=lambda member: member.tasks)
            await self._change()
        raise NoWorkers("No node of the Ray cluster is left")

    async def _change(self) -> None:
        """Until something may have changed. Many may wait."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), _LOOK)

    def _say(self, node: Node, sentence: str) -> None:
        # A node that comes again says the same again; that is heard once.
        text = f"{node.name}: {sentence}"
        if text not in self._told:
            self._told.add(text)
            self._surroundings.deviate(text)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)


def _later(loop: asyncio.AbstractEventLoop, say: Callable[[str], None], sentence: str) -> None:
    """Out of another thread."""
    loop.call_soon_threadsafe(say, sentence)


def _failure(outcome: Outcome, member: Member) -> TirError:
    if outcome.failure is None:
        return WorkerLost(f"{member.node.name} dropped it")
    return error_of(outcome.failure, member.node.name)
