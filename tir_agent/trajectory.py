"""The record of one run: what the model said, what was executed, what came back, how it ended.

Plain data only: no I/O, no behaviour beyond validation. `docs/format.md` describes every field for
people who read the files without this package. Times are seconds, sizes are bytes, lengths are
characters (Unicode code points) and token counts are the server's, unless marked as estimated.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from tir_agent.completion import Completion, FinishReason
from tir_agent.execution import Execution, ExecutionError, ExecutionStatus, Image
from tir_agent.grades import Grade, GradingRule, Verdict
from tir_agent.messages import Message, Origin, Record, Role, Span, ToolCall
from tir_agent.settings import RunSettings
from tir_agent.usage import Cost, Currency, Timings, Usage

__all__ = [
    "FORMAT",
    "VERSION",
    "Attempt",
    "Cell",
    "Completion",
    "Cost",
    "Currency",
    "Environment",
    "Execution",
    "ExecutionError",
    "ExecutionStatus",
    "Failure",
    "Feedback",
    "FinishReason",
    "Grade",
    "GradingRule",
    "Image",
    "Message",
    "Origin",
    "Problem",
    "PromptIdentity",
    "Role",
    "Sample",
    "Shortening",
    "Span",
    "StopReason",
    "Timings",
    "ToolCall",
    "Trajectory",
    "Turn",
    "Usage",
    "Verdict",
]

FORMAT: Final = "tir-agent/trajectory"
VERSION: Final = 1


class Problem(Record):
    """A problem to solve. `gold` is the reference answer, where one is known."""

    id: str
    text: str
    gold: str | None = None
    rule: GradingRule = GradingRule()
    """How its answer is to be compared with `gold`."""
    subject: str | None = None
    level: str | None = None
    """Difficulty, in the words of the data set."""
    source: str | None = None
    """Where it was read: `file.jsonl:17`."""


class Sample(Record):
    """Which of several runs on one problem this is. With the problem's id it is unique in a collection."""

    arm: str
    """Name of the model or checkpoint, among those that the collection mixes."""
    index: int = Field(ge=0)
    """Counted from 0, for each problem and arm."""


class Cell(Record):
    """A piece of code found in a completion and what came of it."""

    code: str
    start: int = Field(ge=0)
    """Offset of the code's first character in the completion's text; 0 where a tool call holds it."""
    end: int = Field(ge=0)
    call_id: str | None = None
    """The tool call that holds the code, where one does."""
    execution: Execution
    shown: str
    """The output as the model saw it: cut, trimmed and explained by the prompt's observation policy."""


class Feedback(StrEnum):
    """What the agent told the model after a turn."""

    OBSERVATION = "observation"
    MALFORMED = "malformed"
    NUDGE = "nudge"
    LAST_TURN = "last_turn"
    REMAINING = "remaining"
    """What is left of the budget."""
    CODE_FIRST = "code_first"
    """An answer does not count before code has run without an error."""
    VERIFY = "verify"
    """It is to check its answer."""
    CRITIQUE = "critique"
    """What a critic says of its answer."""
    FORCED = "forced"
    """The beginning of an answer, which the next reply ends."""


class Turn(Record):
    """One reply of the model and what the agent did with it."""

    completion: Completion
    kept: int = Field(ge=0)
    """Characters of the completion kept in the conversation; what follows was output that the model
    invented, or text after it, and was cut off; or the same piece once more."""
    cells: tuple[Cell, ...] = ()
    answer: str | None = None
    """The content of the reply's last `\\boxed{}`; it counts only where the run stopped as ANSWERED."""
    feedback: tuple[Feedback, ...] = ()
    critique: Completion | None = None
    """What a critic wrote of this answer, in a conversation apart."""


class Shortening(Record):
    """An output that was shortened in the conversation, for the context window was full.

    Replies before number `turn` were sampled from a conversation in which `removed` stood where now
    `replacement` stands.
    """

    turn: int = Field(ge=0)
    """The first reply that was sampled without it, counted from 0."""
    message: int = Field(ge=0)
    """Number of the message, counted from 0."""
    start: int = Field(ge=0)
    """Character of the message's content at which `replacement` stood then."""
    removed: str
    replacement: str


