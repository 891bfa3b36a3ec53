"""The warden: when the jail runs out of memory, the session that uses most of it ends, and no other.

A limit on each process does not keep a session from starting many. Left to itself the operating system
would end the largest process, which need not be of the session that is at fault.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path

SECONDS = 0.2
"""Between two looks."""
_FULL = 0.75
_SCARCE = 0.05
"""Of the machine's memory, where the jail has no limit of its own."""
_CGROUP_1 = Path("/sys/fs/cgroup/memory")
_CGROUP_2 = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
MEMORY = "The sandbox was running out of memory, and this session used most of it."
SHARED_MEMORY = "/dev/shm was full, and this session had filled most of it."  # noqa: S108


class Warden:
    """Looks at what every process may see; knows sessions by their users."""

    def __init__(self) -> None:
        self._own = _anonymous(Path("/proc/self"))
        """What every session shares with the server, and is not its own."""

    def culprit(self) -> tuple[int, str] | None:
        """The user that must end, and why; None while there is enough of everything."""
        if _memory_is_short():
            return _most(self._memory_by_user(), MEMORY)
        with contextlib.suppress(OSError):
            room = os.statvfs(_SHARED_MEMORY)
            if room.f_bavail < room.f_blocks * (1 - _FULL):
                return _most(_shared_memory_by_user(), SHARED_MEMORY)
        return None

    def _memory_by_user(self) -> Counter[int]:
        users: Counter[int] = Counter()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    users[folder.stat().st_uid] += max(_anonymous(folder) - self._own, 0)
        return users


def _most(users: Counter[int], reason: str) -> tuple[int, str] | None:
    users.pop(0, None)
    for user, _ in users.most_common(1):
        return user, reason
    return None


def _shared_memory_by_user() -> Counter[int]:
    users: Counter[int] = Counter()
    for entry in os.scandir(_SHARED_MEMORY):
        with contextlib.suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            users[status.st_uid] += status.st_blocks
    return users


def _anonymous(process: Path) -> int:
    """Pages of a process that are no file's (proc(5), statm: resident less shared)."""
    resident, shared = map(int, (process / "statm").read_text().split()[1:3])
    return resident - shared


def _memory_is_short() -> bool:
    for folder, limit_name, names in (
        (_CGROUP_1, "memory.limit_in_bytes", ("total_rss", "total_shmem")),
        (_CGROUP_2, "memory.max", ("anon", "shmem")),
    ):
        with contextlib.suppress(OSError):
            limit = (folder / limit_name).read_text().strip()
            if limit.isdecimal() and int(limit) < _UNLIMITED:
                used = _table(folder / "memory.stat")
                return sum(used.get(name, 0) for name in names) > _FULL * int(limit)
    machine = _table(Path("/proc/meminfo"))
    return machine["MemAvailable:"] < _SCARCE * machine["MemTotal:"]


def _table(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines())
    return {fields[0]: int(fields[1]) for fields in lines}
