"""TRL's plain text: messages rendered by a chat template, or one text as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import JsonValue

from tir_agent.messages import Message, Origin, Role
from tir_agent.preferences.conversation import Conversation
from tir_agent.preferences.dialects.chat import Chat, function
from tir_agent.preferences.dialects.columns import Column, Scalar
from tir_agent.preferences.dialects.facts import fact_columns, facts
from tir_agent.preferences.dialects.origins import REPLIES, SPANS, replies, spans
from tir_agent.preferences.dialects.parts import chats, of_kind, side_names
from tir_agent.preferences.dialects.writer import DialectError, Misfit, Render, Row
from tir_agent.preferences.examples import Example, Labelled
from tir_agent.settings import ExportKind

__all__ = ["TextWriter"]


class _Side(NamedTuple):
    """One side as text. The lists are null where a template rendered it, since nothing says where in its
    text a message stands."""

    prompt: str
    completion: str
    prompt_spans: list[JsonValue] | None = None
    spans: list[JsonValue] | None = None
    replies: list[JsonValue] | None = None


class TextWriter:
    """`prompt` with `completion`, with `completion` and `label`, or with `chosen` and `rejected`: strings.

    What stands in `prompt` is exactly how the prompt with what follows begins.
    """

    def __init__(self, kind: ExportKind, argument: str | None, render: Render | None) -> None:
        self.kind = kind
        self._chat = Chat(argument)
        self._render = render

    @property
    def columns(self) -> tuple[Column, ...]:
        names = side_names(self.kind)
        label = (Column("label", Scalar.TRUTH),) if self.kind is ExportKind.KTO else ()
        wrote = (
            column
            for name in names
            for column in (Column(f"{name}_spans", SPANS), Column(f"{name}_replies", REPLIES))
        )
        return (
            *(Column(name, Scalar.TEXT) for name in ("prompt", *names)),
            *label,
            Column("prompt_spans", SPANS),
            *wrote,
            *fact_columns(self.kind),
        )

    def row(self, example: Example) -> Row:
        parts = [(name, side.conversation) for name, side in of_kind(example, self.kind)]
        if not all(conversation.raw for _, conversation in parts):
            chats(example, self.kind)
        texts = [(name, self._side(conversation, example.id)) for name, conversation in parts]
        first = texts[0][1]
        if any((side.prompt, side.prompt_spans) != (first.prompt, first.prompt_spans) for _, side in texts):
            raise DialectError(Misfit.GIVEN_DIFFERS, example.id)
        row: Row = {"prompt": first.prompt, "prompt_spans": first.prompt_spans}
        for name, side in texts:
            row |= {name: side.completion, f"{name}_spans": side.spans, f"{name}_replies": side.replies}
        if isinstance(example, Labelled):
            row["label"] = example.label
        row |= facts(example, self.kind)
        return {column.name: row[column.name] for column in self.columns}

    def _side(self, conversation: Conversation, example: str) -> _Side:
        if not conversation.raw:
            return self._rendered(conversation, example)
        if [message.role for message in conversation.messages] != [Role.RAW] or conversation.opening:
            raise DialectError(Misfit.NOT_ONE_TEXT, example)
        return _divided(conversation, example)

    def _rendered(self, conversation: Conversation, example: str) -> _Side:
        if self._render is None:
            raise DialectError(Misfit.NO_TEMPLATE, example)
        messages = [_without_nulls(row) for row in self._chat.messages(conversation.messages, example)]
        tools = [function(tool) for tool in conversation.tools] or None
        given = self._render(messages[: conversation.opening], tools, add_generation_prompt=True)
        whole = self._render(messages, tools, add_generation_prompt=False)
        last = conversation.messages[-1].content
        if not last or not whole.endswith(last):
            # The line break behind the end of a turn is the template's, and no model writes it.
            whole = whole.rstrip("\n")
        if not whole.startswith(given) or len(whole) == len(given):
            raise DialectError(Misfit.PREFIX, example)
        return _Side(given, whole[len(given) :])

    def card(self) -> str:
        return (
            "Rows for TRL's trainers, as plain text: `load_dataset` and hand it over. The chat template has "
            "been laid around the messages already. TRL's loss falls on everything behind the prompt, "
            "outputs of the interpreter included; the dialect `trl` is the one with exact masks."
        )

    def files(self, data: Mapping[str, str]) -> dict[str, str]:
        return {}


def _without_nulls(row: Row) -> Row:
    """A template may take a key for a call, whatever its value."""
    return {key: value for key, value in row.items() if value is not None}


def _divided(conversation: Conversation, example: str) -> _Side:
    """Up to the model's first character, and from there on."""
    message = conversation.messages[0]
    pieces = message.pieces
    first = next((n for n, (_, origin) in enumerate(pieces) if origin is Origin.MODEL), None)
    if first is None:
        raise DialectError(Misfit.NOTHING_LEARNT, example)
    given, learnt = (Message.of(Role.RAW, *part) for part in (pieces[:first], pieces[first:]))
    at = len(given.content)
    moved = (
        reply.model_copy(update={"start": reply.start - at, "end": reply.end - at})
        for reply in conversation.replies
    )
    return _Side(
        given.content, learnt.content, spans(given.spans), spans(learnt.spans), replies(moved, opening=0)
    )
