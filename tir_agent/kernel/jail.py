"""A running jail: one fork server, and the folder of sockets that it shares with the host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import zmq
import zmq.asyncio
from pydantic import ValidationError

from tir_agent.errors import SandboxLost
from tir_agent.grades import Comparison, Grade, Verdict
from tir_agent.kernel.base import SandboxInfo
from tir_agent.kernel.control import Control, ServerLoad
from tir_agent.kernel.owner import Owner
from tir_agent.kernel.process import Ground
from tir_agent.kernel.session import JailSession
from tir_agent.settings import Limits

__all__ = ["Jail", "Launcher", "sweep_folders"]


_PREFIX = "tir-"
_OWNER = "owner"
# A program can send what it likes on its kernel's sockets. The largest honest message is an image or
# half a cell's output.
_MESSAGE_BYTES = 16 * 2**20
_MESSAGES = 100
_REPORT_SECONDS = 10.0
_GRADED_TOGETHER = 32
"""Pairs that one process compares."""
_GRADED_CHARS = 20_001
"""The grader refuses longer texts: so much of one is enough to see that it is longer."""


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
    """Holds sessions; `start` first."""

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
        self._context.setsockopt(zmq.MAXMSGSIZE, _MESSAGE_BYTES)
        self._context.setsockopt(zmq.RCVHWM, _MESSAGES)
        self._sessions: set[JailSession] = set()
        self.on_close: Callable[[Jail], None] = lambda jail: None
        self.info: SandboxInfo

    @property
    def lost(self) -> SandboxLost | None:
        """Why it is there no longer, once it is not."""
        return self._control.lost

    @property
    def is_up(self) -> bool:
        """Whether its fork server is warm, and still there."""
        return self._control.is_connected

    @property
    def one_session(self) -> bool:
        """Whether it is for one session and its branches, with which it ends."""
        return self._launcher.one_session

    @property
    def ground(self) -> Ground:
        """What a kernel in it stands on."""
        counts = self._launcher.counts_processes
        return Ground(self._control, self._context, self._limits, count_processes=counts)

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
        """A fresh one. Raises SandboxLost."""
        session = JailSession(self.ground)
        try:
            await session.start()
        except BaseException:
            await session.close()
            raise
        session.on_close, session.on_open = self._closed, self._sessions.add
        self._sessions.add(session)
        return session

    async def _closed(self, session: JailSession) -> None:
        self._sessions.discard(session)
        if self._launcher.one_session and not self._sessions:
            await self.close()

    async def grade_many(self, pairs: Sequence[Comparison], timeout: float) -> list[Grade]:
        """See `Sandbox.grade_many`."""
        asked = [pair.cut(_GRADED_CHARS) for pair in pairs]
        grades: list[Grade] = []
        while rest := asked[len(grades) : len(grades) + _GRADED_TOGETHER]:
            grades += await self._grade_some(rest, timeout)
        return grades

    async def _grade_some(self, pairs: Sequence[Comparison], timeout: float) -> list[Grade]:
        """Up to the first that takes too long or kills its process."""
        counts = self._launcher.counts_processes
        channel = self._control.grade(pairs, self._limits, count_processes=counts)
        grades: list[Grade] = []
        try:
            for _ in pairs:
                async with asyncio.timeout(timeout):
                    raw = await channel.next_grade()
                grades.append(self._checked(raw))
                if raw is None:
                    break
        except TimeoutError:
            reason = f"The comparison took longer than {timeout:g} seconds"
            grades.append(self._no_grade(Verdict.TIMEOUT, reason))
        finally:
            await self._control.close_channel(channel)
        return grades

    async def load(self) -> ServerLoad:
        """What the fork server says. Raises SandboxLost."""
        try:
            async with asyncio.timeout(_REPORT_SECONDS):
                return await self._control.report().load
        except TimeoutError:
            raise SandboxLost("The sandbox does not answer") from None

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
        """End every session and the jail. Idempotent."""
        self.on_close(self)
        await self._control.disconnect()
        await self._launcher.kill()
        self._context.destroy(linger=0)
        await asyncio.to_thread(shutil.rmtree, self._outer, ignore_errors=True)
