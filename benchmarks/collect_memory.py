"""The memory of a collecting process while trajectories come by the ten thousand: does it grow, and by what?

Trajectories of prose: no kernels, so that nothing hides what the collector itself keeps.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from collect_command import Collecting, Hung, ModelServer, Place, write_problems
from collect_jails import cpu_of
from endurance_census import resident
from orchestration_task import Form

__all__ = ["Growth", "Moment", "grow", "plot"]

_EVERY: Final = 2.0
_MIB: Final = 2**20


class Moment(BaseModel):
    """The process at one time."""

    seconds: float
    trajectories: int
    cpu: float
    """Seconds of processor time until then."""
    resident: int
    """Bytes."""


class Growth(BaseModel):
    """One long collection."""

    moments: list[Moment] = []
    at_once: int
    samples: int
    cpu: float = 0.0
    """Seconds of processor time of the collecting process."""
    load: float = 0.0
    """Of the machine: processes that ran or waited to, at the mean over the run."""

    @property
    def trajectories(self) -> int:
        return self.moments[-1].trajectories

    @property
    def slope(self) -> float:
        """Bytes for each trajectory, by least squares over all but the first tenth: it warms up there."""
        kept = [one for one in self.moments if one.trajectories > self.trajectories / 10]
        mean_x = sum(one.trajectories for one in kept) / len(kept)
        mean_y = sum(one.resident for one in kept) / len(kept)
        above = sum((one.trajectories - mean_x) * (one.resident - mean_y) for one in kept)
        return above / sum((one.trajectories - mean_x) ** 2 for one in kept)


class _Counter:
    """Counts the lines of shards that grow, and reads each byte once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self.lines = 0

    def count(self) -> int:
        for path in self._folder.glob("*.jsonl"):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            self._read[path] = self._read.get(path, 0) + len(data)
            self.lines += data.count(b"\n")
        return self.lines


def grow(root: Path, trajectories: int, *, latency: float, at_once: int, seconds: float) -> Growth:
    """Collect so many, or as many as come in `seconds`."""
    samples = 4
    with ModelServer(latency) as server:
        place = Place(root, server.url, Form.PROSE, samples, "local", at_once)
        place.options = ("--prompt", "cot")
        write_problems(place.problems, range(1, trajectories // samples + 1), golds=False)
        growth = Growth(at_once=at_once, samples=samples)
        counter, loads = _Counter(place.run / "shards"), []
        collecting = Collecting(place)
        while not collecting.is_over and time.monotonic() - collecting.began < seconds:
            time.sleep(_EVERY)
            used, cpu = resident(collecting.pid), cpu_of(collecting.pid)
            if used is None:
                break
            growth.cpu = cpu
            loads.append(os.getloadavg()[0])
            passed = time.monotonic() - collecting.began
            growth.moments.append(
                Moment(seconds=passed, trajectories=counter.count(), cpu=cpu, resident=used)
            )
        collecting.kill()
    if not growth.moments or not growth.trajectories:
        raise Hung(f"Nothing was collected; {place.said} says why")
    growth.load = sum(loads) / len(loads)
    return growth


def plot(growth: Growth, path: Path) -> None:
    """Resident memory over trajectories.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 4.5), layout="constrained")
    axes.plot(
        [one.trajectories for one in growth.moments],
        [one.resident / _MIB for one in growth.moments],
        color="#2563eb",
        linewidth=2,
    )
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("trajectories in the log", fontsize=9, color="#555555")
    axes.set_ylabel("MiB resident", fontsize=9, color="#555555")
    title = f"Memory of the collecting process: {growth.slope:,.0f} bytes more for each trajectory"
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=160)
    plt.close(figure)
