"""verl's rows: problems for reinforcement learning, and with solutions also for multi-turn SFT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tir_agent.preferences.dialects.chat import Chat
from tir_agent.preferences.dialects.columns import Column, ListOf, Scalar, Struct
from tir_agent.preferences.dialects.parts import chats
from tir_agent.preferences.dialects.writer import DialectError, Misfit, Row
from tir_agent.preferences.examples import Example, sides
from tir_agent.settings import ExportKind

__all__ = ["VerlWriter"]

_SOURCE: Final = "tir-agent"
"""verl chooses its reward function by this name; it has none of ours."""


class VerlWriter:
    """`data_source`, `prompt`, `ability`, `reward_model` and `extra_info`; for SFT also `messages`."""

    def __init__(self, kind: ExportKind, argument: str | None) -> None:
        self.kind = kind
        self._chat = Chat(argument)

    @property
    def columns(self) -> tuple[Column, ...]:
        messages = ListOf(Struct(self._chat.columns))
        solved = (Column("messages", messages),) if self.kind is ExportKind.SFT else ()
        tools = (Column("tools", ListOf(Struct(self._chat.tool_columns))),) if self._chat.calls else ()
        return (
            Column("data_source", Scalar.TEXT),
            Column("prompt", messages),
            Column("ability", Scalar.TEXT),
            Column(
                "reward_model", Struct((Column("style", Scalar.TEXT), Column("ground_truth", Scalar.TEXT)))
            ),
            Column(
                "extra_info",
                Struct(
                    (
                        Column("id", Scalar.TEXT),
                        Column("problem_id", Scalar.TEXT),
                        Column("problem", Scalar.TEXT),
                        Column("trajectory", Scalar.TEXT),
                    )
                ),
            ),
            *solved,
            *tools,
        )

    def row(self, example: Example) -> Row:
        conversation = chats(example, self.kind)[0][1]
        problem = example.problem
        if problem.gold is None:
            raise DialectError(Misfit.NO_GOLD, example.id)
        messages = self._chat.messages(conversation.messages, example.id)
        row: Row = {
            "data_source": _SOURCE,
            "prompt": [*messages[: conversation.opening]],
            "messages": [*messages],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": problem.gold},
            "extra_info": {
                "id": example.id,
                "problem_id": problem.id,
                "problem": problem.text,
                "trajectory": sides(example)[0].trajectory,
            },
        }
        if self._chat.calls:
            row["tools"] = [*self._chat.tools(conversation.tools, example.id)]
        return {column.name: row[column.name] for column in self.columns}

    def card(self) -> str:
        problems = (
            "Rows for verl's reinforcement learning, as Parquet: `data.train_files`, "
            "`data.prompt_key=prompt` and a `custom_reward_function` of yours, for verl has none for the "
            f"`data_source` `{_SOURCE}`."
        )
        if self.kind is ExportKind.SFT:
            return (
                f"{problems} The same files are read by its SFT trainer (`data.messages_key=messages`), "
                "whose loss falls on every message of the model's role, exemplars of the prompt included."
            )
        return f"{problems} Every row is the problem of a pair: one with right and with wrong trajectories."

    def files(self, data: Mapping[str, str]) -> dict[str, str]:
        return {}
