"""Making room in a conversation that fills its context window: old outputs are shortened first.

A reply is never touched, and neither is the problem or a word of the prompt file: only what the
interpreter wrote can be had again by running code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tir_agent.messages import Message, Origin
from tir_agent.trajectory import Shortening

__all__ = ["shorten"]

_KEPT: Final = 100
"""Characters that stay of an output."""
_NOTE: Final = "... [{count} characters removed to save space]"
_WORTH: Final = 100
"""Characters that must be saved by it; else an output stays as it is."""


def shorten(messages: Sequence[Message], *, turn: int) -> tuple[list[Message], list[Shortening]]:
    """Shorten all outputs but the newest; where that saves nothing, the newest too.

    `turn` is the number of the reply that comes next, from 0. Returns the new messages and what was
    done to them; nothing where nothing can be saved.
    """
    spots = [
        (number, start, end)
        for number, message in enumerate(messages)
        for start, end in _outputs(message)
        if end - start > _KEPT + len(_NOTE) + _WORTH
    ]
    newest = _newest(messages)
    chosen = [spot for spot in spots if spot != newest] or spots
    changed = list(messages)
    done: list[Shortening] = []
    # From the end, so that the places of those before stay true.
    for number, start, end in reversed(chosen):
        message = changed[number]
        removed = message.content[start + _KEPT : end]
        note = _NOTE.format(count=len(removed))
        done.append(
            Shortening(turn=turn, message=number, start=start + _KEPT, removed=removed, replacement=note)
        )
        changed[number] = _replaced(message, start + _KEPT, end, note)
    return changed, done


def _outputs(message: Message) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in message.spans if span.origin is Origin.INTERPRETER]


def _newest(messages: Sequence[Message]) -> tuple[int, int, int] | None:
    for number in range(len(messages) - 1, -1, -1):
        if outputs := _outputs(messages[number]):
            return (number, *outputs[-1])
    return None


def _replaced(message: Message, start: int, end: int, text: str) -> Message:
    """`message` with `text` in the place of characters `start` to `end`, which lie in one span."""
    pieces: list[tuple[str, Origin]] = []
    for span in message.spans:
        content = message.content[span.start : span.end]
        if span.start <= start and end <= span.end:
            content = content[: start - span.start] + text + content[end - span.start :]
        pieces.append((content, span.origin))
    return Message.of(message.role, *pieces, tool_calls=message.tool_calls, call_id=message.call_id)
