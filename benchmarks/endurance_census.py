"""What a sandbox holds at one moment, on the host and in its jail: the numbers that may not grow.

Covered: processes, descriptors, threads, memory, sockets, folders, files and IPC objects. The jail is looked
at from outside, through /proc, so that looking changes nothing in it. What only root can see is None for
others.

Not covered: the engine's own memory and disk, memory of the operating system's kernel that no cgroup counts,
message queues under bubblewrap (no folder shows them), and, for an ordinary user under bubblewrap, all but
processes, since each session has a jail of its own there.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException

from tir_agent.kernel.owner import Owner

Census = dict[str, int | None]
_MB = 2**20
_LABEL = "tir-agent.owner"


@dataclass(frozen=True)
class Quantity:
    """Something that is counted, and how much of it may be more at the end than at the beginning."""

    name: str
    allowance: int | None = 0
    """None: told, not judged."""
    is_bytes: bool = False
    in_jail: bool = True


HOST = (
    Quantity("host: processes of ours", in_jail=False),
    Quantity("host: containers of ours", in_jail=False),
    Quantity("host: /tmp/tir-* folders of ours", in_jail=False),
    Quantity("host: open descriptors", 2, in_jail=False),
    Quantity("host: Unix sockets in our folders", in_jail=False),
    # The pool for blocking calls grows up to its size, and stays.
    Quantity("host: threads", 6, in_jail=False),
    Quantity("host: unfinished asyncio tasks", in_jail=False),
    Quantity("host: Python objects", 20_000, in_jail=False),
    Quantity("host: resident memory", 64 * _MB, is_bytes=True, in_jail=False),
)
JAIL = (
    Quantity("jail: processes"),
    Quantity("jail: zombies"),
    Quantity("jail: fork server, resident memory", 16 * _MB, is_bytes=True),
    Quantity("jail: fork server, descriptors"),
    # Page cache and the kernel's caches of names, which it gives back when asked, are part of it.
    Quantity("jail: memory of the container", 128 * _MB, is_bytes=True),
    Quantity("jail: entries under /scratch"),
    Quantity("jail: bytes used in /scratch", 64 * 1024, is_bytes=True),
    Quantity("jail: inodes used in /scratch"),
    Quantity("jail: entries in /dev/shm"),
    Quantity("jail: bytes used in /dev/shm", 64 * 1024, is_bytes=True),
    Quantity("jail: entries in /dev/mqueue"),
    Quantity("jail: entries in /tmp and /var/tmp"),
    Quantity("jail: entries under /run/tir"),
    Quantity("jail: System V objects"),
    Quantity("jail: Unix sockets"),
)
QUANTITIES = (*HOST, *JAIL)


async def settled_census(backend: str, seconds: float) -> Census:
    """A census after `seconds` of rest, and after this process has given back what memory it can."""
    await asyncio.sleep(seconds)
    gc.collect()
    _trim_heap()
    found = await asyncio.to_thread(take, backend)
    # This task is one of them.
    return {**found, "host: unfinished asyncio tasks": len(asyncio.all_tasks()) - 1}


def _trim_heap() -> None:
    """Holes in the heap are not a leak. Other C libraries than GNU's have no such call."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def take(backend: str) -> Census:
    """Count everything, once. Keys are the names in `QUANTITIES`; None is what cannot be told here."""
    jail, containers, memory = _look_for_jail(backend)
    census: Census = {quantity.name: None for quantity in QUANTITIES}
    census |= _host() | {"host: containers of ours": containers}
    census |= _processes(jail) | {"jail: memory of the container": memory}
    server = fork_server(jail)
    if server is not None:
        census |= _server(server)
        if backend != "local":
            # Without a jail these would be the whole machine's.
            census |= _namespaces(server) | _files(Path(f"/proc/{server}/root"))
    return census


def _look_for_jail(backend: str) -> tuple[list[int], int, int | None]:
    """The jail's processes, the number of containers of ours, and the memory of the first."""
    if backend != "docker":
        return _family([pid for pid in _children_of(os.getpid()) if _is_jail(pid)]), 0, None
    with contextlib.suppress(DockerException, requests.RequestException):
        return _look_for_container()
    return [], 0, None


def _look_for_container() -> tuple[list[int], int, int | None]:
    with contextlib.closing(docker.from_env(timeout=60)) as client:
        filters: dict[str, str | list[str] | bool] = {"label": f"{_LABEL}={Owner.this().label()}"}
        ours = client.containers.list(all=True, filters=filters)
        if not ours:
            return [], 0, None
        return _family([int(ours[0].attrs["State"]["Pid"])]), len(ours), _memory(ours[0])


def _memory(container: Any) -> int | None:
    """Of a container, without the files that it read."""
    used = container.stats(stream=False, one_shot=True).get("memory_stats", {})
    inactive = used.get("stats", {}).get("inactive_file", 0)
    return used["usage"] - inactive if "usage" in used else None


