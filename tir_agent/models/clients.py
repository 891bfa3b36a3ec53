"""The HTTP clients of one server: more of them, the more replies are read at a time."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tir_agent.models.faults import LOOPBACK

if TYPE_CHECKING:
    import ssl

    import openai

__all__ = ["Clients"]

_PLACEHOLDER_KEY: Final = "none"
"""Local servers want no key, and the client wants one."""
_STREAMS_EACH: Final = 16
"""A client's pool looks at all its connections whenever a request begins or ends: with one client for all,
the time that this takes grows with the square of their number."""


class _Line:
    """A client, and how many replies it is reading."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.client = client
        self.streams = 0


class Clients:
    """Made when they are needed. To be used and closed in one event loop."""

    def __init__(self, url: str, key: str | None, *, connect_seconds: float) -> None:
        """Nothing is sent, and the client is not even imported, before it is asked for."""
        self._url = url
        self._key = key
        self._connect_seconds = connect_seconds
        self._lines: list[_Line] = []
        self._certificates: ssl.SSLContext | None = None

    async def any(self) -> openai.AsyncOpenAI:
        """A client for a short request."""
        return (await self._free()).client

    @asynccontextmanager
    async def for_stream(self) -> AsyncIterator[openai.AsyncOpenAI]:
        """A client for a reply that is read inside the block."""
        line = await self._free()
        line.streams += 1
        try:
            yield line.client
        finally:
            line.streams -= 1

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        lines, self._lines = self._lines, []
        for line in lines:
            await line.client.close()

    async def _free(self) -> _Line:
        """The first with room for one more reply, so that as few connections as possible are open."""
        if not self._lines:
            # Importing it takes half a second, in which a sandbox can start beside it.
            await asyncio.to_thread(importlib.import_module, "openai")
        for line in self._lines:
            if line.streams < _STREAMS_EACH:
                return line
        self._lines.append(_Line(self._new()))
        return self._lines[-1]

    def _new(self) -> openai.AsyncOpenAI:
        import httpx2
        import openai

        # Reading them takes 30 ms, so all clients share them.
        self._certificates = self._certificates or httpx2.create_ssl_context()
        # A proxy that the environment names does not know this machine's own addresses.
        proxies = urlsplit(self._url).hostname not in LOOPBACK
        return openai.AsyncOpenAI(
            base_url=self._url,
            api_key=self._key or _PLACEHOLDER_KEY,
            max_retries=0,
            timeout=openai.Timeout(None, connect=self._connect_seconds),
            http_client=openai.DefaultAsyncHttpxClient(trust_env=proxies, verify=self._certificates),
        )
