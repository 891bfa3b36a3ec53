"""Putting small questions to a server, and hearing what it makes of them, refusals included."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from tir_agent.errors import ModelError, ModelUnavailable
from tir_agent.models.connection import Connection
from tir_agent.models.faults import Passing
from tir_agent.models.requests import Endpoint
from tir_agent.models.wire import Choice, Chunk, ErrorBody, TokenCounts

__all__ = ["Heard", "Questioner"]

_AT_ONCE: Final = 4
"""Questions under way; more would meet the limits of hosted services."""
_TRIES: Final = 3
"""Of a question that the server is too busy for, or on which the connection broke."""
_ENOUGH: Final = 512
"""Characters after which a reply to a small question is cut: the server ignores its limit."""
_REFUSALS: Final = frozenset({401, 403})


@dataclass
class Heard:
    """The answer to one question, as far as it tells what the server can do."""

    text: str = ""
    reasoning: str = ""
    reasoning_field: str | None = None
    finish: str | None = None
    stop: str | None = None
    """The stop string that the server names."""
    usage: TokenCounts | None = None
    choices: set[int] = field(default_factory=set)
    logprobs: bool = False
    token_ids: bool = False
    called: list[str] = field(default_factory=list)
    """Functions."""
    cut: bool = False
    """It went on and on, and was cut here."""
    refusal: ErrorBody | None = None
    """The server refused the question; the rest is empty then."""
    error: Exception | None = None
    """What to raise where that refusal is the last word."""
    failed: bool = False
    """Nothing is known: the connection broke, or the server was too busy."""

    @property
    def ok(self) -> bool:
        """It is an answer."""
        return self.refusal is None and not self.failed

    @property
    def said(self) -> str:
        """All that the model wrote."""
        return self.reasoning + self.text

    def is_longer_than(self, tokens: int) -> bool:
        """It has more tokens than it might have, as far as can be seen."""
        return self.cut or (self.usage is not None and self.usage.completion_tokens > tokens)

    def take(self, chunk: Chunk) -> None:
        """Read one chunk."""
        self.usage = chunk.usage or self.usage
        self.token_ids = self.token_ids or bool(chunk.sglext and chunk.sglext.output_ids)
        for choice in chunk.choices:
            self.choices.add(choice.index)
            if choice.index == 0:
                self._take(choice)
        self.cut = len(self.said) > _ENOUGH

    def _take(self, choice: Choice) -> None:
        self.text += choice.text or ""
        if choice.delta is not None:
            self.text += choice.delta.content or ""
            for name, piece in (
                ("reasoning_content", choice.delta.reasoning_content),
                ("reasoning", choice.delta.reasoning),
            ):
                if piece:
                    self.reasoning += piece
                    self.reasoning_field = name
            self.called += [call.function.name for call in choice.delta.tool_calls if call.function.name]
        if choice.logprobs is not None:
            self.logprobs = self.logprobs or bool(choice.logprobs.values)
            self.token_ids = self.token_ids or bool(choice.logprobs.ids)
        self.token_ids = self.token_ids or bool(choice.token_ids)
        self.finish = choice.finish_reason or self.finish
        stop = choice.stop_reason if choice.stop_reason is not None else choice.matched_stop
        if isinstance(stop, str):
            self.stop = stop


class Questioner:
    """Asks one server about one model."""

    def __init__(self, connection: Connection, model: str) -> None:
        self._connection = connection
        self._model = model
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, endpoint: Endpoint, body: dict[str, object]) -> Heard:
        """Put a question, again where that may help.

        Raises:
            ModelUnavailable: the server cannot be reached at all.
            ModelRejected: it refuses the key.
        """
        heard = Heard(failed=True)
        async with self._places:
            for number in range(_TRIES):
                try:
                    heard = await self._ask(endpoint, body)
                except Passing as passing:
                    heard = Heard(failed=True, error=passing.error)
                    if passing.busy and number < _TRIES - 1:
                        await asyncio.sleep(passing.wait or 1.0)
                else:
                    break
        return heard

    async def _ask(self, endpoint: Endpoint, body: dict[str, object]) -> Heard:
        import httpx2
        import openai

        heard = Heard()
        body = {"model": self._model, "stream": True} | body
        try:
            async with self._connection.stream(endpoint, body) as chunks:
                async for chunk in chunks:
                    heard.take(chunk)
                    if heard.cut:
                        break
        except openai.APIStatusError as error:
            meaning = await self._connection.explain(error, endpoint)
            if error.status_code in _REFUSALS or (isinstance(meaning, Passing) and meaning.busy):
                raise meaning from error
            # Any other status, a crash inside the server included, answers the question: not this.
            told = meaning.error if isinstance(meaning, Passing) else meaning
            return Heard(refusal=ErrorBody.of(error.body), error=told)
        except (openai.OpenAIError, httpx2.TransportError) as error:
            meaning = await self._connection.explain(error, endpoint)
            if isinstance(meaning, (Passing, ModelUnavailable)):
                raise meaning from error
            return Heard(refusal=ErrorBody(), error=meaning)
        except ModelError as error:
            return Heard(refusal=ErrorBody(), error=error)
        return heard
