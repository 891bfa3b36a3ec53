"""A conversation, put together reply by reply as it was recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tir_agent.answers import extract_answer
from tir_agent.imports.outputs import execution_of
from tir_agent.messages import Message, Origin, Role, ToolCall
from tir_agent.models.estimate import estimate_tokens
from tir_agent.trajectory import Cell, Completion, Feedback, FinishReason, Turn

__all__ = ["Pieces", "Script", "cell_of", "fenced", "observed"]

_TICKS: Final = re.compile(r"`{3,}")

Pieces = Sequence[tuple[str, Origin]]


def fenced(text: str, code: str) -> tuple[str, int]:
    """A reply of words and code, in a Markdown fence; and where in it the code begins."""
    fence = _fence(code)
    gap = "\n\n" if text.strip() else ""
    opening = f"{text}{gap}{fence}python\n"
    return f"{opening}{code}\n{fence}", len(opening)


def observed(output: str) -> Pieces:
    """An output in a Markdown fence, with who wrote what."""
    fence = _fence(output)
    return (f"{fence}output\n", Origin.PROMPT), (output, Origin.INTERPRETER), (f"\n{fence}", Origin.PROMPT)


def _fence(content: str) -> str:
    """A fence longer than any inside."""
    return "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(content)), default=2))


class Script:
    """Messages and turns so far. Token counts are estimated, and say so."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.turns: list[Turn] = []
        self._tokens = 0

    @property
    def tokens(self) -> int:
        """Of the conversation so far, estimated."""
        return self._tokens

    def add(self, message: Message) -> None:
        """A message that is no reply of the model's to this problem."""
        self.messages.append(message)
        self._tokens += estimate_tokens(message.content)
        self._tokens += sum(estimate_tokens(call.arguments) for call in message.tool_calls)

    def turn(
        self,
        text: str,
        cells: Sequence[Cell] = (),
        *,
        answer: str | None = None,
        feedback: Sequence[Feedback] = (),
        calls: tuple[ToolCall, ...] = (),
        reasoning: str | None = None,
        before: str = "",
    ) -> None:
        """Count a reply; its message is added apart, after it. `before` is what stands before it in there."""
        written = estimate_tokens(text) + sum(estimate_tokens(call.arguments) for call in calls)
        completion = Completion(
            text=text,
            finish_reason=FinishReason.STOP,
            reasoning=reasoning,
            tool_calls=calls,
            prompt_tokens=self._tokens + estimate_tokens(before),
            completion_tokens=written,
            estimated=True,
            duration=0.0,
        )
        self.turns.append(
            Turn(
                completion=completion,
                kept=len(text),
                cells=tuple(cells),
                answer=answer or extract_answer(text),
                feedback=tuple(feedback),
            )
        )

    def reply(
        self,
        text: str,
        cells: Sequence[Cell] = (),
        *,
        answer: str | None = None,
        feedback: Sequence[Feedback] = (),
        calls: tuple[ToolCall, ...] = (),
        reasoning: str | None = None,
    ) -> None:
        """A reply that is a message of its own."""
        self.turn(text, cells, answer=answer, feedback=feedback, calls=calls, reasoning=reasoning)
        self.add(Message.of(Role.ASSISTANT, (text, Origin.MODEL), tool_calls=calls))

    def tell(self, pieces: Pieces) -> None:
        """What the model was told by its user."""
        self.add(Message.of(Role.USER, *pieces))


def cell_of(code: str, start: int, output: str | None, call_id: str | None = None) -> Cell:
    """Code at `start` of a reply and what came of it, as far as the output tells."""
    return Cell(
        code=code,
        start=start,
        end=start + len(code) if call_id is None else start,
        call_id=call_id,
        execution=execution_of(output),
        shown=output or "",
    )
