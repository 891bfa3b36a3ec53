"""Keeps as many runs under way as there is room for, and brings every one of them into the log."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from tir_agent.collect.crew import Crew
from tir_agent.collect.listener import Listener
from tir_agent.collect.memory import free_memory
from tir_agent.collect.outage import Outage
from tir_agent.collect.progress import Progress
from tir_agent.collect.regrading import graded
from tir_agent.collect.schedule import Schedule
from tir_agent.collect.tally import Tally
from tir_agent.collect.tasks import Task
from tir_agent.collect.votes import Votes
from tir_agent.errors import MachineryError, ModelRejected, StorageError
from tir_agent.settings import Fixed, Operation, SamplePlan, Vote
from tir_agent.store import Key
from tir_agent.trajectory import Failure, StopReason, Trajectory

__all__ = ["Collector", "GaveUp", "Log"]

_LOOK: Final = 0.25
"""Seconds between looks at the clock and the memory."""
_STORAGE_PAUSE: Final = 2.0
"""Seconds between attempts to write onto a disk that refuses."""
_SERVER_IS_THERE: Final = frozenset({ModelRejected.__name__})
"""Failures of one request, that say nothing about the next one's chances."""


class GaveUp(MachineryError):
    """Nothing has worked for so long that the collection was ended. It can be resumed."""


class Log(Protocol):
    """Where trajectories go; `store.RunWriter` is one."""

    async def append(self, trajectory: Trajectory) -> None:
        """Returns when it is as safe as was asked for. Raises StorageError, and can be tried again."""

    async def append_failure(self, trajectory: Trajectory) -> None:
        """The same for a run that the machinery failed."""


