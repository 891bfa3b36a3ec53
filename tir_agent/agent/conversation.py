"""What the model is sent: how replies and what is said to them grow into a conversation.

There is one class for each `ConversationForm`. The conversation only grows, but for `shortening`.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tir_agent.messages import Message, Origin, Role, ToolCall
from tir_agent.settings import ConversationForm
from tir_agent.trajectory import Feedback

__all__ = ["Conversation", "Part", "Pieces", "conversation_of"]

Pieces = Sequence[tuple[str, Origin]]
_GAP: Final = ("\n\n", Origin.PROMPT)


@dataclass(frozen=True)
class Part:
    """One thing that the agent says to a reply."""

    kind: Feedback
    pieces: Pieces
    call_id: str | None = None
    """The tool call that it answers."""


class Conversation(typing.Protocol):
    """Grows by replies and by what is said to them."""

    messages: list[Message]

    def add_reply(self, text: str, tool_calls: tuple[ToolCall, ...] = ()) -> None:
        """What is kept of a reply."""

    def tell(self, parts: Sequence[Part]) -> Message:
        """Say `parts` to the newest reply; the message that holds the last of them."""

    def begin_reply(self, pieces: Pieces) -> Message:
        """Words that the next reply goes on from."""


def conversation_of(form: ConversationForm, opening: Sequence[Message], closing: str = "") -> Conversation:
    """A conversation that begins with `opening`.

    `closing` is the mark that closes code in a prompt that was written for `PREFILL`, where the form is
    `MESSAGES` for want of it.
    """
    match form:
        case ConversationForm.MESSAGES:
            return Unfolded(opening, closing) if closing else Messages(opening)
        case ConversationForm.PREFILL:
            return Prefilled(opening)
        case ConversationForm.COMPLETION:
            return RawText(opening)


class Messages:
    """A chat, in which an output is a user's message, or a tool's where a tool was called."""

    def __init__(self, opening: Sequence[Message]) -> None:
        self.messages = list(opening)

    def add_reply(self, text: str, tool_calls: tuple[ToolCall, ...] = ()) -> None:
        reply = Message.of(Role.ASSISTANT, (text, Origin.MODEL), tool_calls=tool_calls)
        if self.messages and self.messages[-1].role is Role.ASSISTANT:
            before = self.messages.pop()
            reply = Message.of(Role.ASSISTANT, *before.pieces, *reply.pieces, tool_calls=tool_calls)
        self.messages.append(reply)

    def tell(self, parts: Sequence[Part]) -> Message:
        for part in parts:
            if part.call_id is not None:
                self.messages.append(Message.of(Role.TOOL, *part.pieces, call_id=part.call_id))
        if said := _joined([part for part in parts if part.call_id is None]):
            self.messages.append(Message.of(Role.USER, *said))
        return self.messages[-1]

    def begin_reply(self, pieces: Pieces) -> Message:
        last = self.messages[-1]
        if last.role is Role.ASSISTANT and last.content:
            self.messages[-1] = last.extended(_GAP, *pieces)
        elif last.role is Role.ASSISTANT:
            self.messages[-1] = last.extended(*pieces)
        else:
            self.messages.append(Message.of(Role.ASSISTANT, *pieces))
        return self.messages[-1]


class Prefilled(Messages):
    """A chat in which an output is appended to the assistant's message, and the model continues that.

    What is not an output (that a turn is the last, say) is a user's message all the same.
    """

    def tell(self, parts: Sequence[Part]) -> Message:
        outputs = [part for part in parts if part.kind in _OUTPUTS]
        for part in outputs:
            self.messages[-1] = self.messages[-1].extended(*part.pieces)
        if said := _joined([part for part in parts if part.kind not in _OUTPUTS]):
            self.messages.append(Message.of(Role.USER, *said))
        return self.messages[-1]


class Unfolded(Messages):
    """A chat for a prompt whose outputs would go on in the assistant's message, on a server without that.

    Where the wrapper of an output begins with the mark that closes code, since a stop string took it away,
    the mark ends the reply, and the rest of the wrapper is the user's message.
    """

    def __init__(self, opening: Sequence[Message], closing: str) -> None:
        super().__init__(opening)
        self._closing = closing

    def tell(self, parts: Sequence[Part]) -> Message:
        return super().tell([self._without_mark(part) for part in parts])

    def _without_mark(self, part: Part) -> Part:
        if part.kind not in _OUTPUTS or not part.pieces:
            return part
        (text, origin), *others = part.pieces
        before, mark, after = text.partition(self._closing)
        if not mark or before.strip():
            return part
        if not self.messages[-1].content.rstrip().endswith(mark):
            self.messages[-1] = self.messages[-1].extended((before + mark, origin))
        return replace(part, pieces=[(after.lstrip("\n"), origin), *others])


class RawText:
    """One text that grows. Whatever separates its parts is the prompt file's to write."""

    def __init__(self, opening: Sequence[Message]) -> None:
        self.messages = list(opening)

    def add_reply(self, text: str, tool_calls: tuple[ToolCall, ...] = ()) -> None:
        self.messages[-1] = self.messages[-1].extended((text, Origin.MODEL))

    def tell(self, parts: Sequence[Part]) -> Message:
        pieces = [piece for part in parts for piece in part.pieces]
        self.messages[-1] = self.messages[-1].extended(*pieces)
        return self.messages[-1]

    def begin_reply(self, pieces: Pieces) -> Message:
        self.messages[-1] = self.messages[-1].extended(*pieces)
        return self.messages[-1]


_OUTPUTS: Final = frozenset({Feedback.OBSERVATION, Feedback.MALFORMED, Feedback.REMAINING})


def _joined(parts: Sequence[Part]) -> list[tuple[str, Origin]]:
    """The parts as one text, with an empty line between them."""
    pieces: list[tuple[str, Origin]] = []
    for part in parts:
        pieces += [_GAP] if pieces else []
        pieces += part.pieces
    return pieces
