"""OpenRLHF's lists of messages."""

from __future__ import annotations

from collections.abc import Mapping

from tir_agent.preferences.dialects.chat import Chat
from tir_agent.preferences.dialects.columns import Column, ListOf, Scalar, Struct
from tir_agent.preferences.dialects.facts import fact_columns, facts
from tir_agent.preferences.dialects.parts import chats
from tir_agent.preferences.dialects.writer import Row
from tir_agent.preferences.examples import Example
from tir_agent.settings import ExportKind

__all__ = ["OpenRlhfWriter"]

_MARGIN = "margin"
"""OpenRLHF's reward model takes a column of this name for its loss's margin; a difference of rewards of
another scale is none."""


class OpenRlhfWriter:
    """`input`, `output` and both of them as `messages`; or `prompt`, `chosen` and `rejected`.

    It gives the chat template no tools, so that conversations with calls have no form.
    """

    def __init__(self, kind: ExportKind) -> None:
        self.kind = kind
        self._chat = Chat(None)

    @property
    def columns(self) -> tuple[Column, ...]:
        messages = ListOf(Struct(self._chat.columns))
        paired = ("prompt", "chosen", "rejected")
        names = ("input", "output", "messages") if self.kind is ExportKind.SFT else paired
        known = (column for column in fact_columns(self.kind) if column.name != _MARGIN)
        correct = (Column("reward_margin", Scalar.NUMBER),) if self.kind is not ExportKind.SFT else ()
        return (*(Column(name, messages) for name in names), *known, *correct)

    def row(self, example: Example) -> Row:
        parts = chats(example, self.kind)
        row = facts(example, self.kind)
        row["reward_margin"] = row.pop(_MARGIN, None)
        for name, conversation in parts:
            messages = self._chat.messages(conversation.messages, example.id)
            given, learnt = messages[: conversation.opening], messages[conversation.opening :]
            if self.kind is ExportKind.SFT:
                row |= {"input": [*given], "output": [*learnt], "messages": [*messages]}
            else:
                row |= {"prompt": [*given], name: [*learnt]}
        return {column.name: row[column.name] for column in self.columns}

    def card(self) -> str:
        if self.kind is ExportKind.SFT:
            return (
                "Rows for OpenRLHF's `train_sft`: `--data.apply_chat_template --data.multiturn "
                "--data.input_key messages` trains on every message of the model's role, exemplars of the "
                "prompt included; `--data.input_key input --data.output_key output` without "
                "`--data.multiturn` on all that follows the prompt, outputs included."
            )
        return (
            "Rows for OpenRLHF's `train_dpo`: `--data.apply_chat_template --data.prompt_key prompt "
            "--data.chosen_key chosen --data.rejected_key rejected`. Its loss falls on all that follows "
            "the prompt, outputs of the interpreter included."
        )

    def files(self, data: Mapping[str, str]) -> dict[str, str]:
        return {}
