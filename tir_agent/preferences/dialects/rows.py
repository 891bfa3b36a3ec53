"""From a row back to the conversations it was made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tir_agent.errors import DataError
from tir_agent.messages import Message, Role, Span, Tool, ToolCall
from tir_agent.preferences.conversation import Conversation, Reply
from tir_agent.preferences.dialects.trl import TOOLS

__all__ = ["conversations_of"]


class _Read(BaseModel):
    """A part of a row. Keys of other dialects' or of a user's own may stand beside those that are read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Function(_Read):
    name: str


class _Call(_Read):
    id: str
    function: _Function


class _Message(_Read):
    role: Role
    content: str
    tool_calls: tuple[_Call, ...] | None = None
    tool_call_id: str | None = None


class _Messages(_Read):
    """One side of a conversation, and what stands beside it."""

    messages: tuple[_Message, ...]
    spans: tuple[tuple[Span, ...], ...]
    arguments: tuple[tuple[str, ...], ...] | None = None
    replies: tuple[Reply, ...] = ()


class _Text(_Read):
    """One side of a text."""

    text: str
    spans: tuple[Span, ...]
    replies: tuple[Reply, ...] = ()


class _Described(_Read):
    function: Tool


class _Tools(_Read):
    tools: tuple[_Described, ...] = Field(default=())


def conversations_of(row: Mapping[str, Any]) -> tuple[Conversation, ...]:
    """The conversation of a row, or those of its chosen and its rejected side: exactly what was written.

    Rows of the dialect `trl` have them, and those of `trl-text` that are one text without a template.

    Raises:
        DataError: it is no such row, or was changed so that its parts no longer fit each other.
    """
    names = ("chosen", "rejected") if "chosen" in row else ("completion",)
    read = _text if isinstance(row.get("prompt"), str) else _conversation
    try:
        return tuple(read(row, name) for name in names)
    except (KeyError, ValueError) as error:
        raise DataError(
            f"a row is not one of the dialect trl, or its parts do not fit each other: {_says(error)}",
            hint="export with --dialect trl, and keep the columns that end in _spans and _replies",
        ) from error


def _says(error: KeyError | ValueError) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}"
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        return f"{place}: {first['msg']}" if place else first["msg"]
    return str(error)


def _conversation(row: Mapping[str, Any], name: str) -> Conversation:
    given, learnt = _side(row, "prompt"), _side(row, name)
    opening = len(given.messages)
    return Conversation(
        messages=(*_messages(given), *_messages(learnt)),
        opening=opening,
        replies=tuple(
            reply.model_copy(update={"message": reply.message + opening}) for reply in learnt.replies
        ),
        tools=_tools(row.get(TOOLS)),
    )


def _side(row: Mapping[str, Any], name: str) -> _Messages:
    return _Messages(
        messages=row[name],
        spans=row[f"{name}_spans"],
        arguments=row.get(f"{name}_arguments"),
        replies=row[f"{name}_replies"] if name != "prompt" else (),
    )


def _messages(side: _Messages) -> Iterator[Message]:
    arguments = side.arguments if side.arguments is not None else ((),) * len(side.messages)
    for message, spans, texts in zip(side.messages, side.spans, arguments, strict=True):
        calls = zip(message.tool_calls or (), texts, strict=True)
        yield Message(
            role=message.role,
            content=message.content,
            spans=spans,
            tool_calls=tuple(
                ToolCall(id=call.id, name=call.function.name, arguments=text) for call, text in calls
            ),
            call_id=message.tool_call_id,
        )


def _text(row: Mapping[str, Any], name: str) -> Conversation:
    given = _Text(text=row["prompt"], spans=row["prompt_spans"])
    learnt = _Text(text=row[name], spans=row[f"{name}_spans"], replies=row[f"{name}_replies"])
    at = len(given.text)
    moved = (
        span.model_copy(update={"start": span.start + at, "end": span.end + at}) for span in learnt.spans
    )
    message = Message(role=Role.RAW, content=given.text + learnt.text, spans=(*given.spans, *moved))
    replies = (
        reply.model_copy(update={"start": reply.start + at, "end": reply.end + at})
        for reply in learnt.replies
    )
    return Conversation(messages=(message,), opening=0, replies=tuple(replies))


def _tools(text: Any) -> tuple[Tool, ...]:
    found = _Tools.model_validate({"tools": json.loads(text) if text else ()})
    return tuple(one.function for one in found.tools)
