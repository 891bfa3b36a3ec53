"""The sandbox that hands out sessions: from one jail, or each from a jail of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Self

from tir_agent.errors import SandboxLost, SandboxUnavailable
from tir_agent.grades import EQUALITY, GRADING_SECONDS, Comparison, Grade, GradingRule
from tir_agent.kernel.base import Load, SandboxInfo
from tir_agent.kernel.control import ServerLoad
from tir_agent.kernel.jail import Jail, Launcher
from tir_agent.kernel.pool import Pool
from tir_agent.kernel.session import JailSession
from tir_agent.settings import Limits

__all__ = ["JailSandbox"]

Say = Callable[[str], None]


class JailSandbox:
    """Has a jail of its own at any time, for grading and, where they share one, for all sessions.

    A jail that ends by itself (its fork server died, its container was removed) is replaced when the
    next session or grade is asked for; its sessions are lost.
    """

    def __init__(
        self,
        new_launcher: Callable[[], Launcher],
        limits: Limits,
        *,
        pool: int = 0,
        say: Say = lambda sentence: None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """`pool` sessions are kept ready; `say` hears when a jail had to be replaced."""
        self._new_launcher = new_launcher
        self._limits = limits
        self._say = say
        self._on_close = on_close
        self._own_jails: set[Jail] = set()
        self._jail = Jail(new_launcher(), limits)
        self._pool = Pool(self._make, pool)
        self._replacing = asyncio.Lock()
        self._restarts = 0
        self._closed = False

    async def start(self) -> Self:
        """Raises SandboxUnavailable if it cannot be started."""
        try:
            await self._jail.start()
        except BaseException:
            self._on_close()
            raise
        self._pool.fill()
        return self

    @property
    def info(self) -> SandboxInfo:
        return self._jail.info

    async def session(self) -> JailSession:
        if self._closed:
            raise SandboxLost("The sandbox is gone: it was closed")
        return await self._pool.take()

    async def grade(
        self, answer: str, gold: str, *, rule: GradingRule = EQUALITY, timeout: float = GRADING_SECONDS
    ) -> Grade:
        pair = Comparison(answer=answer, gold=gold, rule=rule)
        return (await self.grade_many([pair], timeout=timeout))[0]

    async def grade_many(
        self, pairs: Sequence[Comparison], *, timeout: float = GRADING_SECONDS
    ) -> list[Grade]:
        return await (await self._living_jail()).grade_many(pairs, timeout)

    async def load(self) -> Load:
        jails = [jail for jail in (self._jail, *self._own_jails) if jail.is_up]
        answers = await asyncio.gather(*(jail.load() for jail in jails), return_exceptions=True)
        # A jail that has ended meanwhile has no load.
        loads = [answer for answer in answers if isinstance(answer, ServerLoad)]
        return Load(
            jails=len(loads),
            sessions=sum(load.sessions for load in loads),
            ready=len(self._pool),
            processes=sum(load.processes for load in loads),
            resident_bytes=sum(load.resident_bytes for load in loads),
            server_seconds=sum(load.server_seconds for load in loads),
            restarts=self._restarts,
        )

    async def own_jail(self) -> Jail:
        """A jail for one more session: the one that sessions share, or else a new one, to be closed by
        whoever asked. Raises SandboxLost."""
        jail = await self._living_jail()
        if not jail.one_session:
            return jail
        own = Jail(self._new_launcher(), self._limits)
        own.on_close = self._own_jails.discard
        self._own_jails.add(own)
        try:
            await own.start()
        except SandboxUnavailable as error:
            raise SandboxLost(error.message) from None
        return own

    async def _make(self) -> JailSession:
        """A fresh session, in its own jail where it needs one."""
        jail = await self.own_jail()
        try:
            return await jail.session()
        except BaseException:
            if jail.one_session:
                await jail.close()
            raise

    async def _living_jail(self) -> Jail:
        async with self._replacing:
            if self._closed:
                raise SandboxLost("The sandbox is gone: it was closed")
            if self._jail.lost is None:
                return self._jail
            self._say("The sandbox had ended by itself and was started again")
            await self._jail.close()
            jail = Jail(self._new_launcher(), self._limits)
            try:
                await jail.start()
            except SandboxUnavailable as error:
                raise SandboxLost(f"The sandbox ended and cannot be started again: {error.message}") from None
            self._jail = jail
            self._restarts += 1
            return jail

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._pool.close()
        await asyncio.gather(*(jail.close() for jail in list(self._own_jails)))
        await self._jail.close()
        self._on_close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()
