"""The agent trajectory interchange format, version 1.7: what happened, as steps of an agent.

Specification: RFC 0001 of the Harbor framework, "Agent Trajectory Interchange Format". It has no place for
who wrote which characters, nor for verdicts: they stand under its `extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from tir_agent import __version__
from tir_agent.messages import Message, Origin, Role
from tir_agent.preferences.conversation import Conversation, Reply
from tir_agent.preferences.dialects.chat import Chat
from tir_agent.preferences.dialects.columns import Column, ListOf, Scalar, Struct
from tir_agent.preferences.dialects.facts import fact_columns, facts
from tir_agent.preferences.dialects.origins import SPANS, spans
from tir_agent.preferences.dialects.parts import chats, of_kind
from tir_agent.preferences.dialects.writer import Row
from tir_agent.preferences.examples import Candidate, Example, Labelled
from tir_agent.settings import ExportKind

__all__ = ["AtifWriter"]

_SCHEMA: Final = "ATIF-v1.7"
_WROTE = Struct((Column("role", Scalar.TEXT), Column("spans", SPANS)))
_SOURCES: Final = {Role.SYSTEM: "system", Role.USER: "user", Role.TOOL: "user", Role.ASSISTANT: "agent"}


class AtifWriter:
    """A trajectory for each row; for pairs, one under `chosen` and one under `rejected`."""

    def __init__(self, kind: ExportKind, argument: str | None) -> None:
        self.kind = kind
        self._chat = Chat(argument)
        self._argument = argument

    @property
    def _paired(self) -> bool:
        return self.kind in (ExportKind.DPO, ExportKind.STEPS)

    @property
    def columns(self) -> tuple[Column, ...]:
        label = (Column("label", Scalar.TRUTH),) if self.kind is ExportKind.KTO else ()
        if self._paired:
            whole = Struct(self._trajectory_columns(()))
            return (Column("chosen", whole), Column("rejected", whole), *fact_columns(self.kind))
        return self._trajectory_columns((*label, *fact_columns(self.kind)))

    def _trajectory_columns(self, known: tuple[Column, ...]) -> tuple[Column, ...]:
        agent = [Column("name", Scalar.TEXT), Column("version", Scalar.TEXT)]
        if self._chat.calls:
            agent.append(Column("tool_definitions", ListOf(Struct(self._chat.tool_columns))))
        metrics = (Column("total_completion_tokens", Scalar.INTEGER), Column("total_steps", Scalar.INTEGER))
        return (
            Column("schema_version", Scalar.TEXT),
            Column("session_id", Scalar.TEXT),
            Column("trajectory_id", Scalar.TEXT),
            Column("agent", Struct(tuple(agent))),
            Column("steps", ListOf(Struct(self._step_columns()))),
            Column("final_metrics", Struct(metrics)),
            *((Column("extra", Struct(known)),) if known else ()),
        )

    def _step_columns(self) -> tuple[Column, ...]:
        result = Struct(
            (Column("source_call_id", Scalar.TEXT), Column("content", Scalar.TEXT), Column("extra", _WROTE))
        )
        calls: tuple[Column, ...] = ()
        if self._argument is not None:
            call = (
                Column("tool_call_id", Scalar.TEXT),
                Column("function_name", Scalar.TEXT),
                Column("arguments", Struct((Column(self._argument, Scalar.TEXT),))),
            )
            calls = (Column("tool_calls", ListOf(Struct(call))),)
        return (
            Column("step_id", Scalar.INTEGER),
            Column("source", Scalar.TEXT),
            Column("message", Scalar.TEXT),
            *calls,
            Column("observation", Struct((Column("results", ListOf(result)),))),
            Column("metrics", Struct((Column("completion_token_ids", ListOf(Scalar.INTEGER)),))),
            Column("is_copied_context", Scalar.TRUTH),
            Column("llm_call_count", Scalar.INTEGER),
            Column("extra", _WROTE),
        )

    def row(self, example: Example) -> Row:
        chats(example, self.kind)
        known = facts(example, self.kind)
        row: Row = {}
        for name, side in of_kind(example, self.kind):
            trajectory = self._trajectory(side, f"{example.id}/{name}", example.id)
            row |= {name: trajectory} if self._paired else trajectory
        if self._paired:
            row |= known
        else:
            label: Row = {"label": example.label} if isinstance(example, Labelled) else {}
            row["extra"] = {**label, **known}
        return {column.name: row[column.name] for column in self.columns}

    def _trajectory(self, side: Candidate, name: str, example: str) -> Row:
        conversation = side.conversation
        agent: Row = {"name": "tir-agent", "version": __version__}
        if self._chat.calls:
            agent["tool_definitions"] = [*self._chat.tools(conversation.tools, example)]
        steps = self._steps(conversation, example)
        return {
            "schema_version": _SCHEMA,
            "session_id": side.trajectory,
            "trajectory_id": name,
            "agent": agent,
            "steps": [*steps],
            "final_metrics": {"total_completion_tokens": side.model_tokens, "total_steps": len(steps)},
        }

    def _steps(self, conversation: Conversation, example: str) -> list[Row]:
        steps: list[Row] = []
        results: list[JsonValue] = []
        calls: set[str] = set()
        shown = self._chat.messages(conversation.messages, example)
        for number, message in enumerate(conversation.messages):
            if steps and _is_observation(message):
                call = message.call_id if message.call_id in calls else None
                results.append({"source_call_id": call, "content": message.content, "extra": _wrote(message)})
                steps[-1]["observation"] = {"results": results}
                continue
            results, calls = [], {call.id for call in message.tool_calls}
            replies = [reply for reply in conversation.replies if reply.message == number]
            steps.append(self._step(len(steps) + 1, message, shown[number], replies))
            if message.role is Role.ASSISTANT and number < conversation.opening:
                steps[-1]["is_copied_context"] = True
        return steps

    def _step(self, number: int, message: Message, shown: Row, replies: list[Reply]) -> Row:
        step: Row = {"step_id": number, "source": _SOURCES[message.role], "message": message.content}
        if self._chat.calls:
            step["tool_calls"] = _calls(shown["tool_calls"])
        tokens = replies[0].token_ids if len(replies) == 1 else None
        return {
            **step,
            "observation": None,
            "metrics": {"completion_token_ids": list(tokens)} if tokens is not None else None,
            "is_copied_context": None,
            "llm_call_count": len(replies) or None,
            "extra": _wrote(message),
        }

    def card(self) -> str:
        where = "Under `chosen` and `rejected` stands" if self._paired else "Every row is"
        return (
            f"{where} a trajectory of the agent trajectory interchange format ({_SCHEMA}). Nulls stand for "
            "what is absent. `extra` has who wrote which characters, and steps of the agent that are marked "
            "as copied context were given and are not to be trained on."
        )

    def files(self, data: Mapping[str, str]) -> dict[str, str]:
        return {}


def _is_observation(message: Message) -> bool:
    if message.role is Role.TOOL:
        return True
    return message.role is Role.USER and any(span.origin is Origin.INTERPRETER for span in message.spans)


def _wrote(message: Message) -> Row:
    return {"role": message.role.value, "spans": spans(message.spans)}


def _calls(shown: JsonValue) -> list[JsonValue] | None:
    if not isinstance(shown, list):
        return None
    found: list[JsonValue] = []
    for call in shown:
        assert isinstance(call, dict)
        called = call["function"]
        assert isinstance(called, dict)
        found.append(
            {
                "tool_call_id": call["id"],
                "function_name": called["name"],
                "arguments": called["arguments"],
            }
        )
    return found
