"""Who carries out the tasks: what the collector asks of them, on one machine or on many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tir_agent.collect.tasks import Task
from tir_agent.errors import MachineryError
from tir_agent.trajectory import Grade, GradingRule, Trajectory

__all__ = ["Crew", "CrewLoad", "WorkerLost"]


class WorkerLost(MachineryError):
    """Whoever had the task is gone, and with it all that was done of it."""


@dataclass(frozen=True)
class CrewLoad:
    """What the runs under way are doing."""

    waiting_model: int = 0
    """Waiting for a turn to ask the model."""
    in_model: int = 0
    waiting_kernel: int = 0
    """Waiting for a kernel, or for a processor to run a cell."""
    in_kernel: int = 0

    def __add__(self, other: CrewLoad) -> CrewLoad:
        return CrewLoad(
            self.waiting_model + other.waiting_model,
            self.in_model + other.in_model,
            self.waiting_kernel + other.waiting_kernel,
            self.in_kernel + other.in_kernel,
        )


class Crew(Protocol):
    """Carries out tasks, many at once. Its owner closes it."""

    @property
    def load(self) -> CrewLoad:
        """What is going on."""

    async def solve(self, task: Task) -> Trajectory:
        """Make the task's trajectory.

        What the machinery failed at during the run is in the trajectory (`stop` is ERROR).

        Raises:
            WorkerLost: whoever had it is gone; no trajectory was made.
            MachineryError: the run could not be begun.
        """

    async def grade(self, answer: str, gold: str, rule: GradingRule) -> Grade:
        """Compare two answers.

        Raises:
            SandboxError: the sandbox went away, or there is none.
        """

    async def close(self) -> None:
        """End everything it started. Idempotent."""
