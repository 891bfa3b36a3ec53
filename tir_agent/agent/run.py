"""One run while it is under way: what has happened so far, and the record that it becomes."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from tir_agent.costs import Price, cost
from tir_agent.errors import TirError
from tir_agent.prompts import Prompt
from tir_agent.protocols import Action
from tir_agent.settings import RunSettings
from tir_agent.trajectory import (
    Cell,
    Completion,
    Environment,
    ExecutionStatus,
    Failure,
    Feedback,
    Grade,
    Message,
    Origin,
    Problem,
    Role,
    StopReason,
    Timings,
    Trajectory,
    Turn,
    Usage,
)

__all__ = ["CHARS_PER_TOKEN", "Run"]

CHARS_PER_TOKEN = 3
"""For text that no server has counted yet. Cautious: English has about 4, code and digits fewer."""


class Run:
    """Grows by one turn after the other; `record` gives the trajectory at any time."""

    def __init__(
        self,
        problem: Problem,
        prompt: Prompt,
        settings: RunSettings,
        environment: Environment,
        price: Price | None = None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.problem = problem
        self.messages: list[Message] = prompt.opening(problem)
        self.turns: list[Turn] = []
        self.stop: StopReason | None = None
        self.answer: str | None = None
        self.grade: Grade | None = None
        self.failure: Failure | None = None
        self.notes: list[str] = []
        self.last_turn_for: StopReason | None = None
        """The budget that is nearly gone: the coming turn is the last."""
        self.nudged = False
        self.context_tokens = sum(map(_estimate, self.messages))
        self.model_tokens = 0
        self.errors_in_a_row = 0
        self.model_seconds = 0.0
        self.kernel_seconds = 0.0
        self._prompt_tokens = 0
        self._codes: Counter[str] = Counter()
        self._prompt = prompt.identity
        self._settings = settings
        self._environment = environment
        self._price = price
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._clock

    @property
    def most_repeats(self) -> int:
        """How often the most repeated code was run."""
        return max(self._codes.values(), default=0)

    @contextmanager
    def model_time(self) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.model_seconds += time.monotonic() - start

    @contextmanager
    def kernel_time(self) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.kernel_seconds += time.monotonic() - start

    def add_reply(self, completion: Completion, action: Action, answer: str | None) -> None:
        """The model's reply, before its code has run: saved even if the run is stopped meanwhile."""
        self.turns.append(Turn(completion=completion, kept=action.kept, answer=answer))
        kept = completion.text[: action.kept]
        self.messages.append(Message.of(Role.ASSISTANT, (kept, Origin.MODEL)))
        self.model_tokens += completion.completion_tokens
        self._prompt_tokens += completion.prompt_tokens
        self.context_tokens = completion.prompt_tokens + completion.completion_tokens

    def add_cell(self, cell: Cell) -> None:
        """A cell of the newest reply, and what came of it."""
        self._amend(cells=(*self.turns[-1].cells, cell))
        if cell.execution.status is not ExecutionStatus.REFUSED:
            self._codes["\n".join(line.rstrip() for line in cell.code.strip().splitlines())] += 1

    def end_cells(self, *, malformed: bool) -> None:
        """All cells of the newest reply have run: count it as a failed one, or not."""
        statuses = [cell.execution.status for cell in self.turns[-1].cells]
        if statuses or malformed:
            failed = malformed or any(status is not ExecutionStatus.OK for status in statuses)
            self.errors_in_a_row = self.errors_in_a_row + 1 if failed else 0

    def tell(self, kinds: Sequence[Feedback], pieces: Sequence[tuple[str, Origin]]) -> Message:
        """Answer the model."""
        message = Message.of(Role.USER, *pieces)
        self.messages.append(message)
        self._amend(feedback=tuple(kinds))
        self.context_tokens += _estimate(message)
        return message

    def fail(self, error: Exception) -> None:
        """The machinery failed: an answer given before that stands, anything else is void."""
        message, hint = (error.message, error.hint) if isinstance(error, TirError) else (str(error), None)
        self.failure = Failure(kind=type(error).__name__, message=message, hint=hint)
        if self.stop is None:
            self.stop = StopReason.ERROR

    def record(self) -> Trajectory:
        """The run as it stands. A run without a stop reason counts as interrupted."""
        replies = [turn.completion for turn in self.turns]
        return Trajectory(
            id=self.id,
            problem=self.problem,
            messages=tuple(self.messages),
            turns=tuple(self.turns),
            stop=self.stop or StopReason.INTERRUPTED,
            answer=self.answer,
            grade=self.grade,
            failure=self.failure,
            notes=tuple(self.notes),
            settings=self._settings,
            prompt=self._prompt,
            environment=self._environment,
            usage=Usage(
                turns=len(self.turns),
                cells=sum(len(turn.cells) for turn in self.turns),
                completion_tokens=self.model_tokens,
                prompt_tokens=self._prompt_tokens,
                context_tokens=self.context_tokens,
                cached_tokens=sum(reply.cached_tokens for reply in replies),
                reasoning_tokens=sum(reply.reasoning_tokens for reply in replies),
                cost=cost(self._price, replies) if self._price else None,
            ),
            timings=Timings(
                started=self._started,
                duration=self.seconds,
                model=self.model_seconds,
                kernel=self.kernel_seconds,
            ),
        )

    def _amend(self, **changes: object) -> None:
        self.turns[-1] = self.turns[-1].model_copy(update=changes)


def _estimate(message: Message) -> int:
    return -(-len(message.content) // CHARS_PER_TOKEN)
