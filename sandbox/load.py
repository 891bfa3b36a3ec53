"""How much is going on in the jail, by what the operating system tells everyone."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import wire


def measure(number: int, sessions: int) -> wire.Load:
    """The answer to report `number`. Counts what this jail sees: without one, the whole machine."""
    processes = [folder for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    resident = 0
    for folder in processes:
        with contextlib.suppress(OSError):
            resident += int((folder / "statm").read_text().split()[1])
    return wire.Load(
        id=number,
        sessions=sessions,
        processes=len(processes),
        resident_bytes=resident * os.sysconf("SC_PAGE_SIZE"),
        server_seconds=time.process_time(),
    )
