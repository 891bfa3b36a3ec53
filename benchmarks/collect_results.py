"""What `collect_speed.py` measures, and the arithmetic on it: plain data, written as it is."""

from __future__ import annotations

from pydantic import BaseModel

from collect_memory import Growth

__all__ = ["Level", "Profile", "Results", "Run"]


class Run(BaseModel):
    """One collection. Times in seconds."""

    trajectories: int
    wall: float
    """From the first sample's beginning to the last one's end."""
    cpu: float
    """Processor time of the collecting process meanwhile."""
    server_cpu: float
    """Of the model's server."""
    jail_cpu: float
    """Of the fork server with its kernels and graders."""
    resident: int
    """Of the collecting process at the end, in bytes."""
    load: float
    """Of the machine, over the last minute, at the end."""

    @property
    def per_minute(self) -> float:
        return 60 * self.trajectories / self.wall


class Level(BaseModel):
    """Collections with so many trajectories at once."""

    form: str
    at_once: int
    runs: list[Run] = []
    bare: list[float] = []
    """Sessions with the same cells a minute, without model and collector; a run each."""

    @property
    def best(self) -> Run:
        return max(self.runs, key=lambda run: run.per_minute)

    @property
    def best_bare(self) -> float | None:
        return max(self.bare, default=None)


class Profile(BaseModel):
    """Where the processor time of the collecting process went, in a slower run of its own."""

    form: str
    trajectories: int
    seconds: dict[str, float]
    """By group of modules, with what the process took to start."""

    @property
    def whole(self) -> float:
        return sum(self.seconds.values())


class Results(BaseModel):
    """Of one run of the benchmark."""

    machine: dict[str, str]
    latency: float
    levels: list[Level] = []
    profiles: list[Profile] = []
    growth: Growth | None = None
