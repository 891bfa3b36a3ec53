"""What the model would say, if nothing stopped it.

A mind is a function of the request. The server cuts what it says: at stop strings, at `max_tokens`, at
the end of the context.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.requests import Request, ToolCall

__all__ = ["Mind", "Utterance", "chance", "echo", "overlap", "scripted"]


@dataclass(frozen=True)
class Utterance:
    """A reply as the mind wants it; for a continued message or a raw prompt only what is new."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    thinking: str = ""


Mind = Callable[[Request], Utterance]


def echo(request: Request) -> Utterance:
    """Says what was said last: the raw prompt, or the text of the last message."""
    if request.prompt is not None:
        return Utterance(request.prompt)
    return Utterance(request.turns[-1].text)


def scripted(*replies: str | Utterance) -> Mind:
    """The first reply at the beginning of a conversation, the second one after one reply, and so on.

    In a raw prompt or an assistant's message that is continued, a reply counts as given where its text,
    up to the first stop string of the request, stands there. The last reply is for all that follow.
    """
    said = tuple(reply if isinstance(reply, Utterance) else Utterance(reply) for reply in replies)

    def mind(request: Request) -> Utterance:
        given = request.replies + _given(said[request.replies :], request)
        return said[min(given, len(said) - 1)]

    return mind


def chance(*replies: str) -> Mind:
    """One of these; the same one for the same seed and the same place among the `n` replies."""

    def mind(request: Request) -> Utterance:
        return Utterance(request.chance().choice(replies))

    return mind


def overlap(written: str, reply: str) -> int:
    """Length of the longest beginning of `reply` that `written` ends with."""
    for length in range(min(len(written), len(reply)), 0, -1):
        if written.endswith(reply[:length]):
            return length
    return 0


def _given(replies: tuple[Utterance, ...], request: Request) -> int:
    position = number = 0
    for reply in replies:
        stops = [at for stop in request.stop if (at := reply.text.find(stop)) >= 0]
        beginning = reply.text[: min(stops, default=len(reply.text))].strip()
        found = request.written.find(beginning, position) if beginning else -1
        if found < 0:
            break
        position = found + len(beginning)
        number += 1
    return number
