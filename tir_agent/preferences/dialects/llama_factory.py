"""LLaMA-Factory's sharegpt form, and the file that tells it so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from tir_agent.messages import Message, Role
from tir_agent.preferences.conversation import Conversation
from tir_agent.preferences.dialects.chat import Chat, function
from tir_agent.preferences.dialects.columns import Column, ListOf, Scalar, Struct
from tir_agent.preferences.dialects.facts import fact_columns, facts
from tir_agent.preferences.dialects.parts import chats
from tir_agent.preferences.dialects.writer import DialectError, Misfit, Row
from tir_agent.preferences.examples import Example, Labelled, Pair
from tir_agent.settings import ExportKind

__all__ = ["LlamaFactoryWriter"]

_MESSAGE = Struct((Column("from", Scalar.TEXT), Column("value", Scalar.TEXT)))
_ASKING = ("human", "observation")
_ANSWERING = ("gpt", "function_call")


class LlamaFactoryWriter:
    """`conversations` in which those who ask and those who answer alternate, with `system` and `tools`;
    for KTO with `kto_tag`; for pairs with one message each under `chosen` and `rejected`.
    """

    def __init__(self, kind: ExportKind, argument: str | None) -> None:
        self.kind = kind
        self._chat = Chat(argument)

    @property
    def _paired(self) -> bool:
        return self.kind in (ExportKind.DPO, ExportKind.STEPS)

    @property
    def columns(self) -> tuple[Column, ...]:
        pair = (Column("chosen", _MESSAGE), Column("rejected", _MESSAGE)) if self._paired else ()
        label = (Column("kto_tag", Scalar.TRUTH),) if self.kind is ExportKind.KTO else ()
        return (
            Column("conversations", ListOf(_MESSAGE)),
            *pair,
            *label,
            Column("system", Scalar.TEXT),
            Column("tools", Scalar.TEXT),
            *fact_columns(self.kind),
        )

    def row(self, example: Example) -> Row:
        first = chats(example, self.kind)[0][1]
        row = self._pair(example) if isinstance(example, Pair) else self._whole(first, example.id)
        if isinstance(example, Labelled):
            row["kto_tag"] = example.label
        row["system"] = _system(first)
        # Text, and empty where there is nothing: that is what it puts in the place of a missing column.
        tools = [function(tool)["function"] for tool in first.tools]
        row["tools"] = json.dumps(tools, ensure_ascii=False) if tools else ""
        row |= facts(example, self.kind)
        return {column.name: row[column.name] for column in self.columns}

    def _whole(self, conversation: Conversation, example: str) -> Row:
        messages = self._messages(conversation.messages, example)
        if len(messages) % 2:
            raise DialectError(Misfit.ALTERNATION, example)
        if not messages[-1]["value"]:
            # Of KTO it tells desirable from undesirable by which of two messages is empty.
            raise DialectError(Misfit.EMPTY, example)
        return {"conversations": [*messages]}

    def _pair(self, pair: Pair) -> Row:
        sides = {"chosen": pair.chosen.conversation, "rejected": pair.rejected.conversation}
        given = self._messages(pair.chosen.conversation.given, pair.id)
        if not len(given) % 2:
            raise DialectError(Misfit.ALTERNATION, pair.id)
        row: Row = {"conversations": [*given]}
        for name, conversation in sides.items():
            if len(conversation.learnt) > 1:
                raise DialectError(Misfit.SEVERAL_MESSAGES, pair.id)
            message = self._messages(conversation.messages, pair.id)[-1]
            if not message["value"]:
                raise DialectError(Misfit.EMPTY, pair.id)
            row[name] = message
        return row

    def _messages(self, messages: Sequence[Message], example: str) -> list[Row]:
        if messages and messages[0].role is Role.SYSTEM:
            messages = messages[1:]
        rows = [self._message(message, example) for message in messages]
        for number, row in enumerate(rows):
            if row["from"] not in (_ANSWERING if number % 2 else _ASKING):
                raise DialectError(Misfit.ALTERNATION, example)
        return rows

    def _message(self, message: Message, example: str) -> Row:
        match message.role:
            case Role.USER:
                return {"from": "human", "value": message.content}
            case Role.TOOL:
                return {"from": "observation", "value": message.content}
            case Role.ASSISTANT if message.tool_calls:
                return {"from": "function_call", "value": self._calls(message, example)}
            case Role.ASSISTANT:
                return {"from": "gpt", "value": message.content}
            case Role.SYSTEM | Role.RAW:
                raise DialectError(Misfit.ALTERNATION, example)

    def _calls(self, message: Message, example: str) -> str:
        if message.content:
            raise DialectError(Misfit.TEXT_BESIDE_CALL, example)
        row = self._chat.messages([message], example)[0]
        calls = row["tool_calls"]
        assert isinstance(calls, list)
        named: list[JsonValue] = [call["function"] for call in calls if isinstance(call, dict)]
        return json.dumps(named if len(named) > 1 else named[0], ensure_ascii=False)

    def card(self) -> str:
        where = (
            "Rows for LLaMA-Factory: `dataset_dir` is this folder, `dataset` a name of `dataset_info.json`."
        )
        if self.kind is ExportKind.SFT:
            return (
                f"{where} Its loss falls on every message `gpt` and `function_call`, exemplars of the prompt "
                "included, and never on `human` and `observation`."
            )
        learnt = "the last message" if self.kind is ExportKind.KTO else "`chosen` and `rejected`"
        return f"{where} Its loss falls on {learnt} alone; everything before is given."

    def files(self, data: Mapping[str, str]) -> dict[str, str]:
        columns: dict[str, JsonValue] = {"messages": "conversations", "system": "system", "tools": "tools"}
        if self._paired:
            columns |= {"chosen": "chosen", "rejected": "rejected"}
        if self.kind is ExportKind.KTO:
            columns["kto_tag"] = "kto_tag"
        sets: dict[str, JsonValue] = {
            split: {
                "file_name": name,
                "formatting": "sharegpt",
                "ranking": self._paired,
                "columns": columns,
            }
            for split, name in data.items()
        }
        return {"dataset_info.json": json.dumps(sets, indent=2) + "\n"}


def _system(conversation: Conversation) -> str:
    first = conversation.messages[0]
    return first.content if first.role is Role.SYSTEM else ""
