"""Messages in Hugging Face's form, as chat templates and most trainers read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from pydantic import JsonValue

from tir_agent.messages import Message, Tool, ToolCall
from tir_agent.preferences.dialects.columns import Column, ListOf, Scalar, Struct
from tir_agent.preferences.dialects.writer import DialectError, Misfit, Row
from tir_agent.preferences.examples import Example, sides

__all__ = ["Chat", "argument_of", "function"]

_CODE: Final = "code"
_HALF: Final = re.compile("[\ud800-\udfff]")


def argument_of(example: Example) -> str | None:
    """The name of the one argument that the example's function takes; None where nothing is called.

    The rows of a set have the same keys, so the writer of a set must be told.
    """
    for side in sides(example):
        for tool in side.conversation.tools:
            required = tool.parameters.get("required")
            if isinstance(required, list) and len(required) == 1:
                return str(required[0])
        if side.conversation.tools or any(message.tool_calls for message in side.conversation.messages):
            return _CODE
    return None


class Chat:
    """Messages with `role` and `content`; with calls, also `tool_calls`, `tool_call_id` and `name`.

    Keys of calls are there only where calls are: templates of several models take their presence, even
    with a null, for a call.
    """

    def __init__(self, argument: str | None) -> None:
        self._argument = argument

    @property
    def calls(self) -> bool:
        """Whether messages may have calls."""
        return self._argument is not None

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of one message."""
        plain = (Column("role", Scalar.TEXT), Column("content", Scalar.TEXT))
        if self._argument is None:
            return plain
        arguments = Struct((Column(self._argument, Scalar.TEXT),))
        called = Struct((Column("name", Scalar.TEXT), Column("arguments", arguments)))
        call = Struct((Column("id", Scalar.TEXT), Column("type", Scalar.TEXT), Column("function", called)))
        named = (Column("tool_call_id", Scalar.TEXT), Column("name", Scalar.TEXT))
        return (*plain, Column("tool_calls", ListOf(call)), *named)

    @property
    def tool_columns(self) -> tuple[Column, ...]:
        """Of one function, as `tools` gives it."""
        argument = Struct((Column("type", Scalar.TEXT), Column("description", Scalar.TEXT)))
        parameters = Struct(
            (
                Column("type", Scalar.TEXT),
                Column("properties", Struct((Column(self._argument or _CODE, argument),))),
                Column("required", ListOf(Scalar.TEXT)),
                Column("additionalProperties", Scalar.TRUTH),
            )
        )
        described = (
            Column("name", Scalar.TEXT),
            Column("description", Scalar.TEXT),
            Column("parameters", parameters),
        )
        return (Column("type", Scalar.TEXT), Column("function", Struct(described)))

    def tools(self, tools: tuple[Tool, ...], example: str) -> list[Row]:
        """All in one form, which is that of a function of one text.

        Raises:
            DialectError: a function takes something else.
        """
        for tool in tools:
            properties = tool.parameters.get("properties")
            taken = properties.get(self._argument or "") if isinstance(properties, dict) else None
            if (
                list(tool.parameters) != ["type", "properties", "required", "additionalProperties"]
                or not isinstance(properties, dict)
                or list(properties) != [self._argument]
                or not isinstance(taken, dict)
                or list(taken) != ["type", "description"]
            ):
                raise DialectError(Misfit.TOOLS, example)
        return [function(tool) for tool in tools]

    def messages(self, messages: Iterable[Message], example: str) -> list[Row]:
        """All in one form.

        Raises:
            DialectError: arguments of a call are not an object with the one text that is known.
        """
        rows: list[Row] = []
        names: dict[str, str] = {}
        for message in messages:
            names |= {call.id: call.name for call in message.tool_calls}
            rows.append(self._message(message, names, example))
        return rows

    def _message(self, message: Message, names: dict[str, str], example: str) -> Row:
        row: Row = {"role": message.role.value, "content": message.content}
        if self._argument is None:
            if message.tool_calls or message.call_id is not None:
                raise DialectError(Misfit.ARGUMENTS, example)
            return row
        calls: list[JsonValue] = [self._call(call, example) for call in message.tool_calls]
        row["tool_calls"] = calls or None
        row["tool_call_id"] = message.call_id
        row["name"] = names.get(message.call_id) if message.call_id is not None else None
        return row

    def _call(self, call: ToolCall, example: str) -> Row:
        return {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": self._arguments(call, example)},
        }

    def _arguments(self, call: ToolCall, example: str) -> Row:
        try:
            found: JsonValue = json.loads(call.arguments, strict=False)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and self._argument is not None and list(found) == [self._argument]:
            text = found[self._argument]
            # Half a character has no place in a file; JSON can name it all the same.
            if isinstance(text, str) and not _HALF.search(text):
                return found
        raise DialectError(Misfit.ARGUMENTS, example)


def function(tool: Tool) -> Row:
    """A tool in the chat API's form."""
    described: Row = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": described}
