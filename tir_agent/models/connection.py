"""The line to an OpenAI-compatible server: its answers, and what its exceptions mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tir_agent.errors import ModelError, ModelRejected, ModelUnavailable, UsageError
from tir_agent.models import faults
from tir_agent.models.clients import Clients
from tir_agent.models.faults import Passing
from tir_agent.models.requests import Endpoint
from tir_agent.models.wire import Chunk, ErrorBody, ModelCard, ModelList, Props, RunningModels

if TYPE_CHECKING:
    import openai

__all__ = ["Connection"]

_LISTED: Final = 8
"""Models named in a hint."""


class Connection:
    """One server as one model's name knows it. To be used and closed in one event loop."""

    def __init__(self, url: str, key: str | None, model: str, *, connect_seconds: float) -> None:
        """Nothing is sent, and the client is not even imported, before the first request.

        Raises:
            UsageError: `url` is not an HTTP address, or `key` cannot be sent in a header.
        """
        self.url = _checked_url(url)
        self._key = _checked_key(key)
        self._model = model
        self._clients = Clients(self.url, self._key, connect_seconds=connect_seconds)
        self._has_answered = False

    @asynccontextmanager
    async def stream(
        self, endpoint: Endpoint, body: Mapping[str, object]
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        """Post `body` to `endpoint`; the chunks of the answer, closed at the end.

        Raises:
            openai.OpenAIError, httpx2.TransportError: see `explain`.
        """
        import openai

        async with self._clients.for_stream() as client:
            stream = await client.post(
                endpoint.value, cast_to=object, body=body, stream=True, stream_cls=openai.AsyncStream[object]
            )
            self._has_answered = True
            try:
                async with aclosing(self._chunks(endpoint, stream)) as chunks:
                    yield chunks
            finally:
                await stream.close()

    async def _chunks(
        self, endpoint: Endpoint, stream: openai.AsyncStream[object]
    ) -> AsyncGenerator[Chunk, None]:
        count = 0
        while True:
            try:
                event = await anext(stream, None)
                chunk = None if event is None else Chunk.model_validate(event)
            except ValueError as error:
                raise faults.dropped(self.url, "sent something that is not a reply") from error
            if chunk is None:
                break
            count += 1
            yield chunk
        kind = stream.response.headers.get("content-type", "text/event-stream").split(";")[0]
        if not count and kind != "text/event-stream":
            raise ModelRejected(
                f"{self.url}{endpoint} answered with {kind} rather than with a stream",
                hint="Is --base-url right? Most servers' addresses end in /v1",
            )

    async def explain(self, error: Exception, endpoint: Endpoint = Endpoint.CHAT) -> Exception:
        """What to raise for an exception that `stream` let through."""
        import httpx2
        import openai

        if isinstance(error, openai.APIStatusError):
            self._has_answered = True
            if error.status_code == 404:
                return await self._not_found(endpoint, ErrorBody.of(error.body))
            return faults.refused(error, model=self._model, url=self.url, has_key=self._key is not None)
        if isinstance(error, (openai.APIConnectionError, httpx2.TransportError)):
            cause = error.__cause__ or error
            if isinstance(cause, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)):
                unreachable = faults.unreachable(self.url, cause)
                # Where it never answered, the address is wrong or nothing runs there: waiting is no help.
                return Passing(unreachable) if self._has_answered else unreachable
            return faults.dropped(self.url, "broke off the connection")
        if isinstance(error, openai.APIError):
            return faults.refused_midway(error, model=self._model, url=self.url)
        return error

    async def models(self, timeout: float) -> tuple[ModelCard, ...]:
        """What the server offers.

        Raises:
            ModelUnavailable: it cannot be reached, or does not answer within `timeout` seconds.
            ModelRejected: it refuses the key, or has no such list.
        """
        answer = await self._get("/models", timeout)
        try:
            return tuple(ModelList.model_validate(answer).data)
        except ValueError:
            raise ModelRejected(
                f"What {self.url}/models gives is not a list of models",
                hint="Is --base-url right? Most servers' addresses end in /v1",
            ) from None

    async def props(self, timeout: float) -> Props:
        """llama.cpp's own account of itself, which is outside `/v1`.

        Raises:
            ModelError: as for `models`.
        """
        try:
            return Props.model_validate(await self._get(self._beside("/props"), timeout))
        except ValueError:
            return Props()

    async def running(self, timeout: float) -> RunningModels:
        """What Ollama holds in memory, which is outside `/v1`.

        Raises:
            ModelError: as for `models`.
        """
        try:
            return RunningModels.model_validate(await self._get(self._beside("/api/ps"), timeout))
        except ValueError:
            return RunningModels()

    async def close(self) -> None:
        """Close its connections. Idempotent."""
        await self._clients.close()

    def _beside(self, path: str) -> str:
        """An address outside `/v1`."""
        return urlsplit(self.url)._replace(path=path, query="", fragment="").geturl()

    async def _get(self, path: str, timeout: float) -> object:
        client = await self._clients.any()
        import httpx2
        import openai

        try:
            async with asyncio.timeout(timeout):
                return await client.get(path, cast_to=object)
        except TimeoutError:
            raise ModelUnavailable(
                f"The model server at {self.url} did not answer within {timeout:g} seconds"
            ) from None
        except openai.APIStatusError as error:
            meaning: Exception = faults.refused(
                error, model=self._model, url=self.url, has_key=self._key is not None
            )
            raise (meaning.error if isinstance(meaning, Passing) else meaning) from error
        except (openai.OpenAIError, httpx2.TransportError) as error:
            meaning = await self.explain(error)
            raise (meaning.error if isinstance(meaning, Passing) else meaning) from error
        except ValueError:
            return None

    async def _not_found(self, endpoint: Endpoint, body: ErrorBody) -> ModelError:
        try:
            names = [card.id for card in await self.models(timeout=5.0)]
        except ModelError:
            names = []
        if names and self._model not in names:
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            return ModelRejected(
                f"The model server at {self.url} has no model {self._model!r}",
                hint=f"It offers: {', '.join(names[:_LISTED])}{more}",
            )
        return ModelRejected(
            f"The model server at {self.url} does not know {endpoint} or the model {self._model!r}"
            + (f": {body.words}" if body.words else ""),
            hint="Check the model's name and --base-url: most servers' addresses end in /v1",
        )


def _checked_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{url!r} is not the address of a model server",
            hint="For example --base-url http://localhost:8000/v1",
        )
    return url.strip().rstrip("/")


def _checked_key(key: str | None) -> str | None:
    key = (key or "").strip()
    if not all("!" <= char <= "~" for char in key):
        raise UsageError("The API key has characters that no key has", hint="Copy it again, without quotes")
    return key or None
