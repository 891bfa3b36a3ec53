"""Writers that are killed, and disks that are full: what counted as written is there, once, and whole."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tir_agent.errors import RunError, StorageError
from tir_agent.settings import Fsync, Storage
from tir_agent.store import RunReader, RunWriter

import run_samples
from conftest import missing
from run_samples import draft, problems, sample

PROBLEMS = 5000


def spawn(folder: Path, storage: Storage) -> subprocess.Popen[bytes]:
    words = [str(folder), str(PROBLEMS), storage.fsync.value, "zstd" if storage.compress else "plain"]
    return subprocess.Popen([sys.executable, run_samples.__file__, *words], stdout=subprocess.PIPE)


def acknowledged(output: bytes) -> list[str]:
    """Ids, but for one that was cut off when the writer was killed."""
    return [line.decode().strip() for line in output.splitlines(keepends=True) if line.endswith(b"\n")]


@pytest.mark.parametrize(
    ("storage", "kills"),
    [(Storage(), 20), (Storage(compress=True), 20), (Storage(fsync=Fsync.NEVER), 5)],
    ids=["plain", "zstd", "never"],
)
def test_a_killed_writer_loses_nothing_and_writes_nothing_twice(
    tmp_path: Path, storage: Storage, kills: int
) -> None:
    chance = random.Random(storage.compress)
    said: list[str] = []
    killed = 0
    for _ in range(kills):
        process = spawn(tmp_path / "run", storage)
        assert process.stdout is not None
        # Some are killed while they begin, most while they write.
        output = process.stdout.readline() if chance.random() > 0.1 else b""
        try:
            process.wait(timeout=chance.random() * 0.05)
        except subprocess.TimeoutExpired:
            process.kill()
        said += acknowledged(output + process.stdout.read())
        process.stdout.close()
        killed += process.wait(timeout=30) < 0
    assert killed > kills // 2
    with RunWriter.open(tmp_path / "run", draft(), problems(PROBLEMS), storage) as writer:
        found = [outcome.trajectory for outcome in writer.done.values()]
    assert len(said) > kills
    assert set(said) <= set(found)
    reader = RunReader.open(tmp_path / "run")
    assert Counter(reader.keys()).most_common(1)[0][1] == 1
    assert len(list(reader.trajectories())) == len(found)
    assert reader.faults() == []
    with RunWriter.open(tmp_path / "run", draft(), problems(PROBLEMS), storage) as writer:
        assert writer.repairs == ()


def test_a_killed_writer_leaves_no_lock(tmp_path: Path) -> None:
    process = spawn(tmp_path / "run", Storage())
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(RunError, match=f"is being written by process {process.pid}$"):
        RunWriter.open(tmp_path / "run", draft(), problems(PROBLEMS))
    process.kill()
    process.wait(timeout=30)
    process.stdout.close()
    RunWriter.open(tmp_path / "run", draft(), problems(PROBLEMS)).close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        missing("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("compress", [False, True])
def test_a_full_disk_takes_nothing_of_what_counted_as_written(small_disk: Path, compress: bool) -> None:
    asked = problems(40)
    storage = Storage(compress=compress)
    run = small_disk / "run"
    ballast = small_disk / "ballast"

    async def fill() -> tuple[set[str], int]:
        written: set[str] = set()
        refused = 0
        with RunWriter.open(run, draft(), asked, storage) as writer:
            ballast.write_bytes(b"x" * (writer.free_bytes() - 60_000))
            for problem in asked[:20]:
                trajectory = sample(problem, padding=10 if compress else 3000).model_copy(
                    update={"notes": (os.urandom(4000).hex(),)}
                )
                try:
                    await writer.append(trajectory)
                except StorageError as error:
                    refused += "No space left" in error.message
                else:
                    written.add(trajectory.id)
            ballast.unlink()
            for problem in asked[20:]:
                await writer.append(sample(problem))
        return written, refused

    written, refused = asyncio.run(fill())
    assert written
    assert refused
    assert refused + len(written) == 20
    reader = RunReader.open(run)
    found = {outcome.trajectory for _, outcome in reader.outcomes()}
    assert written <= found
    assert len(found) == len(written) + 20
    assert reader.faults() == []


def test_a_write_that_fails_in_the_middle_is_taken_back(tmp_path: Path) -> None:
    asked = problems(3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def write() -> None:
        with RunWriter.open(tmp_path, draft(), asked) as writer:
            await writer.append(sample(asked[0]))
            size = (tmp_path / "shards" / "00000.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, hard))
            try:
                with pytest.raises(StorageError, match="File too large"):
                    await writer.append(sample(asked[1]))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert (tmp_path / "shards" / "00000.jsonl").stat().st_size == size
            await writer.append(sample(asked[2]))
            await writer.append(sample(asked[1]))

    asyncio.run(write())
    assert [key.problem for key, _ in RunReader.open(tmp_path).outcomes()] == [
        asked[number].id for number in (0, 2, 1)
    ]


def test_a_large_log_is_read_in_little_memory(tmp_path: Path) -> None:
    asked = problems(100)
    big = sample(asked[0], padding=300_000)

    async def write() -> None:
        with RunWriter.open(tmp_path, draft(), asked, Storage(fsync=Fsync.NEVER)) as writer:
            for problem in asked:
                await writer.append(big.model_copy(update={"problem": problem}))

    asyncio.run(write())
    assert (tmp_path / "shards" / "00000.jsonl").stat().st_size > 90e6
    for reading in ("list(reader.keys())", "sum(1 for _ in reader.trajectories())"):
        program = (
            "import sys; from pathlib import Path; from tir_agent.store import RunReader;"
            # What `getrusage` says would hold the memory of this process too, from before the `exec`.
            "peak = lambda: int(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]);"
            f"before = peak(); reader = RunReader.open(Path(sys.argv[1])); {reading}; print(peak() - before)"
        )
        done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, check=True)
        assert int(done.stdout) < 20_000, f"KiB more for {reading}"
