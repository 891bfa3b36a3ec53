"""Native tool calls: code in the argument of a function that the server offers to the model.

What stands in a call is JSON, if the model got it right. These habits are forgiven, since what is meant
cannot be mistaken: line breaks in strings, JSON inside a JSON string, a Markdown fence around the code, a
namespace before the function's name (`functions.python`), and arguments that are the code itself. The last
counts only where the text does not begin as JSON does: broken JSON is refused, and the model told where it
breaks.
"""

from __future__ import annotations

import json
import re
from json import JSONDecodeError

from pydantic import JsonValue

from tir_agent.messages import Tool, ToolCall
from tir_agent.protocols.base import Action, BadCall, CodeBlock, Malformed
from tir_agent.protocols.wrapping import without_fence
from tir_agent.settings import ToolCalls
from tir_agent.trajectory import Completion

__all__ = ["ToolCallsProtocol"]

_BEGINS_AS_JSON = re.compile(r'\s*(?:[{\[]|"(?!""))')
_SEPARATORS = re.compile(r"[.:/]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_KINDS = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}


class _Refused(Exception):
    """A call cannot be followed."""

    def __init__(self, why: Malformed, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail


class ToolCallsProtocol:
    """Code in calls of one function. Every call that cannot be followed is a `BadCall`."""

    executes = True

    def __init__(self, choice: ToolCalls) -> None:
        self._choice = choice
        argument: dict[str, JsonValue] = {"type": "string", "description": choice.argument_description}
        parameters: dict[str, JsonValue] = {
            "type": "object",
            "properties": {choice.argument: argument},
            "required": [choice.argument],
            "additionalProperties": False,
        }
        self.tools: tuple[Tool, ...] = (
            Tool(name=choice.name, description=choice.description, parameters=parameters),
        )

    def parse(self, completion: Completion) -> Action:
        blocks: list[CodeBlock] = []
        bad: list[BadCall] = []
        for call in completion.tool_calls:
            # Only the last one can have been cut off, and what came before it is whole.
            last = call is completion.tool_calls[-1]
            try:
                code = self._code(call, cut_off=last and completion.cut_off)
            except _Refused as refused:
                bad.append(BadCall(call.id, refused.why, refused.detail))
            else:
                blocks.append(CodeBlock(code, 0, 0, call_id=call.id))
        text = completion.text
        return Action(kept=len(text), blocks=tuple(blocks), prose=text, bad_calls=tuple(bad))

    def _code(self, call: ToolCall, *, cut_off: bool) -> str:
        if not self._is_known(call.name):
            detail = f"there is no function {call.name!r}; there is {self._choice.name!r}"
            raise _Refused(Malformed.UNKNOWN_TOOL, detail)
        try:
            source = self._argument(call.arguments)
        except ValueError as error:
            if cut_off:
                raise _Refused(Malformed.CUT_OFF, "the call was cut off inside its arguments") from None
            raise _Refused(Malformed.BAD_ARGUMENTS, _says(error)) from None
        except RecursionError:
            raise _Refused(Malformed.BAD_ARGUMENTS, "the arguments are nested too deeply") from None
        if cut_off and not _BEGINS_AS_JSON.match(call.arguments):
            raise _Refused(Malformed.CUT_OFF, "the call was cut off inside the code")
        code = source[slice(*without_fence(source, 0, len(source)))]
        if not code.strip():
            raise _Refused(Malformed.EMPTY, f"{self._choice.argument} is empty")
        if half := _SURROGATE.search(code):
            detail = f"{self._choice.argument} has half a character (a lone surrogate) at {half.start()}"
            raise _Refused(Malformed.BAD_ARGUMENTS, detail)
        return code

    def _is_known(self, name: str) -> bool:
        wanted = self._choice.name.casefold()
        return wanted in {part.casefold().strip() for part in _SEPARATORS.split(name)}

    def _argument(self, arguments: str) -> str:
        """The code, or ValueError with what is wrong."""
        if not _BEGINS_AS_JSON.match(arguments):
            if not arguments.strip():
                raise ValueError(f"{self._choice.argument} is missing")
            return arguments
        content = json.loads(arguments, strict=False)
        if isinstance(content, str):
            if not _BEGINS_AS_JSON.match(content):
                return content
            content = json.loads(content, strict=False)
        if not isinstance(content, dict):
            raise ValueError(f"the arguments must be an object, not {_kind(content)}")
        return self._only(content)

    def _only(self, content: dict[str, object]) -> str:
        name = self._choice.argument
        if name not in content:
            raise ValueError(f"{name} is missing")
        if unknown := next((key for key in content if key != name), None):
            raise ValueError(f"there is no argument {unknown!r}; the only one is {name}")
        value = content[name]
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a string, not {_kind(value)}")
        return value


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "null" if value is None else "a string")


def _says(error: ValueError) -> str:
    if isinstance(error, JSONDecodeError):
        return f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    return str(error)
