"""Models behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama, or a hosted service.

Covered: the streamed `/chat/completions`, stop strings that hold whatever the server makes of them,
retries, deadlines, and errors that say what to do. Not covered: tool calls, images, several replies
at once (ask several times), and anything that only one server has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import tenacity

from tir_agent.errors import ModelError, ModelUnavailable
from tir_agent.messages import Tool
from tir_agent.models.base import Listener
from tir_agent.models.capabilities import Capabilities
from tir_agent.models.connection import Connection
from tir_agent.models.faults import Passing, dropped
from tir_agent.models.limiter import Place, RateLimiter
from tir_agent.models.stream import Reply, estimate_tokens
from tir_agent.models.wire import ModelCard
from tir_agent.settings import RateLimits, Sampling
from tir_agent.trajectory import Completion, Message

__all__ = ["OPENAI_URL", "OpenAIModel", "Patience"]

OPENAI_URL: Final = "https://api.openai.com/v1"
_MOST_STOPS: Final = 4
"""OpenAI refuses more; those beyond are watched for on this side alone."""
_DISPENSABLE: Final = frozenset({"stream_options", "stop", "logprobs", "return_token_ids"})
"""Fields that can be left out where a server refuses them: the reply's text stays the same."""
_CLOSING_SECONDS: Final = 5.0
"""How long the rest of a stream may take when the reply itself has ended: only the counts are to come."""
_UNLIMITED: Final = RateLimits(concurrent=1_000_000, adaptive=False)
_TOO_LATE: Final = 0.5
"""Seconds before its deadline at which a request that still waits for its turn is given up: it could no
longer be answered, and the reason can still be told."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to try again. All times are in seconds."""

    connect: float = 10.0
    first_chunk: float = 300.0
    """From the request to the first piece: the server may have a queue, and long prompts take time."""
    stall: float = 60.0
    """Between two pieces."""
    attempts: int = 5
    """At most, unless the server says that it is busy (429, 503): then until the deadline."""
    first_wait: float = 0.5
    """Before the second attempt, and its random part; doubled each time."""
    longest_wait: float = 20.0


