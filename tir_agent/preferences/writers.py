"""Who wrote which part of a content, and where a reply begins: where tokens may not go across."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.messages import Message, Origin
from tir_agent.preferences.conversation import Conversation, Reply
from tir_agent.preferences.tokens import Piece

__all__ = ["came_to_its_end", "content_pieces", "plain", "raw_pieces"]


def plain(conversation: Conversation) -> Conversation:
    """The same without lone surrogates, which a cell can print, and no server can be sent.

    A question mark stands in the place of each, as in what is sent to a server.
    """
    return conversation.model_copy(
        update={"messages": tuple(_plain_message(message) for message in conversation.messages)}
    )


def _plain_message(message: Message) -> Message:
    calls = tuple(
        call.model_copy(update={"arguments": _plain(call.arguments)}) for call in message.tool_calls
    )
    return message.model_copy(update={"content": _plain(message.content), "tool_calls": calls})


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def came_to_its_end(conversation: Conversation, number: int) -> bool:
    """Whether a message behind the opening ends where its last reply came to its end.

    Where something else was put behind that reply, the model never said that the turn is over.
    """
    message = conversation.messages[number]
    replies = _replies(conversation, number)
    if not replies or not replies[-1].ended:
        return False
    return bool(message.tool_calls) or replies[-1].end == len(message.content)


def content_pieces(
    conversation: Conversation, number: int, start: int, end: int, *, given: bool
) -> Iterator[Piece]:
    """Characters `start` to `end` of a message, cut where its writer changes and where a reply begins.

    Those of an opening are cut alike, so that moving the opening moves no token.
    """
    message = conversation.messages[number]
    replies = _replies(conversation, number)
    learnt = number >= conversation.opening
    cuts = {start, end}
    for span in message.spans:
        if span.origin is Origin.MODEL:
            cuts |= {span.start, span.end}
    cuts |= {place for reply in replies for place in (reply.start, reply.end)}
    inside = sorted(cut for cut in cuts if start <= cut <= end)
    sampled = {(reply.start, reply.end): reply.token_ids for reply in replies}
    for a, b in pairwise(inside):
        model = any(span.start <= a < span.end and span.origin is Origin.MODEL for span in message.spans)
        yield Piece(
            message.content[a:b],
            loss=model and learnt,
            given=given,
            template=False,
            ids=sampled.get((a, b)) if model and learnt else None,
        )


def raw_pieces(conversation: Conversation) -> Iterator[Piece]:
    """A text without a template, as it is. Special tokens are recognised where the prompt file wrote them.

    Raises:
        MaskError: there are other messages beside it.
    """
    if len(conversation.messages) > 1:
        raise MaskError(
            f"Raw text stands among {len(conversation.messages)} messages",
            refusal=MaskRefusal.NO_TEMPLATE,
            hint="A raw conversation is one message",
        )
    given = True
    for span in conversation.messages[0].spans:
        for piece in content_pieces(conversation, 0, span.start, span.end, given=True):
            given = given and not piece.loss
            author = span.origin is Origin.PROMPT
            yield Piece(piece.text, piece.loss, given, template=author, ids=piece.ids)


def _replies(conversation: Conversation, number: int) -> list[Reply]:
    return [reply for reply in conversation.replies if reply.message == number]
