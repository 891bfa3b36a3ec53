"""What some work costs: time, processor time, memory. Standard library alone; Linux."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Meter"]


@dataclass
class Meter:
    """Measures what happens inside its `with` block. Times in seconds, sizes in bytes."""

    wall: float = 0.0
    cpu: float = 0.0
    """Processor time of this process alone."""
    machine_cpu: float = 0.0
    """Processor time of everything on this machine, whoever had it."""
    peak_rss: int = 0
    """The most resident memory that this process had."""

    def __enter__(self) -> Self:
        # Lets the highest resident size begin anew (proc(5), clear_refs).
        Path("/proc/self/clear_refs").write_text("5")
        self._start, self._cpu, self._machine = time.perf_counter(), time.process_time(), _machine_cpu()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall = time.perf_counter() - self._start
        self.cpu = time.process_time() - self._cpu
        self.machine_cpu = _machine_cpu() - self._machine
        self.peak_rss = _peak_rss()

    def figures(self) -> dict[str, float]:
        """All of it, by name."""
        return {
            "wall": self.wall,
            "cpu": self.cpu,
            "machine_cpu": self.machine_cpu,
            "peak_rss": self.peak_rss,
        }


def _machine_cpu() -> float:
    # proc(5): user nice system idle iowait irq softirq steal.
    ticks = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4] - ticks[7]) / os.sysconf("SC_CLK_TCK")


def _peak_rss() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
