"""A trajectory as something to train on: what was given, what the model wrote, and what came between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import Field, model_validator

from tir_agent.messages import Message, Origin, Record, Role, Tool
from tir_agent.trajectory import FinishReason, Trajectory, Turn

__all__ = ["Conversation", "Reply", "conversation_of"]


class Reply(Record):
    """One reply of the model, and where it stands."""

    message: int = Field(ge=0)
    """Number of the message, counted from 0."""
    start: int = Field(ge=0)
    """Characters `start` to `end` of the message's content."""
    end: int = Field(ge=0)
    ended: bool
    """Whether the model came to its end here: not cut off at a limit, and nothing that it wrote after this
    was taken away. Only then may a loss stand on the end of its turn."""
    token_ids: tuple[int, ...] | None = None
    """As sampled, perhaps with what ended it; null where the server gave none or a part was cut away."""


class Conversation(Record):
    """Messages, and from which of them on the model's own are to be learnt."""

    messages: tuple[Message, ...]
    opening: int = Field(ge=0)
    """So many messages are given: a loss may stand on what the model wrote in those behind them."""
    replies: tuple[Reply, ...] = ()
    """In order; those in the opening are not among them."""
    tools: tuple[Tool, ...] = ()

    @model_validator(mode="after")
    def _opening_is_a_part(self) -> Self:
        if self.opening > len(self.messages):
            raise ValueError(f"an opening of {self.opening} messages among {len(self.messages)}")
        return self

    @property
    def given(self) -> tuple[Message, ...]:
        """The opening."""
        return self.messages[: self.opening]

    @property
    def learnt(self) -> tuple[Message, ...]:
        """What follows the opening: the model's messages, and what it was told between them."""
        return self.messages[self.opening :]

    @property
    def raw(self) -> bool:
        """Whether it is one text without a chat template; what is given then is its beginning."""
        return any(message.role is Role.RAW for message in self.messages)

    def model_text(self) -> Iterator[str]:
        """Every piece behind the opening that the model wrote, calls of tools included, in order."""
        for message in self.learnt:
            yield from (text for text, origin in message.pieces if origin is Origin.MODEL)
            yield from (call.arguments for call in message.tool_calls)

    def opened_at(self, message: int) -> Conversation:
        """The same with `message` messages given."""
        replies = tuple(reply for reply in self.replies if reply.message >= message)
        return self.model_copy(update={"opening": message, "replies": replies})

    def ended_before(self, message: int) -> Conversation:
        """The first `message` messages of it."""
        replies = tuple(reply for reply in self.replies if reply.message < message)
        return self.model_copy(update={"messages": self.messages[:message], "replies": replies})

    def after(self, opening: tuple[Message, ...]) -> Conversation:
        """The same with other messages given."""
        moved = len(opening) - self.opening
        return self.model_copy(
            update={
                "messages": (*opening, *self.learnt),
                "opening": len(opening),
                "replies": tuple(
                    reply.model_copy(update={"message": reply.message + moved}) for reply in self.replies
                ),
            }
        )


def conversation_of(trajectory: Trajectory, tools: tuple[Tool, ...] = ()) -> Conversation:
    """The last attempt's conversation, up to the end of the last thing that the model wrote.

    Outputs stand as the model last saw them. `tools` are those that it was offered.
    """
    messages = _without_tail(trajectory.messages)
    opening = next((n for n, message in enumerate(messages) if _is_reply(messages, n)), len(messages))
    if opening < len(messages) and messages[opening].role is Role.RAW:
        opening = 0
    return Conversation(
        messages=messages,
        opening=opening,
        replies=tuple(_replies(messages, opening, trajectory.turns)),
        tools=tools,
    )


def _wrote(message: Message) -> bool:
    return any(span.origin is Origin.MODEL for span in message.spans)


def _is_reply(messages: tuple[Message, ...], number: int) -> bool:
    message = messages[number]
    # An exemplar's calls stand before the problem, and are not the model's.
    asked = any(span.origin is Origin.PROBLEM for earlier in messages[:number] for span in earlier.spans)
    return _wrote(message) or (asked and bool(message.tool_calls))


def _without_tail(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    kept = list(messages)
    while kept and not (_wrote(kept[-1]) or kept[-1].tool_calls):
        kept.pop()
    if not kept:
        return messages
    last = kept[-1]
    pieces = last.pieces
    while pieces and pieces[-1][1] is not Origin.MODEL and not last.tool_calls:
        pieces.pop()
    kept[-1] = Message.of(last.role, *pieces, tool_calls=last.tool_calls, call_id=last.call_id)
    return tuple(kept)


def _replies(messages: tuple[Message, ...], opening: int, turns: tuple[Turn, ...]) -> Iterator[Reply]:
    """Find each turn's text among the pieces that the model wrote; adjacent turns share a piece."""
    waiting = list(turns)
    for number in range(opening, len(messages)):
        message = messages[number]
        for span in message.spans:
            if span.origin is not Origin.MODEL:
                continue
            at = span.start
            while waiting and at < span.end:
                turn = waiting[0]
                text = turn.completion.text[: turn.kept]
                if not message.content.startswith(text, at) or at + len(text) > span.end:
                    break
                waiting.pop(0)
                if not text:
                    continue
                yield _reply(number, at, turn)
                at += len(text)
        if message.tool_calls and not any(span.origin is Origin.MODEL for span in message.spans):
            # A reply that is nothing but calls has no text to be found by.
            turn_of = next((turn for turn in waiting if turn.completion.tool_calls), None)
            if turn_of is not None:
                del waiting[: waiting.index(turn_of) + 1]
                yield Reply(message=number, start=0, end=0, ended=_ended(turn_of))


def _reply(message: int, start: int, turn: Turn) -> Reply:
    completion = turn.completion
    whole = turn.kept == len(completion.text) and not completion.tool_calls
    return Reply(
        message=message,
        start=start,
        end=start + turn.kept,
        ended=_ended(turn),
        token_ids=completion.token_ids if whole else None,
    )


def _ended(turn: Turn) -> bool:
    # Where a part was cut away, the end of the turn is put where the agent wants it; that is what a
    # model should learn, as it should where a stop string ended it.
    return turn.completion.finish_reason is FinishReason.STOP
