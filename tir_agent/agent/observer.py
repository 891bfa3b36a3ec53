"""What can be watched of a run while it happens. Every method may be left as it is here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tir_agent.protocols import Action
from tir_agent.trajectory import Cell, Feedback, Grade, Message, StopReason

__all__ = ["Observer"]


class Observer:
    """Hears of each step of one run. Must not block, and must not raise."""

    def reply_started(self, turn: int) -> None:
        """The model was asked for reply number `turn` (from 1)."""

    def text(self, piece: str) -> None:
        """A piece of the reply arrived."""

    def restart(self, reason: str) -> None:
        """The reply broke off and is asked for again: its pieces so far are void."""

    def reply_ended(self, action: Action) -> None:
        """The reply is complete and was read."""

    def cell_started(self, code: str, interrupt: Callable[[], Awaitable[None]]) -> None:
        """Code begins to run; `interrupt` raises KeyboardInterrupt in it."""

    def cell_ended(self, cell: Cell) -> None:
        """It has run."""

    def told(self, message: Message, kinds: Sequence[Feedback]) -> None:
        """The agent answered the model: `kinds` says with what, `message` holds the last of it."""

    def started_again(self) -> None:
        """The attempt ran no code and was given up; a fresh one begins."""

    def stopped(self, reason: StopReason, answer: str | None) -> None:
        """The run is at its end."""

    def graded(self, grade: Grade) -> None:
        """The answer was compared with the gold one."""
