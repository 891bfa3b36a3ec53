"""The jail as a hardened Docker container: no network, read-only, next to no capabilities."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import docker
import docker.errors
import docker.models.containers
import docker.types
import requests

from tir_agent.errors import SandboxUnavailable
from tir_agent.kernel.owner import Owner
from tir_agent.settings import Isolation, Limits

__all__ = ["DockerLauncher", "sweep_containers"]

_LABEL = "tir-agent.owner"
_RUNTIME_DIR = "/run/tir"
# To become a session's user, to give it its folder, to kill it: all that the fork server does as user 0.
_CAPABILITIES = ["SETUID", "SETGID", "CHOWN", "KILL"]
# Folders for sessions, each a file system of its own. As many as there can be sessions and branches.
_SLOTS = 1024
_INODES = 16_384
_SHARES = 512
# Of the machine's memory, for one container.
_MEMORY_SHARE = 0.75
_PROCESSES = 16_384
_EngineError = (docker.errors.DockerException, requests.RequestException)


class DockerLauncher:
    """One container with one fork server. Every session in it has a user id of its own."""

    backend = "docker"
    counts_processes = True

    def __init__(
        self,
        client: docker.DockerClient,
        image: str,
        limits: Limits,
        *,
        isolation: Isolation,
        runtime: str | None,
    ) -> None:
        """`runtime` is the name of an OCI runtime that the engine knows, such as runc or runsc."""
        self.image: str | None = image
        self.one_session = isolation is Isolation.CONTAINER
        self._client = client
        self._limits = limits
        self._runtime = runtime
        self._container: docker.models.containers.Container | None = None
        self._watching: asyncio.Task[None] | None = None

    async def launch(self, folder: Path) -> asyncio.Future[str]:
        try:
            self._container = await asyncio.to_thread(self._run, folder)
        except _EngineError as error:
            reason = error.explanation if isinstance(error, docker.errors.APIError) else str(error)
            raise SandboxUnavailable(
                f"Docker cannot start the sandbox: {reason}",
                hint="docker info lists the runtimes that the engine knows" if self._runtime else None,
            ) from None
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._watching = asyncio.create_task(self._watch(ended))
        return ended

    async def kill(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if self._container is not None:
            container, self._container = self._container, None
            await asyncio.to_thread(_remove, container)

    def _run(self, folder: Path) -> docker.models.containers.Container:
        assert self.image is not None
        memory = self._limits.total_memory_bytes or int(_MEMORY_SHARE * _machine_memory())
        slots = 1 + self._limits.branches if self.one_session else _SLOTS
        tmpfs = f"size={self._limits.disk_bytes},nr_inodes={_INODES},mode=0755,nosuid,nodev"
        command = [
            f"{_RUNTIME_DIR}/control.sock",
            "--own-uids",
            "--scratch",
            "/scratch",
            "--slots",
            str(slots),
        ]
        return self._client.containers.run(
            self.image,
            command,
            detach=True,
            init=True,
            runtime=self._runtime,
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            cap_add=_CAPABILITIES,
            security_opt=["no-new-privileges"],
            group_add=[str(os.getgid())],
            pids_limit=_PROCESSES,
            mem_limit=memory,
            memswap_limit=memory,
            # Whatever runs here beside the sandbox comes first: a model's server, as a rule.
            cpu_shares=_SHARES,
            # The folders themselves belong to the fork server, but for the time of a session.
            tmpfs={f"/scratch/{slot}": tmpfs for slot in range(slots)},
            shm_size=64 * 2**20,
            mounts=[docker.types.Mount(_RUNTIME_DIR, str(folder), type="bind")],
            log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
            labels={_LABEL: Owner.this().label()},
            name=f"tir-{folder.parent.name.removeprefix('tir-')}",
        )

    async def _watch(self, ended: asyncio.Future[str]) -> None:
        """Look now and then, while the sandbox starts, whether it is still there."""
        while not ended.done():
            await asyncio.sleep(0.5)
            words = await asyncio.to_thread(self._last_words)
            if words is not None and not ended.done():
                ended.set_result(words)

    def _last_words(self) -> str | None:
        assert self._container is not None
        try:
            self._container.reload()
            if self._container.status in {"created", "running"}:
                return None
            return self._container.logs(tail=20).decode("utf-8", "replace").strip()
        except _EngineError as error:
            return str(error)


def sweep_containers(client: docker.DockerClient) -> None:
    """Remove the containers of tir-agent processes of this machine that are no more. Nobody else's."""
    with contextlib.suppress(*_EngineError):
        for container in client.containers.list(all=True, filters={"label": _LABEL}):
            owner = Owner.parse(container.labels.get(_LABEL, ""))
            if owner is not None and owner.is_gone():
                _remove(container)


def _remove(container: docker.models.containers.Container) -> None:
    # Gone already, or the engine is: there is nothing left to end.
    with contextlib.suppress(*_EngineError):
        container.remove(force=True)


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
