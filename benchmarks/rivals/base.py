"""What `kernel_speed.py` asks of everything it measures, tir-agent's own sandboxes included."""

from __future__ import annotations

from typing import Protocol

__all__ = ["SECONDS", "NotMeasured", "Program", "Rival"]

SECONDS = 120.0
"""Deadline of every single wait: far above all that is measured, so that a machine under load passes."""


class NotMeasured(Exception):
    """A system cannot run here; the message says why, in words for the report."""


class Program(Protocol):
    """One open session."""

    async def run(self, code: str) -> str:
        """Run a cell and return what it printed.

        Raises:
            NotMeasured: it did not come to its end, or failed.
        """

    async def close(self) -> None:
        """End it and everything it started. Idempotent."""


class Rival(Protocol):
    """A way to run a model's programs."""

    name: str
    isolation: str
    """What a program is kept away from, in a few words."""
    keeps_state: bool
    """Whether a second cell sees the variables of the first. If not, a session is one program."""
    refills: bool
    """Whether it goes on working after a session was handed out, so that the next measurement must wait."""

    async def start(self) -> None:
        """Do what is done once, ahead of all sessions; not measured.

        Raises:
            NotMeasured: it cannot run here.
        """

    async def open(self) -> Program:
        """Start a fresh session."""

    async def close(self) -> None:
        """End everything. Idempotent, also after a `start` that failed."""
