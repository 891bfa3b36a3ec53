"""What runs around a collection and can be killed: container, fork server, graders, engine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import docker
import docker.errors
import requests

from tir_agent.kernel.owner import Owner

from collect_command import until

__all__ = [
    "Engine",
    "containers_of",
    "cpu_of",
    "family",
    "graders",
    "jail_cpu",
    "kill_container",
    "kill_fork_server",
]

_LABEL: Final = "tir-agent.owner"
_ENGINE_SECONDS: Final = 90.0
_GRADER_SECONDS: Final = 0.3
"""Processor time after which a child of the fork server, where no kernels are left, is a grader."""
EngineError = (docker.errors.DockerException, requests.RequestException)


def _client(host: str | None) -> docker.DockerClient:
    return docker.DockerClient(base_url=host, timeout=60) if host else docker.from_env(timeout=60)


def containers_of(pids: set[int], host: str | None = None) -> list[str]:
    """Ids of the containers that processes with these numbers started."""
    with contextlib.closing(_client(host)) as client:
        found = []
        for container in client.containers.list(all=True, filters={"label": _LABEL}, ignore_removed=True):
            owner = Owner.parse(container.labels.get(_LABEL, ""))
            if owner is not None and owner.pid in pids:
                found.append(str(container.id))
        return found


def kill_container(pid: int, host: str | None = None) -> bool:
    """`docker kill` what the process `pid` started; False where there is nothing."""
    found = containers_of({pid}, host)
    with contextlib.closing(_client(host)) as client:
        for one in found:
            with contextlib.suppress(*EngineError):
                client.containers.get(one).kill()
    return bool(found)


def _fork_servers(pid: int, host: str | None) -> list[int]:
    """Those of the process `pid`: among its own children, or in its container. Parents first."""
    roots = [pid]
    with contextlib.suppress(*EngineError), contextlib.closing(_client(host)) as client:
        for one in containers_of({pid}, host):
            roots.append(int(client.containers.get(one).attrs["State"]["Pid"]))
    named = [one for one in family(roots) if one != pid and b"forkserver.py" in _command_line(one)]
    return [one for one in named if _name(one).startswith("python")]


def kill_fork_server(pid: int, host: str | None = None) -> bool:
    """Kill it with -9; False where there is none."""
    for server in _fork_servers(pid, host)[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)
            return True
    return False


def graders(pid: int, host: str | None = None) -> list[int]:
    """Children of its fork server that have been at it for long; kernels too, where there are such."""
    servers = _fork_servers(pid, host)[:1]
    return [one for one in family(servers) if one not in servers and _cpu(one) > _GRADER_SECONDS]


def family(pids: list[int]) -> list[int]:
    """These processes and all that descend from them, parents first."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = list(pids)
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(folder.name), int(_stat(int(folder.name))[1])


def _stat(pid: int) -> list[str]:
    """The fields of proc(5)'s stat after the name, which may hold spaces and parentheses."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _cpu(pid: int, *, with_children: bool = False) -> float:
    """Seconds of processor time in user and system mode; of those children too that have ended."""
    with contextlib.suppress(OSError):
        fields = _stat(pid)[11 : 15 if with_children else 13]
        return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has had, in all its threads."""
    return _cpu(pid)


def jail_cpu(pid: int) -> float:
    """Seconds of processor time of the fork server of the process `pid`, its kernels and its graders."""
    return sum(_cpu(server, with_children=True) for server in _fork_servers(pid, None)[:1])


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


class Engine:
    """A Docker daemon of the benchmark's own, beside the machine's, which stays as it is. For root."""

    def __init__(self, root: Path) -> None:
        """`root` must be short: sockets lie in it."""
        self._root = root
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"unix://{self._root}/d.sock"

    def start(self) -> Self:
        """Returns when it answers. Raises Hung."""
        self._root.mkdir(exist_ok=True)
        for path in (self._root / "pid", self._root / "exec" / "containerd" / "containerd.pid"):
            path.unlink(missing_ok=True)
        words = ["dockerd", "--data-root", str(self._root / "data"), "--exec-root", str(self._root / "exec")]
        words += ["--pidfile", str(self._root / "pid"), "-H", self.host]
        words += ["--bridge=none", "--iptables=false"]
        with (self._root / "said.txt").open("ab") as said:
            self._daemon = subprocess.Popen(words, stdout=said, stderr=said, start_new_session=True)
        until(self._answers, _ENGINE_SECONDS, "a Docker daemon of its own")
        return self

    def load(self, image: str) -> None:
        """Copy an image from the machine's engine, unless it is there."""
        with contextlib.closing(_client(self.host)) as client, contextlib.suppress(docker.errors.NotFound):
            client.images.get(image)
            return
        save = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
        load = ["docker", "-H", self.host, "load"]
        subprocess.run(load, stdin=save.stdout, check=True, capture_output=True, timeout=300)
        save.wait(60)

    def kill(self) -> None:
        """The daemon and its containerd, with -9; what runs in its containers goes on."""
        if self._daemon is None:
            return
        daemon, self._daemon = self._daemon, None
        names = {"dockerd", "containerd"}
        for pid in family([daemon.pid]):
            if _name(pid) in names:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        daemon.wait(30)

    def close(self) -> None:
        """End it and what it runs, and remove its folder."""
        if self._daemon is not None:
            daemon, self._daemon = self._daemon, None
            daemon.terminate()
            daemon.wait(60)
        for line in Path("/proc/mounts").read_text().splitlines():
            mounted = line.split()[1]
            if mounted.startswith(f"{self._root}/"):
                subprocess.run(["umount", "-l", mounted], check=False, capture_output=True)
        time.sleep(0.5)
        shutil.rmtree(self._root, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with contextlib.closing(_client(self.host)) as client:
                return bool(client.ping())
        except EngineError:
            return False
