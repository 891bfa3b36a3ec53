"""Trajectories on disk: one JSON file each, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from tir_agent.errors import StorageError, TrajectoryError
from tir_agent.store.encoding import encoded
from tir_agent.trajectory import FORMAT, VERSION, Trajectory

__all__ = ["check_writable", "default_name", "load", "save", "save_or_rescue"]


def default_name(trajectory_id: str, started: str) -> str:
    """A file name that sorts by time: `started` is a compact UTC timestamp.

    >>> default_name("0123456789abcdef", "20261121T101500")
    '20261121T101500-01234567.json'
    """
    return f"{started}-{trajectory_id[:8]}.json"


def check_writable(path: Path) -> None:
    """Find out before any work is done whether `path` can be written; leaves nothing behind.

    Raises:
        StorageError: its folder cannot be made or written, or `path` is a folder.
    """
    if path.is_dir():
        raise StorageError(f"Cannot write {path}: it is a folder", hint="Give a file's name")
    if _is_device(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise StorageError(f"Cannot write to {path.parent}: {error.strerror}") from None


def save(trajectory: Trajectory, path: Path) -> None:
    """Write `trajectory` to `path`: complete and synced to disk, or, on failure, as it was before.

    Raises:
        StorageError: it cannot be written.
    """
    data = encoded(trajectory, indent=1) + b"\n"
    temporary: str | None = None
    path = path.resolve()
    try:
        if _is_device(path):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise StorageError(f"Cannot write {path}: {error.strerror}") from None


def _is_device(path: Path) -> bool:
    """A pipe, a terminal, /dev/null: to be written to, and never to be replaced by a file."""
    return path.exists() and not path.is_file()


def save_or_rescue(trajectory: Trajectory, path: Path) -> tuple[Path, str | None]:
    """Write to `path`, or where that fails to the folder for temporary files.

    Returns where it is now, and what went wrong with `path` if anything did.

    Raises:
        StorageError: neither can be written; the caller still holds the trajectory.
    """
    try:
        save(trajectory, path)
    except StorageError as error:
        rescue = Path(tempfile.gettempdir()) / f"tir-{trajectory.id}.json"
        try:
            save(trajectory, rescue)
        except StorageError:
            raise error from None
        return rescue, error.message
    return path, None


def load(path: Path) -> Trajectory:
    """Read one trajectory.

    Raises:
        TrajectoryError: the file cannot be read, or is not a trajectory that is known here.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise TrajectoryError(f"Cannot read {path}: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise TrajectoryError(f"{path} is not JSON") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise TrajectoryError(f"{path} is not a trajectory: its format is not {FORMAT!r}")
    if content.get("version") != VERSION:
        raise TrajectoryError(
            f"{path} has version {content.get('version')!r} of the format; this program reads {VERSION}",
            hint="Use a newer tir-agent",
        )
    try:
        return Trajectory.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise TrajectoryError(f"{path}: {field}: {first['msg']}") from None
