"""Whole conversations as chat messages, the form that most tools read."""

from __future__ import annotations

from collections.abc import Mapping

from tir_agent.preferences.dialects.chat import Chat
from tir_agent.preferences.dialects.columns import Column, ListOf, Scalar, Struct
from tir_agent.preferences.dialects.facts import fact_columns, facts
from tir_agent.preferences.dialects.parts import chats, side_names
from tir_agent.preferences.dialects.writer import Row
from tir_agent.preferences.examples import Example, Labelled
from tir_agent.settings import ExportKind

__all__ = ["MessagesWriter"]


class MessagesWriter:
    """`messages`, with `label` for KTO; or `chosen` and `rejected`, which begin with the same messages."""

    def __init__(self, kind: ExportKind, argument: str | None) -> None:
        self.kind = kind
        self._chat = Chat(argument)

    @property
    def columns(self) -> tuple[Column, ...]:
        messages = ListOf(Struct(self._chat.columns))
        label = (Column("label", Scalar.TRUTH),) if self.kind is ExportKind.KTO else ()
        tools = (Column("tools", ListOf(Struct(self._chat.tool_columns))),) if self._chat.calls else ()
        names = (_name(side) for side in side_names(self.kind))
        return (*(Column(name, messages) for name in names), *label, *tools, *fact_columns(self.kind))

    def row(self, example: Example) -> Row:
        parts = chats(example, self.kind)
        row: Row = {
            _name(side): [*self._chat.messages(conversation.messages, example.id)]
            for side, conversation in parts
        }
        if isinstance(example, Labelled):
            row["label"] = example.label
        if self._chat.calls:
            row["tools"] = [*self._chat.tools(parts[0][1].tools, example.id)]
        row |= facts(example, self.kind)
        return {column.name: row[column.name] for column in self.columns}

    def card(self) -> str:
        names = " and ".join(f"`{_name(side)}`" for side in side_names(self.kind))
        return (
            f"Whole conversations under {names}, as chat messages. Nothing says which of them a loss may "
            "fall on: the tool that reads them decides by role, and exemplars of the prompt have the "
            "model's role as well."
        )

    def files(self, data: Mapping[str, str]) -> dict[str, str]:
        return {}


def _name(side: str) -> str:
    return "messages" if side == "completion" else side
