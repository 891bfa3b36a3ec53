"""Where two conversations part."""

from __future__ import annotations

from typing import NamedTuple

from tir_agent.messages import Message, Origin
from tir_agent.preferences.conversation import Conversation

__all__ = ["Parting", "parting"]


class Parting(NamedTuple):
    """What two conversations share."""

    message: int
    """Number of the message in which they differ: the model wrote it in both."""
    turns: int
    """The model's messages behind the opening that both have."""


def parting(one: Conversation, other: Conversation) -> Parting | None:
    """Where the model first wrote something else; None where their openings differ, where something else
    than the model made the difference (an output that depends on chance), or where one ends before.

    Identifiers of tool calls are the server's inventions and make no difference.
    """
    if one.opening != other.opening:
        return None
    turns = 0
    for number, (first, second) in enumerate(zip(one.messages, other.messages, strict=False)):
        if not _same(first, second):
            both_the_models = _is_models(first) and _is_models(second)
            return Parting(number, turns) if number >= one.opening and both_the_models else None
        turns += number >= one.opening and _is_models(first)
    return None


def _same(one: Message, other: Message) -> bool:
    calls = [[(call.name, call.arguments) for call in message.tool_calls] for message in (one, other)]
    return one.role is other.role and one.content == other.content and calls[0] == calls[1]


def _is_models(message: Message) -> bool:
    return bool(message.tool_calls) or any(span.origin is Origin.MODEL for span in message.spans)
