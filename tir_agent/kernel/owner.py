"""Who started a jail, so that the jails of processes that are no more can be told from all others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["Owner"]


@dataclass(frozen=True)
class Owner:
    """A process, told apart from a later one with the same number."""

    boot: str
    """Id of the machine's boot."""
    pid: int
    started: int
    """Clock ticks after the boot."""

    @classmethod
    def this(cls) -> Self:
        """The current process."""
        return cls(_boot(), os.getpid(), _started(os.getpid()) or 0)

    @classmethod
    def parse(cls, label: str) -> Self | None:
        """Read what `label` wrote; None for anything else."""
        boot, _, rest = label.partition(":")
        pid, _, started = rest.partition(":")
        if not (boot and pid.isdecimal() and started.isdecimal()):
            return None
        return cls(boot, int(pid), int(started))

    def label(self) -> str:
        return f"{self.boot}:{self.pid}:{self.started}"

    def is_gone(self) -> bool:
        """Whether the process has ended. False for one of another machine: it cannot be told."""
        return self.boot == _boot() and _started(self.pid) != self.started


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat (proc(5)); the name before it may hold spaces and parentheses."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])
