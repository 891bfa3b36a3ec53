"""Places that runs wait for, and how many of them wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

__all__ = ["Gates", "Places"]


class Places:
    """So many at a time; first come, first served. Counts those inside and those who wait."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.inside = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def resize(self, count: int) -> None:
        """So many from now on. Those inside beyond it stay until they leave."""
        self.count = count
        self._serve()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """A place, for as long as the block lasts."""
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    async def _enter(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                self._queue.remove(turn)
            # It may have been let in, and cancelled before it knew.
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self.inside -= 1
        self._serve()

    def _serve(self) -> None:
        while self._queue and self.inside < self.count:
            turn = self._queue.popleft()
            if not turn.done():
                self.inside += 1
                turn.set_result(None)


class Gates:
    """The gate of the runs on one machine that ask one arm's server; see `agent.gate.Gate`."""

    def __init__(self, requests: Places, kernels: Places, cells: Places) -> None:
        self.requests = requests
        self.kernels = kernels
        self.cells = cells

    def request(self) -> AbstractAsyncContextManager[None]:
        return self.requests.take()

    def kernel(self) -> AbstractAsyncContextManager[None]:
        return self.kernels.take()

    def cell(self) -> AbstractAsyncContextManager[None]:
        return self.cells.take()
