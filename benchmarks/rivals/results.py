"""What was measured: plain data, written to `kernel_speed.json` as it is."""

from __future__ import annotations

import statistics

from pydantic import BaseModel

__all__ = ["Branching", "Figures", "MemoryFigures", "Results", "median"]


class Figures(BaseModel):
    """Of one system. Times in seconds, in the order in which they were taken."""

    name: str
    isolation: str
    reason: str | None = None
    """Why it was not measured, or not to its end."""
    ready: list[float] = []
    first_output: list[float] = []
    round_trip: list[float] = []
    sessions_per_second: list[float] = []


class Branching(BaseModel):
    """`session.branch(1)` of a session with a list of two million numbers, and a fresh session's start."""

    reason: str | None = None
    branch: list[float] = []
    fresh: list[float] = []


class MemoryFigures(BaseModel):
    """Of idle sessions that were open at once. Sizes in bytes."""

    name: str
    asked: int
    opened: int = 0
    """How many opened and were still there when they were counted."""
    reason: str | None = None
    """Why not all of them opened, or why their memory could not be read."""
    per_session: float | None = None
    """Private memory (USS) of one: the median."""
    total: int | None = None
    """Private memory of all together."""
    engine_total: int | None = None
    """What the Docker engine counts for the container beyond what it did before, page cache excepted."""


class Results(BaseModel):
    """Of one run of the benchmark."""

    machine: dict[str, str]
    settings: dict[str, str]
    systems: list[Figures] = []
    branching: Branching | None = None
    memory: list[MemoryFigures] = []


def median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None
