"""What a plan needs to know of a trajectory that is done, read without the rest of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import BaseModel

from tir_agent.grades import Verdict
from tir_agent.trajectory import Sample, StopReason, Trajectory

__all__ = ["Key", "Outcome", "Summary"]


class Key(NamedTuple):
    """Which sample of a collection a trajectory is."""

    problem: str
    """The problem's id."""
    arm: str
    index: int  # type: ignore[assignment]  # Hides a method of tuples, which no one asks a key for.

    def __str__(self) -> str:
        return f"problem {self.problem}, arm {self.arm}, sample {self.index}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended."""

    trajectory: str
    """Its id."""
    stop: StopReason
    answer: str | None
    verdict: Verdict | None
    """None: it was not graded."""
    completion_tokens: int
    duration: float
    """Seconds."""
    cost: float | None
    """None: the model's price is not known."""
    failure: str | None
    """What failed around the model: the name of the exception's class."""

    def graded(self, verdict: Verdict | None) -> Outcome:
        """The same with another verdict."""
        return replace(self, verdict=verdict)

    @classmethod
    def of(cls, trajectory: Trajectory) -> Outcome:
        """What would be read of it in the log."""
        return cls(
            trajectory=trajectory.id,
            stop=trajectory.stop,
            answer=trajectory.answer,
            verdict=trajectory.grade.verdict if trajectory.grade else None,
            completion_tokens=trajectory.usage.completion_tokens,
            duration=trajectory.timings.duration,
            cost=trajectory.usage.cost.amount if trajectory.usage.cost else None,
            failure=trajectory.failure.kind if trajectory.failure else None,
        )


class _Problem(BaseModel):
    id: str


class _Grade(BaseModel):
    verdict: Verdict


class _Cost(BaseModel):
    amount: float


class _Usage(BaseModel):
    completion_tokens: int
    cost: _Cost | None = None


class _Timings(BaseModel):
    duration: float


class _Failure(BaseModel):
    kind: str


class _Settings(BaseModel):
    model: str


class Summary(BaseModel):
    """A few fields of a trajectory's line. The rest is checked to be JSON and never becomes objects,
    which makes reading a log some twice as fast."""

    format: str
    version: int
    id: str
    problem: _Problem
    sample: Sample | None = None
    stop: StopReason
    answer: str | None = None
    grade: _Grade | None = None
    failure: _Failure | None = None
    settings: _Settings
    usage: _Usage
    timings: _Timings

    @property
    def key(self) -> Key | None:
        """None for a trajectory that is not part of a collection."""
        if self.sample is None:
            return None
        return Key(sys.intern(self.problem.id), sys.intern(self.sample.arm), self.sample.index)

    @property
    def outcome(self) -> Outcome:
        """What a plan needs to know of it."""
        return Outcome(
            trajectory=self.id,
            stop=self.stop,
            answer=self.answer,
            verdict=self.grade.verdict if self.grade else None,
            completion_tokens=self.usage.completion_tokens,
            duration=self.timings.duration,
            cost=self.usage.cost.amount if self.usage.cost else None,
            failure=self.failure.kind if self.failure else None,
        )