class StopReason(StrEnum):
    """Why a run ended."""

    ANSWERED = "ANSWERED"
    TURN_LIMIT = "TURN_LIMIT"
    TOKEN_LIMIT = "TOKEN_LIMIT"
    TIME_LIMIT = "TIME_LIMIT"
    ERROR_LIMIT = "ERROR_LIMIT"
    """Too many replies in a row whose code failed."""
    CONTEXT_FULL = "CONTEXT_FULL"
    NO_ACTION = "NO_ACTION"
    """Neither code nor an answer, also after a nudge."""
    REPETITION = "REPETITION"
    """The same code again and again."""
    INTERRUPTED = "INTERRUPTED"
    """The user stopped it."""
    ERROR = "ERROR"
    """The machinery failed; says nothing about the model."""


class Failure(Record):
    """The machinery's failure that ended a run."""

    kind: str
    """Name of the exception's class; those in `tir_agent.errors` are documented."""
    message: str
    hint: str | None = None
    """What can be done about it."""


class PromptIdentity(Record):
    """Which prompt file was used."""

    name: str
    sha256: str
    """Of the file's bytes."""


class Environment(Record):
    """Where the run took place."""

    tir_agent: str
    python: str
    platform: str
    kernel: str
    """Name of the sandbox backend."""
    image: str | None = None
    """Id of the container image, or hash of the sandbox environment."""
    packages: dict[str, str] = Field(default_factory=dict)
    """Versions inside the sandbox."""
    model_server: str | None = None
    """What the model server says of itself, where it does."""


class Attempt(Record):
    """A start of the run that was given up for a fresh one."""

    messages: tuple[Message, ...]
    turns: tuple[Turn, ...]
    stop: StopReason
    answer: str | None = None


class Trajectory(Record):
    """The whole record of one run."""

    format: Literal["tir-agent/trajectory"] = FORMAT
    version: Literal[1] = VERSION
    id: str
    problem: Problem
    sample: Sample | None = None
    """Null for a run that is not part of a collection."""
    messages: tuple[Message, ...]
    turns: tuple[Turn, ...]
    shortenings: tuple[Shortening, ...] = ()
    """In the order in which they were made."""
    attempts: tuple[Attempt, ...] = ()
    """Starts that were given up; the fields beside this one are the last one's."""
    stop: StopReason
    answer: str | None = None
    grade: Grade | None = None
    failure: Failure | None = None
    notes: tuple[str, ...] = ()
    """What the run did differently from what was asked, one sentence each."""
    settings: RunSettings
    prompt: PromptIdentity
    environment: Environment
    usage: Usage
    timings: Timings

    def seen(self, turn: int) -> tuple[Message, ...]:
        """The messages of today's conversation as reply number `turn` (from 0) saw those before it.

        Shortenings that came later are undone. Messages that came later are still there: how many
        there were is not asked here.
        """
        messages = list(self.messages)
        for shortening in reversed(self.shortenings):
            if shortening.turn > turn:
                messages[shortening.message] = _undone(messages[shortening.message], shortening)
        return tuple(messages)

    def model_text(self) -> Iterable[str]:
        """Every span of the conversation that the model wrote, in order."""
        for message in self.messages:
            for span in message.spans:
                if span.origin is Origin.MODEL:
                    yield message.content[span.start : span.end]


def _undone(message: Message, shortening: Shortening) -> Message:
    end = shortening.start + len(shortening.replacement)
    pieces: list[tuple[str, Origin]] = []
    for span in message.spans:
        text = message.content[span.start : span.end]
        if span.start <= shortening.start and end <= span.end:
            at = shortening.start - span.start
            text = text[:at] + shortening.removed + text[at + len(shortening.replacement) :]
        pieces.append((text, span.origin))
    return Message.of(message.role, *pieces, tool_calls=message.tool_calls, call_id=message.call_id)
