"""A sandbox for programs that have an event loop of their own, or none: it lives in a thread.

Shared by all who ask for the same kind, and closed when the last of them is done.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tir_agent.kernel.choice import open_sandbox
from tir_agent.kernel.sandbox import JailSandbox
from tir_agent.settings import Isolation, KernelChoice, Limits

__all__ = ["Background", "Kind"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Kind:
    """What a sandbox is to be like."""

    kernel: KernelChoice
    isolation: Isolation
    runtime: str | None
    limits: Limits


@dataclass
class _Shared:
    users: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sandbox: JailSandbox | None = None


class Background:
    """The thread, its event loop, and the sandboxes in it."""

    _instance: Background | None = None
    _guard = threading.Lock()

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._sandboxes: dict[Kind, _Shared] = {}
        threading.Thread(target=self._loop.run_forever, name="tir-agent", daemon=True).start()

    @classmethod
    def of_this_process(cls) -> Background:
        """The only one; starts it the first time."""
        with cls._guard:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Have `work` done in the thread; returns what it returns, raises what it raises."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def acquire(self, kind: Kind) -> JailSandbox:
        """The sandbox of that kind, started if there is none. Call `release` as often. In the thread.

        Raises:
            SandboxUnavailable: it cannot be started.
        """
        shared = self._sandboxes.setdefault(kind, _Shared())
        async with shared.lock:
            if shared.sandbox is None:
                shared.sandbox = await open_sandbox(
                    kind.kernel, kind.limits, isolation=kind.isolation, runtime=kind.runtime, pool=0
                )
            shared.users += 1
            return shared.sandbox

    async def release(self, kind: Kind) -> None:
        """Close the sandbox if nobody else uses it. In the thread."""
        shared = self._sandboxes[kind]
        async with shared.lock:
            shared.users -= 1
            if shared.users == 0 and shared.sandbox is not None:
                sandbox, shared.sandbox = shared.sandbox, None
                await sandbox.close()
