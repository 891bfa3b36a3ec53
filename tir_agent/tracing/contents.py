"""What was said and run, as OpenTelemetry's schemas for messages have it. Only where it was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import JsonValue

from tir_agent.trajectory import Cell, Completion, Message, Role, ToolCall

__all__ = ["arguments_text", "input_text", "output_text", "result_text"]


def input_text(messages: Sequence[Message]) -> str:
    """The conversation that was sent: `gen_ai.input.messages`, as JSON."""
    return json.dumps([_message(message) for message in messages])


def output_text(completion: Completion) -> str:
    """The reply: `gen_ai.output.messages`, as JSON."""
    parts: list[JsonValue] = []
    if completion.reasoning:
        parts.append({"type": "reasoning", "content": completion.reasoning})
    parts += _said(completion.text, completion.tool_calls)
    reason = completion.finish_reason.value
    return json.dumps([{"role": Role.ASSISTANT.value, "parts": parts, "finish_reason": reason}])


def arguments_text(code: str) -> str:
    """`gen_ai.tool.call.arguments`, as JSON."""
    return json.dumps({"code": code})


def result_text(cell: Cell) -> str:
    """`gen_ai.tool.call.result`, as JSON: the output as the model saw it."""
    return json.dumps({"status": cell.execution.status.value, "output": cell.shown})


def _message(message: Message) -> JsonValue:
    if message.role is Role.TOOL:
        response: JsonValue = {
            "type": "tool_call_response",
            "id": message.call_id,
            "response": message.content,
        }
        return {"role": message.role.value, "parts": [response]}
    # The schema has no role for raw text; what is sent is the user's.
    role = Role.USER if message.role is Role.RAW else message.role
    return {"role": role.value, "parts": _said(message.content, message.tool_calls)}


def _said(text: str, calls: Sequence[ToolCall]) -> list[JsonValue]:
    parts: list[JsonValue] = [{"type": "text", "content": text}] if text else []
    for call in calls:
        parts.append({"type": "tool_call", "id": call.id, "name": call.name, "arguments": _parsed(call)})
    return parts


def _parsed(call: ToolCall) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return call.arguments
    return parsed
