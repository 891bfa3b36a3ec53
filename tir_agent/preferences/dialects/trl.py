"""TRL's conversational rows, with who wrote what beside the messages. What the training recipes read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from tir_agent.messages import Tool
from tir_agent.preferences.conversation import Conversation
from tir_agent.preferences.dialects.chat import Chat, function
from tir_agent.preferences.dialects.columns import Column, ListOf, Scalar, Struct
from tir_agent.preferences.dialects.facts import fact_columns, facts
from tir_agent.preferences.dialects.origins import REPLIES, SPANS, call_arguments, replies, spans
from tir_agent.preferences.dialects.parts import chats, side_names
from tir_agent.preferences.dialects.writer import Row
from tir_agent.preferences.examples import Example, Labelled
from tir_agent.settings import ExportKind

__all__ = ["TOOLS", "TrlWriter", "tools_text"]

TOOLS: Final = "tools"
"""JSON text in the rows, which TRL parses: JSON Schemas of several functions have no common Arrow type."""


class TrlWriter:
    """`prompt` with `completion`, with `completion` and `label`, or with `chosen` and `rejected`."""

    def __init__(self, kind: ExportKind, argument: str | None) -> None:
        self.kind = kind
        self._chat = Chat(argument)

    @property
    def columns(self) -> tuple[Column, ...]:
        texts = ("prompt", *side_names(self.kind))
        messages = ListOf(Struct(self._chat.columns))
        label = (Column("label", Scalar.TRUTH),) if self.kind is ExportKind.KTO else ()
        tools = (Column(TOOLS, Scalar.TEXT),) if self._chat.calls else ()
        wrote = tuple(column for name in texts for column in self._wrote(name))
        return (
            *(Column(name, messages) for name in texts),
            *label,
            *tools,
            *wrote,
            *fact_columns(self.kind),
        )

    def _wrote(self, name: str) -> tuple[Column, ...]:
        columns = [Column(f"{name}_spans", ListOf(SPANS))]
        if self._chat.calls:
            columns.append(Column(f"{name}_arguments", ListOf(ListOf(Scalar.TEXT))))
        if name != "prompt":
            columns.append(Column(f"{name}_replies", REPLIES))
        return tuple(columns)

    def row(self, example: Example) -> Row:
        parts = chats(example, self.kind)
        first = parts[0][1]
        row = self._given(first, example.id)
        for name, conversation in parts:
            row |= self._learnt(name, conversation, example.id)
        if isinstance(example, Labelled):
            row["label"] = example.label
        if self._chat.calls:
            row[TOOLS] = tools_text(first.tools)
        row |= facts(example, self.kind)
        return {column.name: row[column.name] for column in self.columns}

    def _given(self, conversation: Conversation, example: str) -> Row:
        row: Row = {
            "prompt": [*self._chat.messages(conversation.given, example)],
            "prompt_spans": [spans(message.spans) for message in conversation.given],
        }
        if self._chat.calls:
            row["prompt_arguments"] = call_arguments(conversation.given)
        return row

    def _learnt(self, name: str, conversation: Conversation, example: str) -> Row:
        messages = self._chat.messages(conversation.messages, example)
        row: Row = {
            name: [*messages[conversation.opening :]],
            f"{name}_spans": [spans(message.spans) for message in conversation.learnt],
            f"{name}_replies": replies(conversation.replies, conversation.opening),
        }
        if self._chat.calls:
            row[f"{name}_arguments"] = call_arguments(conversation.learnt)
        return row

    def card(self) -> str:
        trainer = {
            ExportKind.SFT: "SFTTrainer",
            ExportKind.KTO: "KTOTrainer",
            ExportKind.DPO: "DPOTrainer",
            ExportKind.STEPS: "DPOTrainer",
        }[self.kind]
        sides = " and ".join(f"`{name}`" for name in side_names(self.kind))
        return (
            f"Rows for TRL's `{trainer}`, conversational: `load_dataset` and hand it over. By itself it "
            f"trains on all of {sides}, outputs of the interpreter included. The columns `*_spans` say who "
            "wrote each character; the training recipes of tir-agent make from them a loss on the model's "
            "own tokens alone."
        )

    def files(self, data: Mapping[str, str]) -> dict[str, str]:
        return {}


def tools_text(tools: tuple[Tool, ...]) -> str | None:
    """The functions as JSON text; None where there are none."""
    return json.dumps([function(tool) for tool in tools], ensure_ascii=False) if tools else None
