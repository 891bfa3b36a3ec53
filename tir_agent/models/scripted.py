"""A model that says what it was told to say: for examples and tests of everything around a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tir_agent.errors import ModelUnavailable
from tir_agent.messages import Tool
from tir_agent.models.base import Listener
from tir_agent.models.capabilities import Capabilities, Prefill
from tir_agent.models.estimate import CHARS_PER_TOKEN, estimate_tokens
from tir_agent.models.stops import StopFilter
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion, FinishReason, Message

__all__ = ["ScriptedModel"]

_PIECE: Final = 12
"""Characters that the listener hears at a time."""
_CAPABILITIES: Final = Capabilities(
    completions=True,
    prefill=Prefill.BY_ITSELF,
    tools=True,
    stop_text=True,
    seed=True,
    stream_usage=True,
)


class ScriptedModel:
    """Gives `replies` one after the other, cut at stop strings and token limits as a server would.

    A reply is text, a whole `Completion` (for a finish reason, token counts or a reasoning of one's
    own), or an exception to raise. Token counts are estimates from the characters, so they are the
    same every time. `requests` holds the messages of every call.
    """

    def __init__(self, replies: Iterable[str | Completion | Exception], *, name: str = "scripted") -> None:
        self._replies = list(replies)
        self._name = name
        self.requests: list[tuple[Message, ...]] = []

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self._name

    @property
    def base_url(self) -> None:
        """None: there is no server."""
        return None

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        stop: Sequence[str] = (),
        tools: Sequence[Tool] = (),
        timeout: float,
        listener: Listener | None = None,
    ) -> Completion:
        """The next reply of the script; it comes at once, so `timeout` means nothing here.

        Raises:
            ModelUnavailable: the script has come to its end.
            Exception: where the script has one in this place.
        """
        self.requests.append(tuple(messages))
        turn = len(self.requests)
        if turn > len(self._replies):
            raise ModelUnavailable(
                f"The script has {len(self._replies)} replies, and reply {turn} was asked for",
                hint="Add replies, or lower --max-turns",
            )
        reply = self._replies[turn - 1]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, str):
            reply = _completion(reply, messages)
        reply = _cut(reply, stop, sampling.max_tokens)
        if listener is not None:
            for start in range(0, len(reply.text), _PIECE):
                listener.text(reply.text[start : start + _PIECE])
        return reply

    async def capabilities(self) -> Capabilities:
        """All that a script can be used for."""
        return _CAPABILITIES

    async def describe(self) -> None:
        """None: there is no server."""
        return

    async def close(self) -> None:
        """Nothing is held."""


def _completion(text: str, messages: Sequence[Message]) -> Completion:
    return Completion(
        text=text,
        finish_reason=FinishReason.STOP,
        prompt_tokens=sum(estimate_tokens(message.content) for message in messages),
        completion_tokens=estimate_tokens(text),
        estimated=True,
        duration=0.0,
    )


def _cut(reply: Completion, stop: Sequence[str], max_tokens: int) -> Completion:
    """The part of a reply that a server would have let the model write."""
    stops = StopFilter(stop)
    text = stops.feed(reply.text) + stops.flush()
    room = max_tokens * CHARS_PER_TOKEN
    if stops.hit is None and len(text) <= room:
        return reply
    cut = {"text": text[:room], "completion_tokens": estimate_tokens(text[:room]), "estimated": True}
    if len(text) > room:
        cut |= {"finish_reason": FinishReason.LENGTH}
    else:
        cut |= {"finish_reason": FinishReason.STOP, "stop_text": stops.hit}
    return reply.model_copy(update=cut | {"token_ids": None, "logprobs": None})
