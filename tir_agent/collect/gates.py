"""Places that runs wait for, and how many of them wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

__all__ = ["Gates", "Places"]


class Places:
    """So many at a time; first come, first served. Counts those inside and those who wait."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.inside = 0
        self.waiting = 0
        self._free = asyncio.Semaphore(count)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """A place, for as long as the block lasts."""
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._free.release()


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
