"""Notebooks in the jail: a kernel provisioner for Jupyter (`jupyter_client.kernel_provisioners`).

JupyterLab, nbclient, papermill and every other user of `jupyter_client` start a kernel through the
kernel spec that `tir kernel install` writes, which names this class. The kernel is the one of every other
session, with all forms of what it shows, `input()`, and a heartbeat.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Unicode

from tir_agent.kernel.background import Background, Kind
from tir_agent.kernel.jail import Jail
from tir_agent.kernel.process import KernelProcess
from tir_agent.settings import Isolation, KernelChoice, Limits

__all__ = ["JailProvisioner"]

# A kernel that was asked to shut down says good-bye first; nothing is lost if it cannot.
_SHUTDOWN_SECONDS = 2.0


class JailProvisioner(KernelProvisionerBase):
    """Starts, signals and ends one notebook's kernel."""

    kernel = Unicode("auto", help="docker, bubblewrap, local, or auto.").tag(config=True)
    isolation = Unicode("session", help="session: kernels of one server share a jail; container.").tag(
        config=True
    )

    runtime = Unicode("", help="OCI runtime that Docker starts containers with.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._process: KernelProcess | None = None
        self._jail: Jail | None = None
        self._using: Kind | None = None
        # A client stays connected when the kernel is restarted: the sockets keep their names.
        self._folder = secrets.token_hex(8)

    @property
    def has_process(self) -> bool:
        return self._process is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.pop("extra_arguments", None)
        prepared: dict[str, Any] = await super().pre_launch(cmd=[], **kwargs)
        # Nothing of this process's environment goes into the jail.
        prepared["env"] = {}
        return prepared

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        key = self.parent.session.key.decode() if self.parent is not None else None
        self._process = await self._background.run(self._launch(key))
        # jupyter_client compares the key as bytes.
        key_as_bytes: Any = self._process.key.encode()
        self.connection_info = {**self._process.connection, "key": key_as_bytes}
        return self.connection_info

    async def _launch(self, key: str | None) -> KernelProcess:
        if self._jail is None or self._jail.lost is not None:
            await self._leave()
            kind = Kind(KernelChoice(self.kernel), Isolation(self.isolation), self.runtime or None, Limits())
            sandbox = await self._background.acquire(kind)
            self._using = kind
            self._jail = await sandbox.own_jail()
        return await KernelProcess.start(self._jail.ground, folder=self._folder, key=key, rich=True)

    async def poll(self) -> int | None:
        if self._process is None:
            return 0
        ended = self._process.ended
        if not ended.done():
            return None
        return 1 if ended.cancelled() or ended.exception() is not None else ended.result()

    async def wait(self) -> int | None:
        if self._process is not None:
            await self._background.run(self._wait(self._process))
        return await self.poll()

    @staticmethod
    async def _wait(process: KernelProcess) -> None:
        await asyncio.wait({process.ended}, timeout=_SHUTDOWN_SECONDS)

    async def send_signal(self, signum: int) -> None:
        if self._process is not None and signum != 0:
            await self._background.run(self._signal(self._process, signum))

    @staticmethod
    async def _signal(process: KernelProcess, signum: int) -> None:
        process.signal(signum)
        await process.signalled()

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        process, self._process = self._process, None
        if process is not None:
            await self._background.run(process.end())
        if not restart:
            await self._background.run(self._leave())

    async def _leave(self) -> None:
        jail, self._jail = self._jail, None
        if jail is not None and jail.one_session:
            await jail.close()
        kind, self._using = self._using, None
        if kind is not None:
            await self._background.release(kind)

    def get_shutdown_wait_time(self, recommended: float = 5.0) -> float:
        return _SHUTDOWN_SECONDS

    @property
    def _background(self) -> Background:
        return Background.of_this_process()
