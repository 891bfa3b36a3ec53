"""What a collection writes into its event log: one record for each thing that happens. Plain data.

`docs/observability.md` describes them. Times are UTC, durations are seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from tir_agent.messages import Record
from tir_agent.trajectory import StopReason, Verdict

__all__ = [
    "EVENTS",
    "Ending",
    "Event",
    "EventName",
    "EventsDropped",
    "Paused",
    "Resumed",
    "RunEnded",
    "RunStarted",
    "SampleDone",
    "SampleFailed",
    "SampleStarted",
    "SandboxRestarted",
    "Stopping",
    "WorkerLost",
]


class EventName(StrEnum):
    """What happened."""

    RUN_STARTED = "run_started"
    SAMPLE_STARTED = "sample_started"
    SAMPLE_DONE = "sample_done"
    SAMPLE_FAILED = "sample_failed"
    PAUSED = "paused"
    RESUMED = "resumed"
    WORKER_LOST = "worker_lost"
    SANDBOX_RESTARTED = "sandbox_restarted"
    STOPPING = "stopping"
    RUN_ENDED = "run_ended"
    EVENTS_DROPPED = "events_dropped"


class Ending(StrEnum):
    """How a collection came to its end."""

    COMPLETE = "complete"
    """Nothing is left to collect."""
    INCOMPLETE = "incomplete"
    """Some samples were given up."""
    STOPPED = "stopped"
    """It was asked to stop, and let what was under way come to its end."""
    CANCELLED = "cancelled"
    """It was stopped at once."""
    FAILED = "failed"
    """The machinery failed for too long, or this program did."""


class _Event(Record):
    """What every event has."""

    time: datetime = Field(default_factory=lambda: datetime.now(UTC))


class _OfSample(_Event):
    """What every event of one sample has."""

    problem: str
    """Its id."""
    arm: str
    index: int = Field(ge=0)
    attempt: int = Field(default=1, ge=1)
    """Which try it is; more than one where the machinery failed before."""
    worker: str | None = None
    """Where it runs; null: in the collecting process, or not given to a worker yet."""


class RunStarted(_Event):
    """A process began to collect."""

    event: Literal[EventName.RUN_STARTED] = EventName.RUN_STARTED
    tir_agent: str
    """Version."""
    host: str
    pid: int
    before: int = Field(default=0, ge=0)
    """Trajectories that are there already."""
    expected: int = Field(ge=0)
    problems: int = Field(ge=0)


class SampleStarted(_OfSample):
    """A run on a problem began."""

    event: Literal[EventName.SAMPLE_STARTED] = EventName.SAMPLE_STARTED


class SampleDone(_OfSample):
    """It ended, and its trajectory is on the disk."""

    event: Literal[EventName.SAMPLE_DONE] = EventName.SAMPLE_DONE
    trajectory: str
    """Its id."""
    stop: StopReason
    verdict: Verdict | None = None
    """Null where there is no gold answer."""
    turns: int = Field(ge=0)
    cells: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    seconds: float = Field(ge=0)
    queued: float = Field(default=0.0, ge=0)
    """Of these, spent waiting for its turn."""


class SampleFailed(_OfSample):
    """The machinery failed it; it says nothing about the model."""

    event: Literal[EventName.SAMPLE_FAILED] = EventName.SAMPLE_FAILED
    kind: str
    """Name of the exception's class."""
    message: str
    again: bool
    """It will be tried again; else it is given up until the collection is resumed."""


class Paused(_Event):
    """Nothing new is begun for the time being."""

    event: Literal[EventName.PAUSED] = EventName.PAUSED
    reason: str


class Resumed(_Event):
    """It goes on."""

    event: Literal[EventName.RESUMED] = EventName.RESUMED
    seconds: float = Field(ge=0)
    """Since the pause began."""


class WorkerLost(_Event):
    """A process or a machine that ran samples is gone."""

    event: Literal[EventName.WORKER_LOST] = EventName.WORKER_LOST
    worker: str
    reason: str
    running: int = Field(ge=0)
    """Samples that were under way there."""


class SandboxRestarted(_Event):
    """A sandbox went away and was started anew."""

    event: Literal[EventName.SANDBOX_RESTARTED] = EventName.SANDBOX_RESTARTED
    reason: str
    worker: str | None = None
    """Where; null: in the collecting process."""


class Stopping(_Event):
    """It was asked to stop, and waits for what is under way."""

    event: Literal[EventName.STOPPING] = EventName.STOPPING
    reason: str
    running: int = Field(ge=0)


class RunEnded(_Event):
    """The process stops collecting. A run that was killed has no such event."""

    event: Literal[EventName.RUN_ENDED] = EventName.RUN_ENDED
    ending: Ending
    message: str | None = None
    """What went wrong, where something did."""
    done: int = Field(ge=0)
    expected: int = Field(ge=0)
    correct: int = Field(ge=0)
    wrong: int = Field(ge=0)
    ungraded: int = Field(ge=0)
    given_up: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    seconds: float = Field(ge=0)


class EventsDropped(_Event):
    """The disk was too slow: so many events are missing here."""

    event: Literal[EventName.EVENTS_DROPPED] = EventName.EVENTS_DROPPED
    count: int = Field(ge=1)


Event = Annotated[
    RunStarted
    | SampleStarted
    | SampleDone
    | SampleFailed
    | Paused
    | Resumed
    | WorkerLost
    | SandboxRestarted
    | Stopping
    | RunEnded
    | EventsDropped,
    Field(discriminator="event"),
]

EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads one event of JSON."""
