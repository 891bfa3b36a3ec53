"""Columns that say who wrote what: the spans of every message, and where the model's replies stand.

Nothing of them is searched for: they are the record's own, and with the messages they are the whole
conversation again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from tir_agent.messages import Message, Span
from tir_agent.preferences.conversation import Reply
from tir_agent.preferences.dialects.columns import Column, ListOf, Scalar, Struct
from tir_agent.preferences.dialects.writer import Row

__all__ = ["REPLIES", "SPANS", "call_arguments", "replies", "spans"]

SPANS = ListOf(
    Struct(
        (Column("start", Scalar.INTEGER), Column("end", Scalar.INTEGER), Column("origin", Scalar.TEXT)),
    )
)
"""Of one text: characters `start` to `end` (exclusive), and whose they are."""
REPLIES = ListOf(
    Struct(
        (
            Column("message", Scalar.INTEGER),
            Column("start", Scalar.INTEGER),
            Column("end", Scalar.INTEGER),
            Column("ended", Scalar.TRUTH),
            Column("token_ids", ListOf(Scalar.INTEGER)),
        )
    )
)
"""Of one side: `message` is counted from 0 among the messages of that side."""


def spans(parts: Iterable[Span]) -> list[JsonValue]:
    """Of one text."""
    return [{"start": span.start, "end": span.end, "origin": span.origin.value} for span in parts]


def call_arguments(messages: Sequence[Message]) -> list[JsonValue]:
    """Of every message its calls' arguments, letter by letter as the model wrote them."""
    return [[call.arguments for call in message.tool_calls] for message in messages]


def replies(found: Iterable[Reply], opening: int) -> list[JsonValue]:
    """Counted from the first message behind the opening."""
    return [_reply(reply, opening) for reply in found]


def _reply(reply: Reply, opening: int) -> Row:
    return {
        "message": reply.message - opening,
        "start": reply.start,
        "end": reply.end,
        "ended": reply.ended,
        "token_ids": list(reply.token_ids) if reply.token_ids is not None else None,
    }