class OpenAIModel:
    """A model behind an OpenAI-compatible server. To be used and closed in one event loop."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        tokens: bool = False,
        patience: Patience | None = None,
        limiter: RateLimiter | None = None,
    ) -> None:
        """`tokens` asks for token ids and logprobs, which cost bandwidth; not every server has them.

        `limiter` is the one that all requests to this server share; None sets no limit, and keeps only the
        pauses that the server asks for.

        Raises:
            UsageError: `base_url` is not an HTTP address, or `api_key` cannot be sent in a header.
        """
        self._name = name
        self._tokens = tokens
        self._patience = patience or Patience()
        self._limiter = limiter or RateLimiter(_UNLIMITED)
        self._connection = Connection(
            base_url or OPENAI_URL, api_key, name, connect_seconds=self._patience.connect
        )
        self._limit_field = "max_tokens"
        self._left_out: set[str] = set()

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self._name

    @property
    def base_url(self) -> str:
        """Where it is served."""
        return self._connection.url

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
        """Sample the next assistant message; `Model.complete` says the rest.

        A connection that is refused is tried again only where this server has answered before: else
        the address is wrong or nothing runs there, and waiting would not help.
        """
        started = time.monotonic()
        late = asyncio.get_running_loop().time() + timeout - min(_TOO_LATE, timeout / 10)
        request = _Request(messages, sampling, tuple(stop), listener, late)
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Passing),
            wait=self._wait,
            stop=lambda state: self._give_up(state, timeout),
            before_sleep=request.restart,
            reraise=True,
        )
        try:
            async with asyncio.timeout(timeout):
                reply: Reply = await retrying(self._attempt, request)
        except Passing as passing:
            raise passing.error from passing.__cause__
        except TimeoutError:
            raise ModelUnavailable(
                f"The model server at {self.base_url} did not finish its reply within {timeout:g} seconds"
                + (f"; before that: {request.trouble}" if request.trouble else "")
            ) from None
        duration = time.monotonic() - started
        return reply.completion(messages, duration=duration, attempts=request.sent, queued=request.queued)

    async def models(self, *, timeout: float = 5.0) -> tuple[ModelCard, ...]:
        """What the server offers.

        Raises:
            ModelUnavailable: it cannot be reached, or does not answer within `timeout` seconds.
            ModelRejected: it refuses the key, or has no such list.
        """
        return await self._connection.models(timeout)

    async def capabilities(self) -> Capabilities:
        """What the server can do."""
        return Capabilities()

    async def describe(self) -> str | None:
        """Who serves the model, with which context window, as far as the server tells."""
        try:
            cards = await self.models(timeout=3.0)
            card = next((card for card in cards if card.id == self._name), None)
            parts = [(card or cards[0]).owned_by or "unnamed"] if cards else []
            context = card.max_model_len if card else None
            if parts == ["llamacpp"]:
                props = await self._connection.props(timeout=3.0)
                parts += [f"build {props.build_info}"] if props.build_info else []
                context = context or props.context
        except ModelError:
            return None
        parts += [f"context of {context} tokens"] if context else []
        return ", ".join(parts) or None

    async def close(self) -> None:
        """Close its connections. Idempotent."""
        await self._connection.close()

    async def _attempt(self, request: _Request) -> Reply:
        import httpx2
        import openai

        while True:
            body = self._body(request)
            reply = Reply(request.stop, request.sampling.max_tokens, request.listener)
            async with self._limiter.place(tokens=request.tokens, deadline=request.late) as place:
                request.sent += 1
                request.queued += place.waited
                try:
                    await self._read(body, reply)
                except openai.BadRequestError as error:
                    if not self._adapt(error.param, body):
                        raise await self._connection.explain(error) from error
                    continue
                except (openai.OpenAIError, httpx2.TransportError, Passing) as error:
                    if reply.finish is None:
                        raise await self._meaning(error, place) from error
                if reply.finish is None:
                    raise dropped(self.base_url, "ended the reply without saying why")
                if reply.usage is not None:
                    place.settle(reply.usage.prompt_tokens + reply.usage.completion_tokens)
                return reply

    async def _meaning(self, error: Exception, place: Place) -> Exception:
        meaning = await self._connection.explain(error)
        if isinstance(meaning, Passing) and meaning.busy:
            place.busy(meaning.wait)
        return meaning

    async def _read(self, body: dict[str, object], reply: Reply) -> None:
        clock = asyncio.get_running_loop().time
        seconds = self._patience.first_chunk
        try:
            async with asyncio.timeout(seconds) as limit, self._connection.stream(body) as chunks:
                async for chunk in chunks:
                    reply.take(chunk)
                    if reply.cut:
                        break
                    seconds = _CLOSING_SECONDS if reply.finish else self._patience.stall
                    # Pieces come so fast that the timer is set anew only when it would be off by a hundredth.
                    if abs(clock() + seconds - (limit.when() or 0.0)) > seconds / 100:
                        limit.reschedule(clock() + seconds)
        except TimeoutError:
            raise dropped(self.base_url, f"sent nothing for {seconds:g} seconds") from None

    def _body(self, request: _Request) -> dict[str, object]:
        sampling = request.sampling
        body: dict[str, object] = {
            "model": self._name,
            # A lone surrogate, which a cell can print, cannot be sent at all.
            "messages": [
                {"role": message.role.value, "content": message.content.encode("utf-8", "replace").decode()}
                for message in request.messages
            ],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._limit_field: sampling.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if request.stop:
            body["stop"] = list(request.stop[:_MOST_STOPS])
        if self._tokens:
            body |= {"logprobs": True, "return_token_ids": True}
        return {field: value for field, value in body.items() if field not in self._left_out}

    def _adapt(self, refused: str | None, body: dict[str, object]) -> bool:
        """Whether a request without the field that the server named as bad can do."""
        if refused is None or refused not in body:
            return False
        if refused == "max_tokens":
            self._limit_field = "max_completion_tokens"
            return True
        if refused in _DISPENSABLE:
            self._left_out.add(refused)
            return True
        return False

    def _wait(self, state: tenacity.RetryCallState) -> float:
        patience = self._patience
        backoff = tenacity.wait_exponential(
            multiplier=patience.first_wait, max=patience.longest_wait
        ) + tenacity.wait_random(0, patience.first_wait)
        return max(backoff(state), _passing(state).wait or 0.0)

    def _give_up(self, state: tenacity.RetryCallState, timeout: float) -> bool:
        if not _passing(state).busy and state.attempt_number >= self._patience.attempts:
            return True
        return (state.seconds_since_start or 0.0) + state.upcoming_sleep >= timeout


@dataclass
class _Request:
    """What was asked, and what came of it so far."""

    messages: Sequence[Message]
    sampling: Sampling
    stop: tuple[str, ...]
    listener: Listener | None
    late: float
    """When it is of no use any more to send it, by the event loop's clock."""
    sent: int = 0
    """Requests."""
    queued: float = 0.0
    """Seconds for which it waited for its turn."""
    trouble: str | None = None
    """Why the last one failed."""

    @property
    def tokens(self) -> int:
        """As services reckon them beforehand: the prompt, and the longest reply that it may have."""
        return sum(estimate_tokens(message.content) for message in self.messages) + self.sampling.max_tokens

    def restart(self, state: tenacity.RetryCallState) -> None:
        self.trouble = _passing(state).error.message
        if self.listener is not None:
            self.listener.restart(self.trouble)


def _passing(state: tenacity.RetryCallState) -> Passing:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, Passing)
    return error
