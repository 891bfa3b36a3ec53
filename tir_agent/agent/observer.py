"""What can be watched of a run while it happens. Every method may be left as it is here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tir_agent.protocols import Action
from tir_agent.settings import Sampling
from tir_agent.trajectory import Cell, Completion, Feedback, Grade, Message, StopReason, Trajectory

__all__ = ["Observer", "Observers"]


class Observer:
    """Hears of each step of one run. Must not block, and must not raise."""

    def reply_started(self, turn: int) -> None:
        """The model was asked for reply number `turn` (from 1)."""

    def requested(self, messages: Sequence[Message], sampling: Sampling, stop: Sequence[str]) -> None:
        """A request for a reply goes off, and this is what it holds; a critic's are not told of."""

    def text(self, piece: str) -> None:
        """A piece of the reply arrived."""

    def restart(self, reason: str) -> None:
        """The reply broke off and is asked for again: its pieces so far are void."""

    def replied(self, completion: Completion) -> None:
        """The request was answered."""

    def reply_failed(self, error: BaseException) -> None:
        """The request was not: the server failed, the prompt did not fit, or the run is being cancelled."""

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

    def recorded(self, trajectory: Trajectory) -> None:
        """Nothing more will come: this is the record."""


class Observers(Observer):
    """Several that hear of the same run, in the order given."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def reply_started(self, turn: int) -> None:
        for observer in self._observers:
            observer.reply_started(turn)

    def requested(self, messages: Sequence[Message], sampling: Sampling, stop: Sequence[str]) -> None:
        for observer in self._observers:
            observer.requested(messages, sampling, stop)

    def text(self, piece: str) -> None:
        for observer in self._observers:
            observer.text(piece)

    def restart(self, reason: str) -> None:
        for observer in self._observers:
            observer.restart(reason)

    def replied(self, completion: Completion) -> None:
        for observer in self._observers:
            observer.replied(completion)

    def reply_failed(self, error: BaseException) -> None:
        for observer in self._observers:
            observer.reply_failed(error)

    def reply_ended(self, action: Action) -> None:
        for observer in self._observers:
            observer.reply_ended(action)

    def cell_started(self, code: str, interrupt: Callable[[], Awaitable[None]]) -> None:
        for observer in self._observers:
            observer.cell_started(code, interrupt)

    def cell_ended(self, cell: Cell) -> None:
        for observer in self._observers:
            observer.cell_ended(cell)

    def told(self, message: Message, kinds: Sequence[Feedback]) -> None:
        for observer in self._observers:
            observer.told(message, kinds)

    def started_again(self) -> None:
        for observer in self._observers:
            observer.started_again()

    def stopped(self, reason: StopReason, answer: str | None) -> None:
        for observer in self._observers:
            observer.stopped(reason, answer)

    def graded(self, grade: Grade) -> None:
        for observer in self._observers:
            observer.graded(grade)

    def recorded(self, trajectory: Trajectory) -> None:
        for observer in self._observers:
            observer.recorded(trajectory)
