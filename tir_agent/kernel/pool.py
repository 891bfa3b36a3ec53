"""Sessions that are made ahead of demand, so that whoever asks need not wait for one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from tir_agent.errors import SandboxError
from tir_agent.kernel.session import JailSession

__all__ = ["Pool"]


class Pool:
    """Keeps at most `size` sessions ready. One is replaced as soon as it is taken, one at a time."""

    def __init__(self, make: Callable[[], Awaitable[JailSession]], size: int) -> None:
        if size < 0:
            raise ValueError(f"a pool of {size} sessions")
        self._make = make
        self._size = size
        self._ready: deque[JailSession] = deque()
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._ready)

    async def take(self) -> JailSession:
        """A ready session, or else a new one. Raises what making one raises."""
        try:
            while self._ready:
                session = self._ready.popleft()
                if session.is_alive:
                    return session
                await session.close()
            return await self._make()
        finally:
            self.fill()

    def fill(self) -> None:
        """Begin to make what is missing."""
        if not self._closed and len(self._ready) < self._size and self._filling is None:
            self._filling = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        try:
            # Whoever asks next makes its own session, and hears of the error.
            with contextlib.suppress(SandboxError):
                while not self._closed and len(self._ready) < self._size:
                    self._ready.append(await self._make())
        finally:
            self._filling = None

    async def close(self) -> None:
        """End those that are ready. Idempotent."""
        self._closed = True
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        while self._ready:
            await self._ready.popleft().close()
