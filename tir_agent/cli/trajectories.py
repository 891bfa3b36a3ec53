"""Trajectories from what a user names: a run's folder, a file of them, a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from tir_agent.errors import RunError, TrajectoryError
from tir_agent.store import load
from tir_agent.trajectory import Trajectory

__all__ = ["read_trajectories"]


def read_trajectories(path: Path) -> Iterator[Trajectory]:
    """The trajectories of a run's folder (`shards/*.jsonl`), a `.jsonl`, a `.json`, or a folder of these.

    A last line without its end is one that was being written when the writer was killed, and is left out.

    Raises:
        RunError: there is no such file or folder, or nothing in it.
        TrajectoryError: what is there cannot be read, or is no trajectory.
    """
    if not path.exists():
        raise RunError(f"There is no run at {path}")
    for file in _files(path):
        if file.suffix == ".json":
            yield load(file)
        else:
            yield from _lines(file)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    folder = path / "shards" if (path / "shards").is_dir() else path
    files = sorted(file for file in folder.iterdir() if file.suffix in {".json", ".jsonl"})
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise RunError(f"There are no trajectories in {path}")
    return files


def _lines(file: Path) -> Iterator[Trajectory]:
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    yield Trajectory.model_validate_json(line)
                except ValidationError as error:
                    if not line.endswith(b"\n"):
                        return
                    first = error.errors(include_url=False)[0]
                    field = ".".join(str(part) for part in first["loc"])
                    what = f"{field}: {first['msg']}" if field else first["msg"]
                    raise TrajectoryError(f"{file}:{number} is no trajectory: {what}") from None
    except OSError as error:
        raise TrajectoryError(f"Cannot read {file}: {error.strerror}") from None
