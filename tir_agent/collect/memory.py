"""How much memory is left: of the machine, and of the container that this process may be in (Linux)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["free_memory"]

_MACHINE: Final = Path("/proc/meminfo")
_GROUPS: Final = (
    # cgroup v2, then v1: limit, use.
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def free_memory() -> int | None:
    """Bytes that can still be had without swapping; None where this system does not tell."""
    found = [left for left in (_of_machine(), *(_of_group(*files) for files in _GROUPS)) if left is not None]
    return min(found, default=None)


def _of_machine() -> int | None:
    try:
        for line in _MACHINE.read_text("ascii").splitlines():
            name, _, rest = line.partition(":")
            if name == "MemAvailable":
                return int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _of_group(limit: Path, used: Path) -> int | None:
    try:
        # "max" stands for no limit.
        return max(int(limit.read_text("ascii")) - int(used.read_text("ascii")), 0)
    except (OSError, ValueError):
        return None