def _host() -> Census:
    folders = _own_folders()
    bound = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()
    return {
        "host: processes of ours": len(_family([os.getpid()])) - 1,
        "host: /tmp/tir-* folders of ours": len(folders),
        "host: open descriptors": _number_in(Path("/proc/self/fd")),
        "host: Unix sockets in our folders": sum(any(str(f) in line for f in folders) for line in bound),
        "host: threads": int(status(os.getpid(), "Threads") or 0),
        "host: Python objects": len(gc.get_objects()),
        "host: resident memory": resident(os.getpid()),
    }


def _own_folders() -> list[Path]:
    this = Owner.this()
    found = []
    for folder in Path(tempfile.gettempdir()).glob("tir-*"):
        with contextlib.suppress(OSError):
            if Owner.parse((folder / "owner").read_text()) == this:
                found.append(folder)
    return found


def _processes(jail: list[int]) -> Census:
    states = [status(pid, "State") or "" for pid in jail]
    zombies = sum(state.startswith("Z") for state in states)
    # Those that ended while they were counted have no state.
    return {"jail: processes": sum(map(bool, states)) - zombies, "jail: zombies": zombies}


def _server(pid: int) -> Census:
    return {
        "jail: fork server, resident memory": resident(pid),
        "jail: fork server, descriptors": _or_none(lambda: _number_in(Path(f"/proc/{pid}/fd"))),
    }


def _namespaces(pid: int) -> Census:
    return {
        "jail: System V objects": _or_none(lambda: _system_v(pid)),
        "jail: Unix sockets": _or_none(
            lambda: len(Path(f"/proc/{pid}/net/unix").read_text().splitlines()) - 1
        ),
    }


def _files(root: Path) -> Census:
    """What is in the folders of the jail whose root is `root`."""
    if not os.access(root / "run", os.R_OK):
        return {}
    census: Census = {}
    for name in ("scratch", "dev/shm"):
        usages = [os.statvfs(folder) for folder in _file_systems(root / name)]
        used = sum((usage.f_blocks - usage.f_bfree) * usage.f_frsize for usage in usages)
        census[f"jail: bytes used in /{name}"] = used
        census[f"jail: inodes used in /{name}"] = sum(usage.f_files - usage.f_ffree for usage in usages)
    temporary = [_or_none(partial(_entries, root / path)) for path in ("tmp", "var/tmp")]
    return {
        **{key: value for key, value in census.items() if key in {quantity.name for quantity in JAIL}},
        "jail: entries under /scratch": _entries(root / "scratch"),
        "jail: entries in /dev/shm": _entries(root / "dev/shm"),
        "jail: entries in /dev/mqueue": _or_none(lambda: _entries(root / "dev/mqueue")),
        "jail: entries in /tmp and /var/tmp": sum(number or 0 for number in temporary),
        "jail: entries under /run/tir": _entries(root / "run/tir"),
    }


def _file_systems(folder: Path) -> list[Path]:
    """Those mounted in `folder`, one for each session, or else the one that it is on."""
    here = folder.stat().st_dev
    return [child for child in folder.iterdir() if child.stat().st_dev != here] or [folder]


def _number_in(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _entries(folder: Path) -> int:
    """Files and folders under `folder`, at any depth."""
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    return sum(len(folders) + len(files) for _, folders, files in os.walk(folder))


def _system_v(pid: int) -> int:
    """Read inside the jail's IPC namespace: /proc shows those of the reader."""
    if shutil.which("nsenter") is None:
        raise FileNotFoundError("nsenter")
    kinds = [f"/proc/sysvipc/{kind}" for kind in ("shm", "sem", "msg")]
    command = ["nsenter", "--target", str(pid), "--ipc", "cat", *kinds]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=20)
    if listed.returncode != 0:
        raise PermissionError(listed.stderr)
    # One line of headings each.
    return len(listed.stdout.splitlines()) - len(kinds)


def fork_server(jail: list[int]) -> int | None:
    """The first Python in the jail: all others are its children."""
    return next((pid for pid in jail if (status(pid, "Name") or "").startswith("python")), None)


def jail_server(backend: str) -> int | None:
    """Process id of the jail's fork server, as the host counts."""
    return fork_server(_look_for_jail(backend)[0])


def resident(pid: int) -> int | None:
    """Bytes of memory that the process has; None if it is no more."""
    line = status(pid, "VmRSS")
    return int(line.split()[0]) * 1024 if line else None


def status(pid: int, field: str) -> str | None:
    """A field of /proc/PID/status (proc(5))."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return value.strip()
    return None


def _is_jail(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"forkserver.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _family(pids: list[int]) -> list[int]:
    """These processes and all that descend from them, parents first. Orphans stay in a jail's family."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    family = list(pids)
    for pid in family:
        family.extend(children.get(pid, []))
    return family


def _children_of(pid: int) -> list[int]:
    return [child for child, parent in _parents() if parent == pid]


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # Field 4; the name before it may hold spaces and parentheses.
                stat = (folder / "stat").read_text(errors="replace")
                yield int(folder.name), int(stat.rpartition(")")[2].split()[1])


def _or_none(count: Callable[[], int]) -> int | None:
    try:
        return count()
    except (OSError, subprocess.SubprocessError):
        return None
