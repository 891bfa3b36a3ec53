"""Messages of a log, whatever they are called there, in one form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tir_agent.imports.names import SPEAKERS, Speaker
from tir_agent.imports.recording import Refusal
from tir_agent.messages import ToolCall
from tir_agent.problems.rows import Fields

__all__ = ["Saying", "sayings_of"]


@dataclass(frozen=True)
class Saying:
    """One message."""

    speaker: Speaker
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    """Of an output: the call that it answers."""
    reasoning: str | None = None


def sayings_of(fields: Fields) -> tuple[Saying, ...]:
    """The messages of a row; `system` beside ShareGPT's `conversations` is the first of them.

    Every call gets an id, where it has none, and every output that has none answers the next call that is
    not answered.

    Raises:
        Refusal: one of them is no message.
    """
    items = fields.get("messages")
    if not isinstance(items, list):
        items = fields.get("conversations")
    if not isinstance(items, list):
        raise Refusal("it has no list of messages")
    said = [_saying(item, number) for number, item in enumerate(items, 1)]
    system = fields.get("system")
    if isinstance(system, str) and system.strip() and said and said[0].speaker is not Speaker.SYSTEM:
        said.insert(0, Saying(Speaker.SYSTEM, system))
    return tuple(_answered(_joined(said)))


def _saying(item: object, number: int) -> Saying:
    place = f"message {number}"
    if not isinstance(item, Mapping):
        raise Refusal("a message is no object", place)
    role = item.get("role", item.get("from"))
    speaker = SPEAKERS.get(role.casefold()) if isinstance(role, str) else None
    if speaker is None:
        raise Refusal("a message has a role that is not known here", f"{place}: {role!r}")
    text = _text(item.get("content", item.get("value")), place)
    if speaker is Speaker.CALL:
        return Saying(Speaker.ASSISTANT, "", (_bare_call(text, place),))
    calls = item.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise Refusal("a message's tool_calls are no list", place)
    found = tuple(_call(call, place) for call in calls or ())
    if not found and isinstance(item.get("function_call"), Mapping):
        found = (_call({"function": item["function_call"]}, place),)
    call_id = item.get("tool_call_id")
    reasoning = item.get("reasoning_content", item.get("reasoning"))
    return Saying(
        speaker,
        text,
        found if speaker is Speaker.ASSISTANT else (),
        call_id if isinstance(call_id, str) and speaker is Speaker.OUTPUT else None,
        reasoning if isinstance(reasoning, str) and reasoning else None,
    )


def _text(content: object, place: str) -> str:
    """The words of a message: a string, or a list of parts of which each is a text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Refusal("a message's content is neither a text nor a list of texts", place)
    texts: list[str] = []
    for part in content:
        text = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(text, str):
            raise Refusal("a part of a message is no text", place)
        texts.append(text)
    return "".join(texts)


def _call(call: object, place: str) -> ToolCall:
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        raise Refusal("a tool call is no object", place)
    name, arguments, identity = function.get("name"), function.get("arguments", ""), call.get("id")
    if not isinstance(name, str):
        raise Refusal("a tool call has no name", place)
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(id=identity if isinstance(identity, str) else "", name=name, arguments=arguments)


def _bare_call(text: str, place: str) -> ToolCall:
    """ShareGPT's: the whole message is `{"name": ..., "arguments": ...}`."""
    try:
        content = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        raise Refusal("a function call is no JSON", place) from None
    return _call(content, place)


def _joined(said: Sequence[Saying]) -> list[Saying]:
    """ShareGPT's words before a call, and the call, are one message."""
    joined: list[Saying] = []
    for one in said:
        last = joined[-1] if joined else None
        bare = one.calls and not one.text and one.speaker is Speaker.ASSISTANT
        if last is not None and bare and last.speaker is Speaker.ASSISTANT:
            joined[-1] = replace(last, calls=(*last.calls, *one.calls))
        else:
            joined.append(one)
    return joined


def _answered(said: Sequence[Saying]) -> list[Saying]:
    waiting: list[str] = []
    taken = {call.id for one in said for call in one.calls if call.id}
    number = 0
    answered: list[Saying] = []
    for one in said:
        calls: list[ToolCall] = []
        for call in one.calls:
            while not call.id:
                number += 1
                if (identity := f"call-{number}") not in taken:
                    call = call.model_copy(update={"id": identity})
            calls.append(call)
            waiting.append(call.id)
        call_id = one.call_id
        if one.speaker is Speaker.OUTPUT and waiting:
            call_id = call_id if call_id in waiting else waiting[0]
            waiting.remove(call_id)
        elif one.speaker is Speaker.OUTPUT:
            call_id = None
        answered.append(replace(one, calls=tuple(calls), call_id=call_id))
    return answered
