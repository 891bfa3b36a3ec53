"""Messages of the conversation, with the origin of every character.

A loss may stand only on what the model wrote. So who wrote what is recorded when it is written, and
never searched for later.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

__all__ = ["Message", "Origin", "Record", "Role", "Span", "Tool", "ToolCall"]


class Record(BaseModel):
    """Base of all records: immutable, and strict about fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(StrEnum):
    """Who a message is from, in the words of the chat API."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    """The result of a tool call."""
    RAW = "raw"
    """From no one alone: the whole text of a conversation that no chat template is laid around."""


class Origin(StrEnum):
    """Who wrote a span of a message."""

    PROMPT = "prompt"
    """The prompt file: system text, exemplars, wrappers, nudges."""
    PROBLEM = "problem"
    """The problem's own text."""
    MODEL = "model"
    """Sampled from the model. The only text on which a loss may stand."""
    INTERPRETER = "interpreter"
    """The sandbox: output of executed code."""
    CRITIC = "critic"
    """A model that was asked to judge a solution, and not to solve."""


class Span(Record):
    """Characters `start` to `end` (exclusive) of a message's content, and who wrote them."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    origin: Origin


class Tool(Record):
    """A function that a model may call."""

    name: str
    description: str
    parameters: dict[str, JsonValue]
    """JSON Schema of its arguments."""


class ToolCall(Record):
    """A call of a function, as the model wrote it."""

    id: str
    """Made up by the server, or by this side where the server gives none."""
    name: str
    arguments: str
    """JSON, where the model got it right. Sampled from the model, all of it."""


class Message(Record):
    """One message of the conversation as the model saw it, with the origin of each character."""

    role: Role
    content: str
    spans: tuple[Span, ...]
    """In order, without gaps or overlaps, covering the whole content."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Of an assistant's message: what it calls, beside its content."""
    call_id: str | None = None
    """Of a tool's message: the call that it answers."""

    @classmethod
    def of(
        cls,
        role: Role,
        *pieces: tuple[str, Origin],
        tool_calls: tuple[ToolCall, ...] = (),
        call_id: str | None = None,
    ) -> Self:
        """Join `pieces` to a message and record where each one landed; empty pieces leave no span."""
        spans: list[Span] = []
        position = 0
        for text, origin in pieces:
            if not text:
                continue
            end = position + len(text)
            if spans and spans[-1].origin is origin:
                spans[-1] = Span(start=spans[-1].start, end=end, origin=origin)
            else:
                spans.append(Span(start=position, end=end, origin=origin))
            position = end
        content = "".join(text for text, _ in pieces)
        return cls(role=role, content=content, spans=tuple(spans), tool_calls=tool_calls, call_id=call_id)

    @property
    def pieces(self) -> list[tuple[str, Origin]]:
        """What `of` would make the same content of."""
        return [(self.content[span.start : span.end], span.origin) for span in self.spans]

    def extended(self, *pieces: tuple[str, Origin]) -> Self:
        """This message with `pieces` at its end."""
        return self.of(self.role, *self.pieces, *pieces, tool_calls=self.tool_calls, call_id=self.call_id)

    @model_validator(mode="after")
    def _spans_cover_the_content(self) -> Self:
        position = 0
        for span in self.spans:
            if span.start != position or span.end <= span.start:
                raise ValueError(f"spans must cover the content without gaps: look at character {position}")
            position = span.end
        if position != len(self.content):
            raise ValueError(f"spans end at character {position}, the content at {len(self.content)}")
        return self
