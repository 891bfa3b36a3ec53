"""How a run stands, counted from its log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tir_agent.grades import Verdict
from tir_agent.store.outcome import Key
from tir_agent.store.reader import RunReader
from tir_agent.trajectory import StopReason

__all__ = ["Counts", "count", "find_runs", "folder_bytes"]


@dataclass(frozen=True)
class Counts:
    """Sums over all trajectories that say something about the model, and the number of failures."""

    done: int
    stops: Counter[StopReason]
    verdicts: Counter[Verdict | None]
    arms: Counter[str]
    failures: Counter[str]
    """By kind."""
    samples: Counter[str]
    """Trajectories of each problem."""
    completion_tokens: int
    seconds: float
    cost: float | None
    """None where no trajectory's cost is known."""

    @property
    def correct(self) -> int:
        """Trajectories whose answer is right."""
        return self.verdicts[Verdict.CORRECT]


def count(reader: RunReader) -> Counts:
    """Read all of a run once, in memory that grows with its problems alone.

    Raises:
        RunError: there are records of a newer version.
        StorageError: a file cannot be read.
    """
    stops: Counter[StopReason] = Counter()
    verdicts: Counter[Verdict | None] = Counter()
    arms: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    done = tokens = 0
    seconds = 0.0
    cost = None
    key: Key
    for key, outcome in reader.outcomes():
        done += 1
        stops[outcome.stop] += 1
        verdicts[outcome.verdict] += 1
        arms[key.arm] += 1
        samples[key.problem] += 1
        tokens += outcome.completion_tokens
        seconds += outcome.duration
        if outcome.cost is not None:
            cost = (cost or 0.0) + outcome.cost
    failures = Counter(outcome.failure or outcome.stop.value for _, outcome in reader.failed())
    return Counts(done, stops, verdicts, arms, failures, samples, tokens, seconds, cost)


def find_runs(folder: Path) -> list[Path]:
    """The runs in `folder` and in its folders; `folder` itself, where it is one."""
    if (folder / "run.json").is_file():
        return [folder]
    if not folder.is_dir():
        return []
    return sorted(path.parent for path in folder.glob("*/run.json"))


def folder_bytes(folder: Path) -> int:
    """What all files of a folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
