"""One run while it is under way: what has happened so far, and the record that it becomes."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from tir_agent.agent.conversation import Part, Pieces, conversation_of
from tir_agent.agent.shortening import shorten
from tir_agent.agent.stages import Checks
from tir_agent.costs import Price, cost
from tir_agent.errors import TirError
from tir_agent.prompts import Prompt
from tir_agent.protocols import Action
from tir_agent.settings import ConversationForm, RunSettings, Sampling
from tir_agent.trajectory import (
    Attempt,
    Cell,
    Completion,
    Environment,
    ExecutionStatus,
    Failure,
    Feedback,
    Grade,
    Message,
    Problem,
    Sample,
    Shortening,
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
        sample: Sample | None = None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.problem = problem
        self._sample = sample
        self.form = prompt.conversation
        self.attempts: list[Attempt] = []
        self.stop: StopReason | None = None
        self.answer: str | None = None
        self.grade: Grade | None = None
        self.failure: Failure | None = None
        self.notes: list[str] = []
        self.window: int | None = None
        """Tokens that the model's context window has, where the server tells."""
        self.model_tokens = 0
        """Written over the whole run, given-up attempts included."""
        self.model_seconds = 0.0
        self.kernel_seconds = 0.0
        self.queued_seconds = 0.0
        """Waited for a turn, among the runs that share the machine."""
        self._prompt_tokens = 0
        self._prompt = prompt
        self._settings = settings
        self._environment = environment
        self._price = price
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._closing = ""
        self._begin(prompt.opening(problem))

    def _begin(self, opening: Sequence[Message]) -> None:
        """A fresh start."""
        self._opening = tuple(opening)
        self.conversation = conversation_of(self.form, opening, self._closing)
        self.turns: list[Turn] = []
        self.shortenings: list[Shortening] = []
        self.checks = Checks(self._settings.stages)
        self.last_turn_for: StopReason | None = None
        """The budget that is nearly gone: the coming turn is the last."""
        self.unsaid: list[Part] = []
        """What came of the last turn's code, for which there was no turn to tell it in."""
        self.nudged = False
        self.context_tokens = sum(map(_estimate, opening))
        self.errors_in_a_row = 0
        self._repeats: Counter[str] = Counter()

    @property
    def messages(self) -> Sequence[Message]:
        """The conversation as it stands."""
        return self.conversation.messages

    @property
    def packages(self) -> Mapping[str, str]:
        """Versions of what is installed in the sandbox, by name."""
        return self._environment.packages

    @property
    def seconds(self) -> float:
        """Since the run began, without the waiting for its turns."""
        return time.monotonic() - self._clock - self.queued_seconds

    @property
    def most_repeats(self) -> int:
        """How often the most repeated code was run, or the most repeated reply without code given."""
        return max(self._repeats.values(), default=0)

    @property
    def code_has_run(self) -> bool:
        """Whether code has run, and the last that did had no error."""
        ran = [
            cell.execution.status
            for turn in self.turns
            for cell in turn.cells
            if cell.execution.status is not ExecutionStatus.REFUSED
        ]
        return bool(ran) and ran[-1] is ExecutionStatus.OK

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

    @contextmanager
    def queue(self) -> Iterator[None]:
        """Time of waiting for a turn: the run's clock stands still."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.queued_seconds += time.monotonic() - start

    def sampling(self, room: int) -> Sampling:
        """How the next reply is drawn, with at most `room` tokens.

        With the seed of the attempt before, a fresh start would come out the same.
        """
        sampling = self._settings.sampling
        seed = None if sampling.seed is None else sampling.seed + len(self.attempts)
        return sampling.model_copy(update={"max_tokens": room, "seed": seed})

    def converse(self, form: ConversationForm, opening: Sequence[Message], closing: str = "") -> None:
        """Hold the conversation in another form than the prompt's, or from another opening.

        `closing` is as for `conversation_of`.
        """
        self.form = form
        self._closing = closing
        self._begin(opening)

    def add_reply(self, completion: Completion, action: Action, answer: str | None) -> None:
        """The model's reply, before its code has run: saved even if the run is stopped meanwhile."""
        self.turns.append(Turn(completion=completion, kept=action.kept, answer=answer))
        self.conversation.add_reply(completion.text[: action.kept], completion.tool_calls)
        self.context_tokens = completion.prompt_tokens + completion.completion_tokens
        self._count(completion)
        if not action.blocks:
            self._repeats[" ".join(completion.text.split())] += 1

    def add_critique(self, critique: Completion) -> None:
        """What a critic wrote of the newest reply."""
        self._amend(critique=critique)
        self._count(critique)

    def add_cell(self, cell: Cell) -> None:
        """A cell of the newest reply, and what came of it."""
        self._amend(cells=(*self.turns[-1].cells, cell))
        if cell.execution.status is not ExecutionStatus.REFUSED:
            self._repeats["\n".join(line.rstrip() for line in cell.code.strip().splitlines())] += 1

    def end_cells(self, *, malformed: bool) -> None:
        """All cells of the newest reply have run: count it as a failed one, or not."""
        statuses = [cell.execution.status for cell in self.turns[-1].cells]
        if statuses or malformed:
            failed = malformed or any(status is not ExecutionStatus.OK for status in statuses)
            self.errors_in_a_row = self.errors_in_a_row + 1 if failed else 0

    def tell(self, parts: Sequence[Part]) -> Message:
        """Say `parts` to the newest reply."""
        message = self.conversation.tell(parts)
        self._told([part.kind for part in parts], [piece for part in parts for piece in part.pieces])
        return message

    def begin_reply(self, kind: Feedback, pieces: Pieces) -> Message:
        """Words that the next reply goes on from."""
        message = self.conversation.begin_reply(pieces)
        self._told([kind], pieces)
        return message

    def make_room(self) -> bool:
        """Shorten outputs; whether there was one to shorten."""
        self.conversation.messages, done = shorten(self.messages, turn=len(self.turns))
        self.shortenings += done
        saved = sum(len(one.removed) - len(one.replacement) for one in done)
        self.context_tokens = max(self.context_tokens - saved // CHARS_PER_TOKEN, 0)
        return bool(done)

    def start_again(self, stop: StopReason) -> None:
        """Give up this attempt, and begin from the opening."""
        self.attempts.append(
            Attempt(messages=tuple(self.messages), turns=tuple(self.turns), stop=stop, answer=self.answer)
        )
        self.answer = None
        self._begin(self._opening)

    def fail(self, error: Exception) -> None:
        """The machinery failed: an answer given before that stands, anything else is void."""
        message, hint = (error.message, error.hint) if isinstance(error, TirError) else (str(error), None)
        self.failure = Failure(kind=type(error).__name__, message=message, hint=hint)
        if self.stop is None:
            self.stop = StopReason.ERROR

    def record(self) -> Trajectory:
        """The run as it stands. A run without a stop reason counts as interrupted."""
        all_turns = [*(turn for attempt in self.attempts for turn in attempt.turns), *self.turns]
        replies = [one for turn in all_turns for one in (turn.completion, turn.critique) if one is not None]
        return Trajectory(
            id=self.id,
            problem=self.problem,
            sample=self._sample,
            messages=tuple(self.messages),
            turns=tuple(self.turns),
            shortenings=tuple(self.shortenings),
            attempts=tuple(self.attempts),
            stop=self.stop or StopReason.INTERRUPTED,
            answer=self.answer,
            grade=self.grade,
            failure=self.failure,
            notes=tuple(self.notes),
            settings=self._settings,
            prompt=self._prompt.identity,
            environment=self._environment,
            usage=Usage(
                turns=len(all_turns),
                cells=sum(len(turn.cells) for turn in all_turns),
                completion_tokens=self.model_tokens,
                prompt_tokens=self._prompt_tokens,
                context_tokens=self.context_tokens,
                cached_tokens=sum(reply.cached_tokens for reply in replies),
                reasoning_tokens=sum(reply.reasoning_tokens for reply in replies),
                cost=cost(self._price, replies) if self._price else None,
            ),
            timings=Timings(
                started=self._started,
                duration=self.seconds + self.queued_seconds,
                model=self.model_seconds,
                kernel=self.kernel_seconds,
                queued=self.queued_seconds,
            ),
        )

    def _count(self, completion: Completion) -> None:
        self.model_tokens += completion.completion_tokens
        self._prompt_tokens += completion.prompt_tokens
        # The rate limiter's queue is a queue like the others.
        self.queued_seconds += completion.queued
        self.model_seconds -= completion.queued

    def _told(self, kinds: Sequence[Feedback], pieces: Pieces) -> None:
        self._amend(feedback=tuple(dict.fromkeys((*self.turns[-1].feedback, *kinds))))
        self.context_tokens += -(-sum(len(text) for text, _ in pieces) // CHARS_PER_TOKEN)

    def _amend(self, **changes: object) -> None:
        self.turns[-1] = self.turns[-1].model_copy(update=changes)


def _estimate(message: Message) -> int:
    return -(-len(message.content) // CHARS_PER_TOKEN)
