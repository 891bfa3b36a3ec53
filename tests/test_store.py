"""Trajectories on disk."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tir_agent.errors import StorageError, TrajectoryError
from tir_agent.problems import problem_from_text
from tir_agent.settings import RunSettings
from tir_agent.store import check_writable, load, save, save_or_rescue
from tir_agent.trajectory import Environment, PromptIdentity, StopReason, Timings, Trajectory, Usage


def trajectory(text: str = "What is 6 times 7?") -> Trajectory:
    return Trajectory(
        id="0" * 32,
        problem=problem_from_text(text),
        messages=(),
        turns=(),
        stop=StopReason.INTERRUPTED,
        settings=RunSettings(model="m"),
        prompt=PromptIdentity(name="p", sha256="0"),
        environment=Environment(tir_agent="0", python="3", platform="x", kernel="none"),
        usage=Usage(),
        timings=Timings(started=datetime(2026, 1, 1, tzinfo=UTC), duration=0, model=0, kernel=0),
    )


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "t.json"
    save(trajectory("数学 𝔸"), path)
    assert load(path) == trajectory("数学 𝔸")
    assert [entry.name for entry in path.parent.iterdir()] == ["t.json"]


def test_a_full_disk_says_so_and_the_run_is_rescued() -> None:
    with pytest.raises(StorageError, match="No space left"):
        save(trajectory(), Path("/dev/full"))
    where, trouble = save_or_rescue(trajectory(), Path("/dev/full"))
    assert "No space left" in (trouble or "")
    assert load(where) == trajectory()
    assert where.parent == Path(tempfile.gettempdir())
    where.unlink()


def test_a_device_is_written_to_and_not_replaced() -> None:
    save(trajectory(), Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    save(trajectory(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load(tmp_path / "target") == trajectory()


def test_what_was_there_before_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text("x" * 10_000)
    save(trajectory(), path)
    assert load(path) == trajectory()


def test_a_place_that_cannot_be_written_is_found_out_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "t.json", Path("/proc/none/t.json")):
        with pytest.raises(StorageError):
            check_writable(path)
    check_writable(tmp_path / "new" / "t.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not JSON"),
        ("[]", "is not a trajectory"),
        ('{"format": "other"}', "is not a trajectory"),
        ('{"format": "tir-agent/trajectory", "version": 99}', "has version 99"),
        ('{"format": "tir-agent/trajectory", "version": 1}', "id: Field required"),
    ],
)
def test_what_is_no_trajectory_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(TrajectoryError, match=message):
        load(path)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(json.loads(trajectory().model_dump_json()) | {"surprise": 1}))
    with pytest.raises(TrajectoryError, match="surprise"):
        load(path)
