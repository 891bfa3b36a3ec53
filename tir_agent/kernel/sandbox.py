"""A running jail, and the sandbox that hands out its sessions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

import zmq.asyncio
from pydantic import ValidationError

from tir_agent.errors import SandboxError
from tir_agent.kernel.base import SandboxInfo
from tir_agent.kernel.control import Control
from tir_agent.kernel.owner import Owner
from tir_agent.kernel.session import JailSession
from tir_agent.settings import Limits
from tir_agent.trajectory import Execution, Grade, Verdict

__all__ = ["Jail", "JailSandbox", "Launcher", "sweep_folders"]


_PREFIX = "tir-"
_OWNER = "owner"


def sweep_folders() -> None:
    """Remove the folders of this user's tir-agent processes that are no more. Nobody else's."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid():
                continue
            owner = Owner.parse((folder / _OWNER).read_text())
            if owner is not None and owner.is_gone():
                shutil.rmtree(folder, ignore_errors=True)


class Launcher(Protocol):
    """Starts a fork server in some kind of jail."""

    backend: str
    image: str | None
    one_session: bool
    """Whether sessions share a user, so that each needs a jail of its own."""
    counts_processes: bool
    """Whether a limit on processes counts the session's alone."""

    async def launch(self, folder: Path) -> asyncio.Future[str]:
        """Start it with `folder`, which holds the control socket, as its runtime folder.

        Returns a future that resolves to the jail's last words when it ends by itself.

        Raises:
            SandboxUnavailable: it cannot be started.
        """

    async def kill(self) -> None:
        """End it, now. Idempotent; raises nothing."""


class Jail:
    """One fork server in one jail, and the folder of sockets that it shares with the host."""

    def __init__(self, launcher: Launcher, limits: Limits) -> None:
        self._launcher = launcher
        self._limits = limits
        # The outer folder keeps other users of this machine out, the inner one is what the jail sees.
        # Short: the path of a Unix socket has room for about 100 bytes.
        self._outer = Path(tempfile.mkdtemp(prefix=_PREFIX))
        (self._outer / _OWNER).write_text(Owner.this().label())
        inner = self._outer / "r"
        inner.mkdir()
        inner.chmod(0o771)
        self._control = Control(inner)
        self._context = zmq.asyncio.Context()
        self.info: SandboxInfo

    @property
    def counts_processes(self) -> bool:
        return self._launcher.counts_processes

    async def start(self) -> None:
        """Raises SandboxUnavailable if it cannot be started; nothing is left behind then."""
        try:
            await self._control.listen()
            ended = await self._launcher.launch(self._control.folder)
            hello = await self._control.wait_for_hello(ended)
        except BaseException:
            await self.close()
            raise
        self.info = SandboxInfo(
            backend=self._launcher.backend,
            image=self._launcher.image,
            python=hello.python,
            packages=hello.packages,
        )

    async def session(self) -> JailSession:
        session = JailSession(
            self._control, self._context, self._limits, count_processes=self.counts_processes
        )
        try:
            await session.start()
        except BaseException:
            await session.close()
            raise
        return session

    async def grade(self, answer: str, gold: str, timeout: float) -> Grade:
        channel = self._control.grade(answer, gold, self._limits, count_processes=self.counts_processes)
        try:
            await asyncio.wait({channel.graded}, timeout=timeout)
            if not channel.graded.done():
                return self._no_grade(Verdict.TIMEOUT, f"The comparison took longer than {timeout:g} seconds")
            return self._checked(channel.graded.result())
        finally:
            await self._control.close_channel(channel)

    def _checked(self, raw: str | None) -> Grade:
        """A grade as the grader wrote it: it evaluates hostile text, so its word is checked."""
        if raw is None:
            return self._no_grade(Verdict.UNGRADABLE, "The grader died over this answer")
        try:
            return Grade.model_validate_json(raw)
        except ValidationError:
            return self._no_grade(Verdict.UNGRADABLE, "The grader gave no usable verdict")

    def _no_grade(self, verdict: Verdict, reason: str) -> Grade:
        grader = f"math-verify {self.info.packages.get('math-verify', '')}".strip()
        return Grade(verdict=verdict, reason=reason, grader=grader)

    async def close(self) -> None:
        await self._control.disconnect()
        await self._launcher.kill()
        self._context.destroy(linger=0)
        await asyncio.to_thread(shutil.rmtree, self._outer, ignore_errors=True)


class JailSandbox:
    """A sandbox with one jail for all sessions, or, where they share a user, one for each."""

    def __init__(self, new_launcher: Callable[[], Launcher], limits: Limits) -> None:
        self._new_launcher = new_launcher
        self._limits = limits
        self._launcher: Launcher = new_launcher()
        self._jail = Jail(self._launcher, limits)
        self._sessions: set[OwnJailSession] = set()

    async def start(self) -> Self:
        """Raises SandboxUnavailable if it cannot be started."""
        await self._jail.start()
        return self

    @property
    def info(self) -> SandboxInfo:
        return self._jail.info

    async def session(self) -> JailSession | OwnJailSession:
        if not self._launcher.one_session:
            return await self._jail.session()
        jail = Jail(self._new_launcher(), self._limits)
        try:
            await jail.start()
            session = OwnJailSession(jail, await jail.session())
        except BaseException:
            await jail.close()
            raise
        self._sessions.add(session)
        session.on_close = self._sessions.discard
        return session

    async def grade(self, answer: str, gold: str, *, timeout: float) -> Grade:
        return await self._jail.grade(answer, gold, timeout)

    async def close(self) -> None:
        for session in list(self._sessions):
            await session.close()
        await self._jail.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


class OwnJailSession:
    """A session that is alone in its jail, and takes it along when it ends."""

    def __init__(self, jail: Jail, session: JailSession) -> None:
        self._jail = jail
        self._session = session
        self.on_close: Callable[[OwnJailSession], None] = lambda session: None

    async def execute(self, code: str, *, timeout: float) -> Execution:
        return await self._session.execute(code, timeout=timeout)

    async def interrupt(self) -> None:
        await self._session.interrupt()

    async def close(self) -> None:
        self.on_close(self)
        with contextlib.suppress(SandboxError):
            await self._session.close()
        await self._jail.close()
