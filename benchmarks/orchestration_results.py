"""What `orchestration.py` measures, and the arithmetic on it: plain data, written as it is."""

from __future__ import annotations

import statistics

from pydantic import BaseModel

from orchestration_meter import Meter

__all__ = ["Batch", "Level", "Results", "RivalFigures", "quantile"]


class Batch(BaseModel):
    """Some trajectories, or their bare cells, that ran at the same time. Times in seconds."""

    wall: float
    cpu: float
    """Processor time of this process alone: not of the engine, the kernels or the model's server."""
    machine_cpu: float
    """Processor time of everything on the machine."""
    peak_rss: int
    """The most resident memory that this process had meanwhile, in bytes."""
    added: list[float] = []
    """For each turn, how much longer the time between two executions was than the model took."""
    requests: int = 0
    """That the model's server got."""
    server_cpu: float = 0.0
    """Processor time of the model's server meanwhile."""
    server_late: float = 0.0
    """By how much an answer left that server too late, on average."""

    @classmethod
    def of(cls, meter: Meter) -> Batch:
        """What was measured, as data."""
        return cls(wall=meter.wall, cpu=meter.cpu, machine_cpu=meter.machine_cpu, peak_rss=meter.peak_rss)


class Level(BaseModel):
    """All batches with the same number of trajectories at once."""

    name: str
    at_once: int
    turns: int
    """Of the longest trajectory."""
    latency: float
    agents: list[Batch] = []
    kernels: list[Batch] = []
    """The same sessions and cells without agent, model and HTTP; empty where there is no kernel."""

    @property
    def wall(self) -> float:
        """The median of the batches."""
        return statistics.median(batch.wall for batch in self.agents)

    @property
    def model_seconds(self) -> float:
        """What the model alone takes: all trajectories ask at the same time, so the longest one counts."""
        return self.turns * self.latency

    @property
    def kernel_seconds(self) -> float:
        """What sessions and cells alone take, at the same concurrency; the median of the batches."""
        return statistics.median(batch.wall for batch in self.kernels) if self.kernels else 0.0

    @property
    def ideal(self) -> float:
        """Model and kernel one after the other, and nothing else."""
        return self.model_seconds + self.kernel_seconds

    @property
    def ratio(self) -> float:
        """Wall time over the ideal."""
        return self.wall / self.ideal

    @property
    def strict_ratio(self) -> float:
        """Wall time over the longer of the two: what would be left if they overlapped wholly."""
        return self.wall / max(self.model_seconds, self.kernel_seconds)

    @property
    def per_minute(self) -> float:
        """Trajectories."""
        return 60 * self.at_once / self.wall

    @property
    def cpu(self) -> float:
        """Processor time of this process for one trajectory."""
        return statistics.median(batch.cpu for batch in self.agents) / self.at_once

    @property
    def kernel_cpu(self) -> float | None:
        """The part of it that speaking to the kernels alone takes."""
        if not self.kernels:
            return None
        return statistics.median(batch.cpu for batch in self.kernels) / self.at_once

    @property
    def peak_rss(self) -> int:
        """The most of any batch."""
        return max(batch.peak_rss for batch in self.agents)

    @property
    def added(self) -> list[float]:
        """Of all turns of all batches."""
        return [delay for batch in self.agents for delay in batch.added]


class RivalFigures(BaseModel):
    """Another system, once, with the same problems at the same time."""

    name: str
    version: str = ""
    code_runs: str = ""
    """How its Python is run, in a few words."""
    how: str = ""
    """What else is to be known of how it was run: a sentence."""
    reason: str | None = None
    """Why there are no figures."""
    at_once: int = 0
    turns: int = 0
    right: int = 0
    requests: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    """Processor time of its own process."""
    machine_cpu: float = 0.0
    """Processor time of everything on the machine, the model's server included."""
    peak_rss: int = 0
    latency: float = 0.0

    @property
    def ratio(self) -> float:
        """Wall time over what the model alone takes."""
        return self.wall / (self.turns * self.latency)


class Results(BaseModel):
    """Of one run of the benchmark."""

    machine: dict[str, str]
    settings: dict[str, str]
    levels: list[Level] = []
    no_kernel: Level | None = None
    rivals: list[RivalFigures] = []
    profile: list[str] = []
    """The functions that took the most processor time, where they were asked for."""


def quantile(values: list[float], share: float) -> float | None:
    """The value below which `share` of them lie, or None where there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
