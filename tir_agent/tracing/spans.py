"""One run as a tree of spans: `invoke_agent tir`, under it a `chat` for each request and an
`execute_tool python` for each cell.

Parents are handed on explicitly and never taken from the current context, so that runs which share an event
loop cannot mix. A critic's replies have no spans. What the model did wrong is an error of its cell's span
alone; the run's span is in error only where the machinery failed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

import tir_agent
from tir_agent.agent import Observer
from tir_agent.settings import RunSettings, Sampling
from tir_agent.tracing import names
from tir_agent.tracing.contents import arguments_text, input_text, output_text, result_text
from tir_agent.tracing.server import server_attributes
from tir_agent.trajectory import (
    Cell,
    Completion,
    Execution,
    ExecutionStatus,
    Message,
    Problem,
    Role,
    Sample,
    StopReason,
    Trajectory,
)

__all__ = ["TracingObserver"]

_AGENT = "tir"
_PYTHON = "python"
_NAME_CHARS = 100
"""Of an exception's name: the model's own classes may have any."""


class TracingObserver(Observer):
    """Makes the spans of one run. The run's span begins with this object and ends with `recorded`.

    Its parent is the caller's current span, where there is one.
    """

    def __init__(
        self,
        tracer: Tracer,
        problem: Problem,
        settings: RunSettings,
        *,
        sample: Sample | None = None,
        contents: bool = False,
    ) -> None:
        """`contents`: also what was said, run and answered, which may be long, and private."""
        self._tracer = tracer
        self._contents = contents
        self._server = server_attributes(settings.base_url)
        self._settings = settings
        self._turn = 0
        self._chat: Span | None = None
        self._tool: Span | None = None
        self._asked_at = 0.0
        self._first: float | None = None
        """Seconds from the request to the first piece of the reply."""
        attributes = {
            names.OPERATION: "invoke_agent",
            names.AGENT_NAME: _AGENT,
            names.AGENT_VERSION: tir_agent.__version__,
            names.MODEL: settings.model,
            names.PROBLEM: problem.id,
            **self._server,
            **_sampling(settings.sampling),
        }
        if sample is not None:
            attributes |= {names.SAMPLE_ARM: sample.arm, names.SAMPLE_INDEX: sample.index}
        self._run = tracer.start_span(
            f"invoke_agent {_AGENT}", kind=SpanKind.INTERNAL, attributes=_clean(attributes)
        )
        self._inside = set_span_in_context(self._run)

    def reply_started(self, turn: int) -> None:
        self._turn = turn

    def requested(self, messages: Sequence[Message], sampling: Sampling, stop: Sequence[str]) -> None:
        raw = bool(messages) and messages[0].role is Role.RAW
        operation = "text_completion" if raw else "chat"
        attributes = {
            names.OPERATION: operation,
            names.MODEL: self._settings.model,
            names.TURN: self._turn,
            **self._server,
            **_sampling(sampling),
        }
        if stop:
            attributes[names.STOP_STRINGS] = tuple(stop)
        served = self._settings.base_url is not None
        if served:
            attributes[names.STREAM] = True
        if self._contents:
            attributes[names.INPUT_MESSAGES] = input_text(messages)
        self._first = None
        self._asked_at = time.monotonic()
        self._chat = self._tracer.start_span(
            f"{operation} {self._settings.model}",
            context=self._inside,
            kind=SpanKind.CLIENT if served else SpanKind.INTERNAL,
            attributes=_clean(attributes),
        )

    def text(self, piece: str) -> None:
        if self._first is None:
            self._first = time.monotonic() - self._asked_at

    def restart(self, reason: str) -> None:
        self._first = None

    def replied(self, completion: Completion) -> None:
        if self._chat is None:
            return
        attributes: dict[str, object] = {
            names.INPUT_TOKENS: completion.prompt_tokens,
            names.OUTPUT_TOKENS: completion.completion_tokens,
            names.FINISH_REASONS: (completion.finish_reason.value,),
            names.ATTEMPTS: completion.attempts,
        }
        if completion.cached_tokens:
            attributes[names.CACHED_TOKENS] = completion.cached_tokens
        if completion.reasoning_tokens:
            attributes[names.REASONING_TOKENS] = completion.reasoning_tokens
        if completion.queued:
            attributes[names.QUEUED] = completion.queued
        # What an earlier request that failed took is not the server's time to the first piece.
        if self._first is not None and completion.attempts == 1 and self._settings.base_url is not None:
            attributes[names.FIRST_CHUNK] = max(self._first - completion.queued, 0.0)
        if self._contents:
            attributes[names.OUTPUT_MESSAGES] = output_text(completion)
        self._chat.set_attributes(_clean(attributes))
        self._chat.end()
        self._chat = None

    def reply_failed(self, error: BaseException) -> None:
        if self._chat is not None:
            _end_in_error(self._chat, type(error).__name__, str(error) if self._contents else None)
            self._chat = None

    def cell_started(self, code: str, interrupt: Callable[[], Awaitable[None]]) -> None:
        self._tool = self._start_tool()

    def cell_ended(self, cell: Cell) -> None:
        tool = self._tool or self._start_tool()
        self._tool = None
        attributes: dict[str, object] = {names.EXECUTION: cell.execution.status.value}
        if cell.call_id is not None:
            attributes[names.TOOL_CALL] = cell.call_id
        if self._contents:
            attributes[names.TOOL_ARGUMENTS] = arguments_text(cell.code)
            attributes[names.TOOL_RESULT] = result_text(cell)
        tool.set_attributes(_clean(attributes))
        if cell.execution.status is ExecutionStatus.OK:
            tool.end()
            return
        error = cell.execution.error
        _end_in_error(tool, _error_name(cell.execution), error.message if error and self._contents else None)

    def recorded(self, trajectory: Trajectory) -> None:
        failure = trajectory.failure
        reason = trajectory.stop.value if failure is None else failure.kind
        for span in (self._tool, self._chat):
            if span is not None:
                _end_in_error(span, reason, None)
        self._tool = self._chat = None
        usage = trajectory.usage
        attributes: dict[str, object] = {
            names.CONVERSATION: trajectory.id,
            names.PROMPT: trajectory.prompt.name,
            names.STOP: trajectory.stop.value,
            names.TURNS: usage.turns,
            names.CELLS: usage.cells,
            names.INPUT_TOKENS: usage.prompt_tokens,
            names.OUTPUT_TOKENS: usage.completion_tokens,
        }
        if trajectory.grade is not None:
            attributes[names.VERDICT] = trajectory.grade.verdict.value
        if usage.cost is not None:
            attributes |= {names.COST: usage.cost.amount, names.CURRENCY: usage.cost.currency}
        if self._contents and trajectory.answer is not None:
            attributes[names.ANSWER] = trajectory.answer
        self._run.set_attributes(_clean(attributes))
        if failure is not None and trajectory.stop is StopReason.ERROR:
            _end_in_error(self._run, failure.kind, failure.message if self._contents else None)
        else:
            self._run.end()

    def _start_tool(self) -> Span:
        attributes = {
            names.OPERATION: "execute_tool",
            names.TOOL: _PYTHON,
            names.TOOL_TYPE: "function",
            names.TURN: self._turn,
        }
        return self._tracer.start_span(
            f"execute_tool {_PYTHON}", context=self._inside, kind=SpanKind.INTERNAL, attributes=attributes
        )


def _sampling(sampling: Sampling) -> dict[str, object]:
    attributes: dict[str, object] = {
        names.TEMPERATURE: sampling.temperature,
        names.TOP_P: sampling.top_p,
        names.MAX_TOKENS: sampling.max_tokens,
    }
    if sampling.seed is not None:
        attributes[names.SEED] = sampling.seed
    if sampling.top_k is not None:
        attributes[names.TOP_K] = float(sampling.top_k)
    return attributes


def _error_name(execution: Execution) -> str:
    """The exception's name, and the status where the code did not end with one."""
    if execution.status is ExecutionStatus.ERROR and execution.error is not None:
        return execution.error.name[:_NAME_CHARS]
    return execution.status.value


def _end_in_error(span: Span, kind: str, message: str | None) -> None:
    span.set_attributes(_clean({names.ERROR: kind}))
    span.set_status(Status(StatusCode.ERROR, None if message is None else _encodable(message)))
    span.end()


def _clean(attributes: Mapping[str, object]) -> dict[str, object]:
    """Half of a surrogate pair has no UTF-8, and one of them would lose a whole batch of spans."""
    return {
        name: _encodable(value) if isinstance(value, str) else value for name, value in attributes.items()
    }


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
