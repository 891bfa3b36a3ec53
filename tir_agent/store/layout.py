"""Which file of a run's folder is where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LINES", "LINES_ZSTD", "Layout", "shard_number", "shards_in"]

LINES = ".jsonl"
LINES_ZSTD = ".jsonl.zst"
_SHARD = re.compile(r"(\d{5,})\.jsonl(?:\.zst)?")


@dataclass(frozen=True)
class Layout:
    """The folder of one run."""

    root: Path

    @property
    def manifest(self) -> Path:
        """What the run is. A folder without this file is no run."""
        return self.root / "run.json"

    @property
    def problems(self) -> Path:
        """One problem a line."""
        return self.root / "problems.jsonl"

    @property
    def shards(self) -> Path:
        """The trajectories that say something about the model."""
        return self.root / "shards"

    @property
    def failures(self) -> Path:
        """Those that the machinery failed, or someone stopped."""
        return self.root / "failures"

    @property
    def grades(self) -> Path:
        """Later gradings, one file for each grader."""
        return self.root / "grades"

    @property
    def lock(self) -> Path:
        """Held by the process that writes."""
        return self.root / "lock"


def shard_number(path: Path) -> int | None:
    """The number of a shard's file; None for any other file."""
    match = _SHARD.fullmatch(path.name)
    return int(match[1]) if match else None


def shards_in(folder: Path) -> list[Path]:
    """The shards of a log, oldest first; none where there is no such folder."""
    if not folder.is_dir():
        return []
    numbered = [(shard_number(path), path) for path in folder.iterdir()]
    return [path for number, path in sorted(pair for pair in numbered if pair[0] is not None)]