class Collector:
    """One collection from its first task to its last."""

    def __init__(
        self,
        crew: Crew,
        schedule: Schedule,
        log: Log,
        plan: SamplePlan,
        operation: Operation,
        *,
        tally: Tally | None = None,
        votes: Votes | None = None,
        listener: Listener | None = None,
        memory: Callable[[], int | None] = free_memory,
    ) -> None:
        """`tally` and `votes` hold what a run that is resumed has brought before."""
        self._crew = crew
        self._schedule = schedule
        self._log = log
        self._operation = operation
        self._tally = tally or Tally()
        self._before = self._tally.done
        self._votes = (votes or Votes(crew.grade)) if isinstance(plan, Vote) else None
        self._fixed = isinstance(plan, Fixed)
        self._ended_before = schedule.problems_ended
        self._listener = listener or Listener()
        self._memory = memory
        self._outage = Outage()
        self._running: dict[asyncio.Task[None], Task] = {}
        self._retrying: set[Key] = set()
        self._stopping = False
        self._paused: str | None = None
        self._storage_trouble: str | None = None
        self._began = time.monotonic()
        self._changed = asyncio.Event()
        self._end: BaseException | None = None

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of all that happens from now on."""
        self._listener = listener

    def stop(self) -> None:
        """Begin nothing new; `run` returns when what is under way has ended."""
        if not self._stopping:
            self._stopping = True
            self._listener.stopping(len(self._running))
            self._changed.set()

    async def run(self) -> None:
        """Until every problem has what its plan wants, or `stop` was called.

        Cancelled, it drops the runs under way; nothing of them is in the log.

        Raises:
            GaveUp: nothing has worked for `operation.patience` seconds.
            ModelRejected: the server refused the first requests, as it will all others.
            StorageError: the log could not be written for as long.
        """
        try:
            while self._end is None:
                self._fill()
                if not self._running and (self._stopping or self._is_over()):
                    break
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LOOK)
            if self._end is not None:
                raise self._end
        finally:
            await self._drop()

    @property
    def progress(self) -> Progress:
        """How it stands."""
        tally, load = self._tally, self._crew.load
        elapsed = time.monotonic() - self._began
        return Progress(
            elapsed=elapsed,
            before=self._before,
            done=tally.done,
            expected=self._schedule.expected,
            problems=self._schedule.problems,
            problems_done=self._schedule.problems_ended,
            correct=tally.correct,
            wrong=tally.wrong,
            ungraded=tally.ungraded,
            answered=tally.answered,
            running=len(self._running),
            waiting_model=load.waiting_model,
            in_model=load.in_model,
            waiting_kernel=load.waiting_kernel,
            in_kernel=load.in_kernel,
            completion_tokens=tally.completion_tokens,
            tokens_per_second=tally.tokens.per_second(),
            per_minute=tally.trajectories.per_second() * 60,
            seconds_left=self._seconds_left(),
            failures=dict(tally.failures),
            retrying=len(self._retrying),
            given_up=tally.given_up,
            paused=self._paused,
            cost=tally.cost,
            currency=tally.currency,
            stopping=self._stopping,
        )

    def _seconds_left(self) -> float | None:
        if self._fixed:
            left = self._schedule.expected - self._tally.done
            pace = self._tally.trajectories.per_second()
        else:
            # How many samples an adaptive plan will draw is not known; how fast problems end is.
            left = self._schedule.problems - self._schedule.problems_ended
            pace = (self._schedule.problems_ended - self._ended_before) / (time.monotonic() - self._began)
        return left / pace if pace > 0 else None

    def _is_over(self) -> bool:
        return self._schedule.is_over

    def _fill(self) -> None:
        """Begin as many tasks as there is room for."""
        while not self._stopping and len(self._running) < self._operation.at_once:
            reason = self._reason_to_wait()
            self._pause(reason)
            if reason is not None:
                return
            task = self._schedule.next(elsewhere=self._outage.since is not None)
            if task is None:
                return
            self._outage.began(task.key)
            self._retrying.discard(task.key)
            self._listener.began(task)
            run = asyncio.create_task(self._one(task))
            self._running[run] = task
            run.add_done_callback(self._ended)

    def _reason_to_wait(self) -> str | None:
        if self._storage_trouble is not None:
            return self._storage_trouble
        now = time.monotonic()
        if not self._outage.room(len(self._running), now):
            wait = self._outage.wait(now) or 0.0
            again = f"trying again in {wait:.0f} s" if wait else "one is trying"
            return f"{self._outage.reason}: {again}"
        free = self._memory()
        # One at a time always goes, or else nothing ever would.
        if free is not None and free < self._operation.free_memory_bytes and self._running:
            return f"only {free / 2**30:.1f} GiB of memory are free"
        return None

    def _pause(self, reason: str | None) -> None:
        if reason is not None and self._paused is None:
            self._listener.paused(reason)
        elif reason is None and self._paused is not None:
            self._listener.resumed()
        self._paused = reason

    def _ended(self, run: asyncio.Task[None]) -> None:
        self._running.pop(run, None)
        self._changed.set()
        if not run.cancelled() and (error := run.exception()) is not None:
            self._end = self._end or error

    async def _one(self, task: Task) -> None:
        try:
            trajectory = await self._crew.solve(task)
        except MachineryError as error:
            self._failed(task, Failure(kind=type(error).__name__, message=error.message, hint=error.hint))
        except Exception as error:
            self._failed(task, Failure(kind=type(error).__name__, message=str(error)))
        else:
            if trajectory.stop is StopReason.INTERRUPTED:
                self._schedule.again(task)
            elif trajectory.stop is StopReason.ERROR:
                await self._keep(self._log.append_failure, trajectory)
                self._failed(task, trajectory.failure or Failure(kind="Unknown", message="It failed"))
            else:
                await self._done(task, await self._graded(trajectory))

    async def _graded(self, trajectory: Trajectory) -> Trajectory:
        patience = self._operation.patience
        return await graded(self._crew, trajectory, patience=patience, stopping=lambda: self._stopping)

    async def _done(self, task: Task, trajectory: Trajectory) -> None:
        votes_for = None
        if self._votes is not None:
            votes_for = await self._votes.cast(task.problem, trajectory.answer)
        await self._keep(self._log.append, trajectory)
        self._outage.succeeded(task.key)
        self._tally.add(trajectory)
        verdict = trajectory.grade.verdict if trajectory.grade else None
        ended = self._schedule.done(task, verdict, votes_for)
        if ended and self._votes is not None:
            self._votes.forget(task.problem)
        self._listener.done(task, trajectory)

    async def _keep(self, append: Callable[[Trajectory], Awaitable[None]], trajectory: Trajectory) -> None:
        """Write, and where the disk refuses, wait for room: what is made is not thrown away."""
        since: float | None = None
        while True:
            try:
                await append(trajectory)
            except StorageError as error:
                now = time.monotonic()
                since = since or now
                if now - since > self._operation.patience or self._stopping:
                    raise
                self._storage_trouble = error.message
                self._pause(error.message)
                await asyncio.sleep(_STORAGE_PAUSE)
            else:
                if since is not None:
                    self._storage_trouble = None
                    self._changed.set()
                return

    def _failed(self, task: Task, failure: Failure) -> None:
        self._tally.failures[failure.kind] += 1
        refused = failure.kind in _SERVER_IS_THERE
        if refused and not self._outage.ever_succeeded and self._tally.done == self._before:
            self._end = ModelRejected(failure.message, hint=failure.hint)
        own = self._outage.failed(task.key, failure.message, time.monotonic(), machine=not refused)
        given_up = own > self._operation.retries
        self._listener.failed(task, failure.kind, failure.message, given_up=given_up)
        if given_up:
            self._outage.forget(task.key)
            self._tally.given_up += 1
            self._schedule.lost(task)
        else:
            self._retrying.add(task.key)
            self._schedule.again(task)
        lasted = self._outage.lasted(time.monotonic())
        # Others that are still under way may yet succeed, and if not, the last of them comes by here too.
        if lasted > self._operation.patience and len(self._running) <= 1:
            self._end = self._end or GaveUp(
                f"Nothing has worked for {lasted:.0f} seconds: {self._outage.reason}",
                hint="Mend it and give the same command again: the run goes on where it stopped",
            )

    async def _drop(self) -> None:
        """End what is under way."""
        for run in self._running:
            run.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
