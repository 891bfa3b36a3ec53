"""The line to an OpenAI-compatible server: one client, and what its exceptions mean."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tir_agent.errors import ModelError, ModelRejected, ModelUnavailable, UsageError
from tir_agent.models import faults
from tir_agent.models.faults import Passing
from tir_agent.models.wire import Chunk, ErrorBody, ModelCard, ModelList, Props

if TYPE_CHECKING:
    import ssl

    import openai

__all__ = ["Connection"]

_PLACEHOLDER_KEY: Final = "none"
"""Local servers want no key, and the client wants one."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_LISTED: Final = 8
"""Models named in a hint."""
_STREAMS_PER_CLIENT: Final = 16
"""A client's pool looks at each of its connections whenever a request begins or ends."""


class _Line:
    """A client, and how many replies it is reading."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.client = client
        self.streams = 0


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
        self._connect_seconds = connect_seconds
        self._lines: list[_Line] = []
        self._certificates: ssl.SSLContext | None = None
        self._has_answered = False

    async def _line(self) -> _Line:
        """The first client that has room for one more stream, made where there is none."""
        if not self._lines:
            # Importing it takes half a second, in which a sandbox can start beside it.
            await asyncio.to_thread(importlib.import_module, "openai")
        for line in self._lines:
            if line.streams < _STREAMS_PER_CLIENT:
                return line
        self._lines.append(_Line(self._new_client()))
        return self._lines[-1]

    def _new_client(self) -> openai.AsyncOpenAI:
        import httpx2
        import openai

        # Reading the certificates takes 30 ms, so all clients share them.
        self._certificates = self._certificates or httpx2.create_ssl_context()
        # A proxy that the environment names does not know this machine's own addresses.
        proxies = urlsplit(self.url).hostname not in _LOOPBACK
        return openai.AsyncOpenAI(
            base_url=self.url,
            api_key=self._key or _PLACEHOLDER_KEY,
            max_retries=0,
            timeout=openai.Timeout(None, connect=self._connect_seconds),
            http_client=openai.DefaultAsyncHttpxClient(trust_env=proxies, verify=self._certificates),
        )

    @asynccontextmanager
    async def stream(self, body: Mapping[str, object]) -> AsyncIterator[AsyncIterator[Chunk]]:
        """Post `body` to `/chat/completions`; the chunks of the answer, closed at the end.

        Raises:
            openai.OpenAIError, httpx2.TransportError: see `explain`.
        """
        import openai

        line = await self._line()
        line.streams += 1
        try:
            stream = await line.client.post(
                "/chat/completions",
                cast_to=object,
                body=body,
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
            self._has_answered = True
            try:
                async with aclosing(self._chunks(stream)) as chunks:
                    yield chunks
            finally:
                await stream.close()
        finally:
            line.streams -= 1

    async def _chunks(self, stream: openai.AsyncStream[object]) -> AsyncGenerator[Chunk, None]:
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
                f"{self.url}/chat/completions answered with {kind} rather than with a stream",
                hint="Is --base-url right? Most servers' addresses end in /v1",
            )

    async def explain(self, error: Exception) -> Exception:
        """What to raise for an exception that `stream` let through."""
        import httpx2
        import openai

        if isinstance(error, openai.APIStatusError):
            self._has_answered = True
            if error.status_code == 404:
                return await self._not_found(ErrorBody.of(error.body))
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
        root = urlsplit(self.url)._replace(path="/props", query="", fragment="").geturl()
        try:
            return Props.model_validate(await self._get(root, timeout))
        except ValueError:
            return Props()

    async def close(self) -> None:
        """Close its connections. Idempotent."""
        lines, self._lines = self._lines, []
        for line in lines:
            await line.client.close()

    async def _get(self, path: str, timeout: float) -> object:
        client = (await self._line()).client
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

    async def _not_found(self, body: ErrorBody) -> ModelError:
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
            f"The model server at {self.url} does not know /chat/completions or the model {self._model!r}"
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
