"""Writes what happens in a collection into its event log."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Callable

import tir_agent
from tir_agent.collect.event_log import EventLog
from tir_agent.collect.events import (
    Ending,
    Paused,
    Resumed,
    RunEnded,
    RunStarted,
    SampleDone,
    SampleFailed,
    SampleStarted,
    Stopping,
    WorkerLost,
)
from tir_agent.collect.listener import Listener
from tir_agent.collect.progress import Progress
from tir_agent.collect.tasks import Task
from tir_agent.store import Key
from tir_agent.trajectory import Trajectory

__all__ = ["EventListener"]


class EventListener(Listener):
    """Hears of a collection, and has it written; `say` gets a sentence of what people should know at once."""

    def __init__(self, log: EventLog, say: Callable[[str], None] = lambda sentence: None) -> None:
        self._log = log
        self._say = say
        self._attempts: Counter[Key] = Counter()
        self._workers: dict[Key, str] = {}
        self._pause_began = 0.0

    def started(self, progress: Progress) -> None:
        """This process begins to collect."""
        self._log.write(
            RunStarted(
                tir_agent=tir_agent.__version__,
                host=platform.node(),
                pid=os.getpid(),
                before=progress.before,
                expected=progress.expected,
                problems=progress.problems,
            )
        )

    def ended(self, ending: Ending, progress: Progress, message: str | None = None) -> None:
        """It ends."""
        self._log.write(
            RunEnded(
                ending=ending,
                message=message,
                done=progress.done,
                expected=progress.expected,
                correct=progress.correct,
                wrong=progress.wrong,
                ungraded=progress.ungraded,
                given_up=progress.given_up,
                completion_tokens=progress.completion_tokens,
                seconds=progress.elapsed,
            )
        )

    def given(self, task: Task, worker: str) -> None:
        """The task that was begun is with this worker."""
        self._workers[task.key] = worker

    def began(self, task: Task) -> None:
        problem, arm, index = key = task.key
        self._attempts[key] += 1
        self._log.write(SampleStarted(problem=problem, arm=arm, index=index, attempt=self._attempts[key]))

    def done(self, task: Task, trajectory: Trajectory) -> None:
        problem, arm, index = task.key
        self._log.write(
            SampleDone(
                problem=problem,
                arm=arm,
                index=index,
                attempt=self._attempts.pop(task.key, 1),
                worker=self._workers.pop(task.key, None),
                trajectory=trajectory.id,
                stop=trajectory.stop,
                verdict=trajectory.grade.verdict if trajectory.grade else None,
                turns=trajectory.usage.turns,
                cells=trajectory.usage.cells,
                completion_tokens=trajectory.usage.completion_tokens,
                seconds=trajectory.timings.duration,
                queued=trajectory.timings.queued,
            )
        )

    def failed(self, task: Task, kind: str, message: str, *, given_up: bool) -> None:
        problem, arm, index = task.key
        self._log.write(
            SampleFailed(
                problem=problem,
                arm=arm,
                index=index,
                attempt=max(self._attempts[task.key], 1),
                worker=self._workers.pop(task.key, None),
                kind=kind,
                message=message,
                again=not given_up,
            )
        )
        if given_up:
            self._say(f"Given up: problem {problem}, sample {index} of {arm} ({message})")

    def lost_worker(self, worker: str, reason: str, running: int) -> None:
        self._log.write(WorkerLost(worker=worker, reason=reason, running=running))
        self._say(f"{worker} is gone ({reason}); what it had under way, {running} samples, is begun again")

    def paused(self, reason: str) -> None:
        self._pause_began = time.monotonic()
        self._log.write(Paused(reason=reason))

    def resumed(self) -> None:
        self._log.write(Resumed(seconds=time.monotonic() - self._pause_began))

    def stopping(self, running: int) -> None:
        self._log.write(Stopping(reason="It was asked to stop", running=running))
