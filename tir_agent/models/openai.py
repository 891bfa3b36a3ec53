"""Models behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama, or a hosted service.

Covered: the streamed `/chat/completions`, with tool calls and with a last message that is continued, and
the streamed `/completions`; stop strings that hold whatever the server makes of them, retries, deadlines,
errors that say what to do, and what the server can do at all. Not covered: images, several replies at
once (ask several times), and the legacy `function_call`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import tenacity

from tir_agent.errors import ContextOverflow, ModelError, ModelRejected, ModelUnavailable
from tir_agent.messages import Tool
from tir_agent.models.base import Listener
from tir_agent.models.cache import CapabilityCache
from tir_agent.models.capabilities import Capabilities, Findings, Prefill
from tir_agent.models.connection import Connection
from tir_agent.models.context import LLAMACPP
from tir_agent.models.faults import Passing, dropped
from tir_agent.models.limiter import Place, RateLimiter
from tir_agent.models.patience import Patience, failure_of
from tir_agent.models.probe import probe
from tir_agent.models.requests import Dialect, Request, body_of
from tir_agent.models.stream import Reply
from tir_agent.models.wire import ErrorBody, ModelCard
from tir_agent.settings import RateLimits, Sampling
from tir_agent.trajectory import Completion, Message

__all__ = ["OPENAI_URL", "OpenAIModel", "Patience"]

OPENAI_URL: Final = "https://api.openai.com/v1"
_CLOSING_SECONDS: Final = 5.0
"""How long the rest of a stream may take when the reply itself has ended: only the counts are to come."""
_UNLIMITED: Final = RateLimits(concurrent=1_000_000, adaptive=False)
_TOO_LATE: Final = 0.5
"""Seconds before its deadline at which a request that still waits for its turn is given up: it could no
longer be answered, and the reason can still be told."""


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
        cache: CapabilityCache | None = None,
        capabilities: Capabilities | None = None,
        own_stops: bool = False,
    ) -> None:
        """`tokens` asks for token ids and logprobs, which cost bandwidth; not every server has them.
        `cache` keeps what the server was found to do from one process to the next; where `capabilities`
        says what it can do, it is not asked. With `own_stops` no stop string is sent, and a reply is ended
        here alone.

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
        self._dialect = Dialect(left_out=frozenset({"stop"}) if own_stops else frozenset())
        self._cache = cache
        self._findings: Findings | None = None
        if capabilities is not None:
            self._findings = Findings(capabilities=capabilities, asked=datetime.now(UTC))
            self._dialect = self._dialect.knowing(capabilities)
        self._finding_out = asyncio.Lock()

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
        """Sample what comes next; `Model.complete` says the rest.

        A connection that is refused is tried again only where this server has answered before: else
        the address is wrong or nothing runs there, and waiting would not help. To continue a message of
        the assistant's the server's capabilities must be known, and are found out where they are not.

        Raises:
            ValueError: raw text stands among other messages.
        """
        started = time.monotonic()
        late = asyncio.get_running_loop().time() + timeout - min(_TOO_LATE, timeout / 10)
        request = Request(messages, sampling, tuple(stop), tuple(tools), self._tokens, listener, late)
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Passing),
            wait=self._patience.wait,
            stop=lambda state: self._patience.is_over(state, timeout),
            before_sleep=lambda state: request.restart(failure_of(state).error.message),
            reraise=True,
        )
        try:
            async with asyncio.timeout(timeout):
                if request.prefill is not None:
                    await self._check_prefill()
                reply: Reply = await retrying(self._attempt, request)
        except Passing as passing:
            raise passing.error from passing.__cause__
        except TimeoutError:
            raise ModelUnavailable(
                f"The model server at {self.base_url} did not finish its reply within {timeout:g} seconds"
                + (f"; before that: {request.trouble}" if request.trouble else "")
            ) from None
        return reply.completion(duration=time.monotonic() - started)

    async def models(self, *, timeout: float = 5.0) -> tuple[ModelCard, ...]:
        """What the server offers.

        Raises:
            ModelUnavailable: it cannot be reached, or does not answer within `timeout` seconds.
            ModelRejected: it refuses the key, or has no such list.
        """
        return await self._connection.models(timeout)

    async def capabilities(self) -> Capabilities:
        """What the server can do. Found out on the first call, within half a minute, and remembered.

        Raises:
            ModelUnavailable: it cannot be reached, or stopped answering.
            ModelRejected: it refused the key, or the model's name.
        """
        return (await self.findings()).capabilities

    async def findings(self, *, refresh: bool = False) -> Findings:
        """What the server can do, what could not be found out, and when this was asked.

        `refresh` asks the server again where the answer is remembered. Raises as `capabilities`.
        """
        async with self._finding_out:
            if self._findings is None or refresh:
                server = await self.describe() if self._cache else None
                kept = None
                if self._cache and not refresh:
                    kept = self._cache.get(self.base_url, self._name, server)
                self._findings = kept or await probe(self._connection, self._name)
                if self._cache and kept is None:
                    self._cache.put(self.base_url, self._name, server, self._findings)
                self._dialect = self._dialect.knowing(self._findings.capabilities)
            return self._findings

    async def describe(self) -> str | None:
        """Who serves the model, with which context window, as far as the server tells."""
        try:
            cards = await self.models(timeout=3.0)
            card = next((card for card in cards if card.id == self._name), None)
            parts = [(card or cards[0]).owned_by or "unnamed"] if cards else []
            context = card.context if card else None
            if parts == [LLAMACPP]:
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

    async def _check_prefill(self) -> None:
        if (await self.capabilities()).prefill is Prefill.NONE:
            raise ModelRejected(
                f"The model server at {self.base_url} does not continue a message of the assistant's",
                hint="Use a prompt whose outputs are messages of their own, or another server",
            )

    async def _attempt(self, request: Request) -> Reply:
        import httpx2
        import openai

        dialect = self._dialect
        known = self._findings.capabilities if self._findings else Capabilities()
        echo = (request.prefill or "") if known.echo else ""
        while True:
            body = body_of(request, self._name, dialect, known.prefill)
            reply = Reply(request, echo=echo)
            async with self._limiter.place(tokens=request.room, deadline=request.late) as place:
                request.sent += 1
                request.queued += place.waited
                try:
                    await self._read(request, body, reply)
                except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                    meaning = await self._connection.explain(error, request.endpoint)
                    adapted = dialect.adapted(ErrorBody.of(error.body).field, body)
                    if adapted is None or isinstance(meaning, ContextOverflow):
                        raise meaning from error
                    dialect = adapted
                    continue
                except (openai.OpenAIError, httpx2.TransportError, Passing) as error:
                    if reply.finish is None:
                        raise await self._meaning(error, request, place) from error
                if reply.finish is None:
                    raise dropped(self.base_url, "ended the reply without saying why")
                if reply.usage is not None:
                    place.settle(reply.usage.prompt_tokens + reply.usage.completion_tokens)
                # Only now: a field that was left out in vain was not to blame.
                self._dialect = dialect
                return reply

    async def _meaning(self, error: Exception, request: Request, place: Place) -> Exception:
        meaning = await self._connection.explain(error, request.endpoint)
        if isinstance(meaning, Passing) and meaning.busy:
            place.busy(meaning.wait)
        return meaning

    async def _read(self, request: Request, body: dict[str, object], reply: Reply) -> None:
        clock = asyncio.get_running_loop().time
        seconds = self._patience.first_chunk
        try:
            async with (
                asyncio.timeout(seconds) as limit,
                self._connection.stream(request.endpoint, body) as chunks,
            ):
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
