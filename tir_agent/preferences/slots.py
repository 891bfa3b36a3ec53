"""A conversation as a chat template takes it, with places in it where other text can be put."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.messages import Message, ToolCall
from tir_agent.preferences.conversation import Conversation

__all__ = ["Chat", "Key", "Slot", "described", "fresh", "sentinels"]

Key: TypeAlias = tuple[int | str, ...]
"""Number of the message; of an argument's text also the call's number, and the way to it."""
_DIGITS: Final = 40


@dataclass(frozen=True)
class Slot:
    """A text of the conversation that the template lays something around."""

    key: Key
    text: str

    @property
    def message(self) -> int:
        return int(self.key[0])

    @property
    def argument(self) -> bool:
        """A text in a tool call's arguments, and no message's content."""
        return len(self.key) > 1


class Chat:
    """The messages as a template sees them.

    Raises:
        MaskError: arguments of a call are not a JSON object.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._arguments: dict[Key, dict[str, Any]] = {
            (n, c): _parsed(conversation, n, call)
            for n, message in enumerate(conversation.messages)
            for c, call in enumerate(message.tool_calls)
        }
        self.slots = tuple(self._slots())
        self.real: dict[Key, str] = {slot.key: slot.text for slot in self.slots}
        self.tools: list[Any] | None = [
            {"type": "function", "function": tool.model_dump(mode="json")} for tool in conversation.tools
        ] or None

    def _slots(self) -> Iterator[Slot]:
        for n, message in enumerate(self.conversation.messages):
            if message.content:
                yield Slot((n,), message.content)
            for c in range(len(message.tool_calls)):
                for path, text in _texts(self._arguments[n, c]):
                    yield Slot((n, c, *path), text)

    def said(
        self, texts: Mapping[Key, str], until: int | None = None, *, replaced: Mapping[Key, Any] | None = None
    ) -> list[Any]:
        """The first `until` messages with `texts` in their slots.

        `replaced` gives whole arguments, by message and call, in the place of the real ones.
        """
        return [
            self._message(n, message, texts, replaced or {})
            for n, message in enumerate(self.conversation.messages[:until])
        ]

    def calls(self) -> dict[Key, ToolCall]:
        """Every call, by its message and its number there."""
        return {
            (n, c): call
            for n, message in enumerate(self.conversation.messages)
            for c, call in enumerate(message.tool_calls)
        }

    def names(self, call: Key) -> list[str]:
        """The names in a call's arguments, those inside of others too."""
        return list(_names(self._arguments[call]))

    def has_text(self, call: Key) -> bool:
        """Whether a text is among a call's arguments."""
        return any(slot.key[:2] == call and slot.argument for slot in self.slots)

    def _message(
        self, n: int, message: Message, texts: Mapping[Key, str], replaced: Mapping[Key, Any]
    ) -> dict[str, Any]:
        said: dict[str, Any] = {"role": message.role.value, "content": texts.get((n,), "")}
        if message.tool_calls:
            said["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.name,
                        "arguments": replaced.get((n, c), _filled(self._arguments[n, c], (n, c), texts)),
                    },
                }
                for c, call in enumerate(message.tool_calls)
            ]
        if message.call_id is not None:
            said["tool_call_id"] = message.call_id
        return said


def described(conversation: Conversation, number: int) -> str:
    """A message as errors name it.

    >>> from tir_agent.messages import Origin
    >>> question = Message.of(Role.USER, ("1+1?", Origin.PROBLEM))
    >>> described(Conversation(messages=(question,), opening=1), 0)
    'message 1 of 1 (user)'
    """
    messages = conversation.messages
    return f"message {number + 1} of {len(messages)} ({messages[number].role})"


def sentinels(slots: Sequence[Slot], texts: Sequence[str]) -> dict[Key, str]:
    """For each slot digits that occur in none of `texts`.

    A template leaves digits as they are: they have no case, no white space and no mark-up. Each begins with
    the only nine in it, so that none can be found half in another.
    """
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass"))
    attempt = 0
    while True:
        seed = digest.digest() + attempt.to_bytes(4, "big")
        found = {slot.key: _digits(seed + n.to_bytes(4, "big")) for n, slot in enumerate(slots)}
        if not any(one in text for one in found.values() for text in texts):
            return found
        attempt += 1


def fresh(texts: Sequence[str]) -> str:
    """One such sentinel."""
    (mark,) = sentinels([Slot((0,), "")], texts).values()
    return mark


def _digits(seed: bytes) -> str:
    number = int.from_bytes(hashlib.sha256(seed).digest(), "big")
    return "9" + "".join(str(number // 9**n % 9) for n in range(_DIGITS - 1))


def _parsed(conversation: Conversation, number: int, call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise MaskError(
            f"The arguments of a call of {call.name} in {described(conversation, number)} are no JSON object",
            refusal=MaskRefusal.ARGUMENTS,
            hint="Leave out the trajectories whose calls are malformed",
        )
    return arguments


def _texts(value: Any, path: Key = ()) -> Iterator[tuple[Key, str]]:
    if isinstance(value, str):
        if value:
            yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _texts(one, (*path, name))
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from _texts(one, (*path, n))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from _names(one)
    elif isinstance(value, list):
        for one in value:
            yield from _names(one)


def _filled(value: Any, path: Key, texts: Mapping[Key, str]) -> Any:
    if isinstance(value, str):
        return texts.get(path, "")
    if isinstance(value, dict):
        return {name: _filled(one, (*path, name), texts) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, (*path, n), texts) for n, one in enumerate(value)]
    return value
