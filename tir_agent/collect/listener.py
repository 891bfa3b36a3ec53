"""What can be heard of a collection while it happens. Every method may be left as it is here."""

from __future__ import annotations

from tir_agent.collect.tasks import Task
from tir_agent.trajectory import Trajectory

__all__ = ["Listener"]


class Listener:
    """Must not block, and must not raise."""

    def began(self, task: Task) -> None:
        """A sample is begun."""

    def done(self, task: Task, trajectory: Trajectory) -> None:
        """Its trajectory is in the log, as safely as the storage's settings say."""

    def failed(self, task: Task, kind: str, message: str, *, given_up: bool) -> None:
        """The machinery failed over it; it is tried again, unless it is given up."""

    def paused(self, reason: str) -> None:
        """Nothing new is begun for now."""

    def resumed(self) -> None:
        """The pause is over."""

    def stopping(self, running: int) -> None:
        """It was asked to stop; what runs is waited for."""
