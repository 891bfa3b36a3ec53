"""Logs that someone or something damaged, and folders that are no runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tir_agent.errors import RunError, StorageError
from tir_agent.grades import Grade, Verdict
from tir_agent.settings import Storage
from tir_agent.store import GradeLog, GradeRow, RunReader, RunWriter, save
from tir_agent.store.scan import Scan
from tir_agent.store.versions import summary_of

from conftest import missing
from run_samples import draft, filled, problems, sample

PLAIN = Storage()
ZSTD = Storage(compress=True)


def shard(folder: Path, storage: Storage, number: int = 0) -> Path:
    return folder / "shards" / (f"{number:05}.jsonl" + (".zst" if storage.compress else ""))


def read_ids(folder: Path) -> list[str]:
    return [key.problem for key, _ in RunReader.open(folder).outcomes()]


def ids(*numbers: int) -> list[str]:
    return [problems(number + 1)[number].id for number in numbers]


@pytest.mark.parametrize("storage", [PLAIN, ZSTD], ids=["plain", "zstd"])
def test_a_torn_tail_is_set_aside_wherever_it_was_torn(tmp_path: Path, storage: Storage) -> None:
    asked = problems(3)
    asyncio.run(filled(tmp_path / "whole", 2, storage))
    path = shard(tmp_path / "whole", storage)
    two = path.stat().st_size
    shutil.rmtree(tmp_path / "whole")
    asyncio.run(filled(tmp_path / "whole", 3, storage))
    whole = path.read_bytes()
    # The ids have one length, so that the first two records end where they did before, or nearly.
    start = whole.rindex(b"\n", 0, -1) + 1 if not storage.compress else whole.rindex(b"\x28\xb5\x2f\xfd")
    assert abs(start - two) < 20
    run = tmp_path / "torn"
    for size in range(len(whole) - 1, start, -1):
        os.truncate(path, size)
        scan = Scan(path, lambda line: summary_of(line, "the run"))
        assert len(list(scan)) == 2
        assert (scan.good, scan.size, scan.faults) == (start, size, [])
        # Resuming syncs half a dozen times, which takes too long for each and every byte.
        if start + 1 < size < len(whole) - 1 and size % 149:
            continue
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", run)
        assert len(read_ids(run)) == 2
        assert RunReader.open(run).faults() == []
        with RunWriter.open(run, draft(), asked, storage) as writer:
            assert len(writer.done) == 2
            (repair,) = writer.repairs
            assert repair.what == f"torn tail of {size - start} bytes, moved to 00000.torn-1"
            asyncio.run(writer.append(sample(asked[2])))
        assert (run / "shards" / "00000.torn-1").read_bytes() == whole[start:size]
        assert read_ids(run) == ids(0, 1, 2)


def test_torn_tails_do_not_overwrite_one_another(tmp_path: Path) -> None:
    for number in (1, 2):
        asyncio.run(filled_again(tmp_path))
        with shard(tmp_path, PLAIN).open("ab") as file:
            file.write(b'{"half')
        RunWriter.open(tmp_path, draft(), problems(2)).close()
        assert (tmp_path / "shards" / f"00000.torn-{number}").read_bytes() == b'{"half'


async def filled_again(folder: Path) -> None:
    asked = problems(2)
    with RunWriter.open(folder, draft(), asked) as writer:
        await writer.append(sample(asked[len(writer.done)]))


@pytest.mark.parametrize(
    "garbage",
    [b"\n", b"garbage\n", b"\x00" * 5000 + b"\n", b'{"half\n', b"[]\n", b"\xff\xfe\n", b'{"format": "x"}\n'],
)
def test_garbage_in_the_middle_is_skipped_and_stays(tmp_path: Path, garbage: bytes) -> None:
    asyncio.run(filled(tmp_path, 2))
    path = shard(tmp_path, PLAIN)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + garbage + second)
    assert read_ids(tmp_path) == ids(0, 1)
    faults = RunReader.open(tmp_path).faults()
    assert [fault.where for fault in faults] == ([] if garbage == b"\n" else ["shards/00000.jsonl, line 2"])
    with RunWriter.open(tmp_path, draft(), problems(2)) as writer:
        assert len(writer.done) == 2
        assert [fault.where for fault in writer.repairs] == [fault.where for fault in faults]
    assert path.read_bytes() == first + garbage + second


def test_zeros_at_the_end_are_a_torn_tail(tmp_path: Path) -> None:
    """What a power cut leaves where the length was written and the content was not."""
    asyncio.run(filled(tmp_path, 2))
    path = shard(tmp_path, PLAIN)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\x00" * 300 + b"\n" + b"\x00" * 300)
    with RunWriter.open(tmp_path, draft(), problems(2)) as writer:
        assert len(writer.done) == 2
    assert path.read_bytes() == whole


def test_a_record_of_another_kind_at_the_end_is_not_cut_off(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 2))
    path = shard(tmp_path, PLAIN)
    with path.open("ab") as file:
        file.write(b'{"mine": 1}\n')
    whole = path.read_bytes()
    with RunWriter.open(tmp_path, draft(), problems(2)) as writer:
        assert [fault.where for fault in writer.repairs] == ["shards/00000.jsonl, line 3"]
    assert path.read_bytes() == whole


def test_a_flipped_bit_in_a_compressed_log_costs_one_frame(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 3, ZSTD))
    path = shard(tmp_path, ZSTD)
    whole = path.read_bytes()
    second = whole.index(b"\x28\xb5\x2f\xfd", 4)
    third = whole.index(b"\x28\xb5\x2f\xfd", second + 4)
    for place in range(second, third, 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        assert read_ids(tmp_path) == ids(0, 2), place
        faults = RunReader.open(tmp_path).faults()
        assert faults[0].where == f"shards/00000.jsonl.zst, byte {second}"
    with RunWriter.open(tmp_path, draft(), problems(3), ZSTD) as writer:
        assert len(writer.done) == 2
        assert path.read_bytes() == damaged
        asyncio.run(writer.append(sample(problems(3)[1])))
    assert read_ids(tmp_path) == ids(0, 2, 1)


def test_a_log_that_was_compressed_as_one_is_read(tmp_path: Path) -> None:
    if shutil.which("zstd") is None:
        missing("there is no zstd here")
    asyncio.run(filled(tmp_path, 3))
    subprocess.run(["zstd", "-q", "--rm", shard(tmp_path, PLAIN)], check=True)
    assert read_ids(tmp_path) == ids(0, 1, 2)
    assert RunReader.open(tmp_path).faults() == []


def test_a_run_that_was_hardly_begun_is_begun_again(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 1))
    shutil.rmtree(tmp_path / "shards")
    (tmp_path / "run.json").rename(tmp_path / ".run.json.new")
    (tmp_path / "problems.jsonl").write_bytes(b"{")
    with RunWriter.open(tmp_path, draft(), problems(2)) as writer:
        assert len(writer.done) == 0
    assert len(list(RunReader.open(tmp_path).problems())) == 2


def test_the_reader_sees_what_is_written_meanwhile(tmp_path: Path) -> None:
    asked = problems(3)
    with RunWriter.open(tmp_path, draft(), asked) as writer:
        reader = RunReader.open(tmp_path)
        for count, problem in enumerate(asked, 1):
            asyncio.run(writer.append(sample(problem)))
            assert len(list(reader.trajectories())) == count
            assert len(writer.done) == count


def test_later_grades_stand_in_for_the_first_ones(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 3))
    made = list(RunReader.open(tmp_path).trajectories())
    rows = [
        GradeRow(problem=t.problem.id, arm="base", index=0, trajectory=t.id, grade=grade(Verdict.WRONG))
        for t in made[:2]
    ]
    with GradeLog.open(tmp_path, "strict-1") as log:
        log.append(rows)
        log.append([rows[0].model_copy(update={"grade": grade(Verdict.TIMEOUT)})])
        with pytest.raises(RunError, match="is being written by"):
            GradeLog.open(tmp_path, "strict-1")
    with (tmp_path / "grades" / "strict-1" / "00000.jsonl").open("ab") as file:
        file.write(b'{"problem": "')
    with GradeLog.open(tmp_path, "strict-1") as log:
        assert log.done == {made[0].id, made[1].id}
        assert [repair.what[:9] for repair in log.repairs] == ["torn tail"]
    reader = RunReader.open(tmp_path)
    verdicts = [Verdict.TIMEOUT, Verdict.WRONG, None]
    merged = reader.merge_grades("strict-1")
    assert [t.grade and t.grade.verdict for t in merged.trajectories()] == verdicts
    assert [outcome.verdict for _, outcome in merged.outcomes()] == verdicts
    assert [outcome.verdict for _, outcome in reader.outcomes()] == [Verdict.CORRECT] * 3
    with pytest.raises(RunError, match="has no grades of other; there are: strict-1"):
        reader.merge_grades("other")
    for name in ("", "..", "a/b", "-x"):
        with pytest.raises(RunError, match="is no name"):
            GradeLog.open(tmp_path, name)


def grade(verdict: Verdict) -> Grade:
    return Grade(verdict=verdict, reason="r", grader="strict 1")


def test_files_of_trajectories_are_read_too(tmp_path: Path) -> None:
    made = [sample(problem).model_copy(update={"sample": None}) for problem in problems(2) * 2]
    for number, trajectory in enumerate(made):
        save(trajectory, tmp_path / "folder" / f"{number}.json")
    (tmp_path / "folder" / "notes.txt").write_text("no trajectory")
    lines = "\n".join(trajectory.model_dump_json() for trajectory in made)
    for name in ("lines.jsonl", "lines.json"):
        (tmp_path / name).write_text(f"{lines}\n\n")
    (tmp_path / "unended.jsonl").write_text(lines)
    for place in ("folder", "lines.jsonl", "lines.json", "unended.jsonl"):
        reader = RunReader.open(tmp_path / place)
        assert reader.manifest is None
        assert [t.id for t in reader.trajectories()] == [t.id for t in made], place
        keys = [(key.problem, key.arm, key.index) for key, _ in reader.outcomes()]
        assert keys == [(t.problem.id, "m", number // 2) for number, t in enumerate(made)]
        assert [t.sample and t.sample.index for t in reader.trajectories()] == [0, 0, 1, 1]
        assert list(reader.problems()) == problems(2)
        assert reader.faults() == []
        assert list(reader.failures()) == []
    (tmp_path / "folder" / "broken.json").write_text('{"id": ')
    assert len(RunReader.open(tmp_path / "folder").faults()) == 1


@pytest.mark.parametrize("name", ["file", "other", "nothing", "empty", "other/text.txt"])
def test_what_holds_no_trajectories_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "text.txt").write_text("hello")
    if name == "other/text.txt":
        assert list(RunReader.open(tmp_path / name).trajectories()) == []
        assert len(RunReader.open(tmp_path / name).faults()) == 1
        return
    with pytest.raises(RunError):
        RunReader.open(tmp_path / name)


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match="is not empty and not a run: it has thesis"):
        RunWriter.open(tmp_path, draft(), problems(1))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunError, match="is not a folder"):
        RunWriter.open(tmp_path / "run", draft(), problems(1))
    with pytest.raises(StorageError, match="Not a directory"):
        RunWriter.open(tmp_path / "run" / "below", draft(), problems(1))


def test_a_link_to_a_run_is_the_run(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path / "run", 1))
    (tmp_path / "link").symlink_to("run")
    with RunWriter.open(tmp_path / "link", draft(), problems(1)) as writer:
        assert len(writer.done) == 1
        with pytest.raises(RunError, match="is being written"):
            RunWriter.open(tmp_path / "run", draft(), problems(1))
    (tmp_path / "target").write_text("precious")
    (tmp_path / "run" / "lock").unlink()
    (tmp_path / "run" / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(RunError, match="symbolic link"):
        RunWriter.open(tmp_path / "run", draft(), problems(1))
    assert (tmp_path / "target").read_text() == "precious"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A run on a disk that cannot be written."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() == 0:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            missing("nothing can be mounted here")
        asyncio.run(filled(folder / "run", 1))
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        asyncio.run(filled(folder / "run", 1))
        for path in (folder / "run", folder):
            path.chmod(0o500)
        yield folder
        for path in (folder, folder / "run"):
            path.chmod(0o700)


def test_a_read_only_run_is_read_and_not_written(read_only: Path) -> None:
    assert read_ids(read_only / "run") == ids(0)
    for name in ("run", "new"):
        with pytest.raises(StorageError, match="Cannot write"):
            RunWriter.open(read_only / name, draft(), problems(1))


def test_damaged_problems_are_told(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 2))
    path = tmp_path / "problems.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RunError, match=r"problems.jsonl is damaged"):
        list(RunReader.open(tmp_path).problems())
    path.unlink()
    with pytest.raises(RunError, match="is missing"):
        list(RunReader.open(tmp_path).problems())
    RunWriter.open(tmp_path, draft(), problems(2)).close()
    assert list(RunReader.open(tmp_path).problems()) == problems(2)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": "tir-agent/run"}', '{"format":"x","version":1}']
)
def test_a_damaged_manifest_is_told(tmp_path: Path, content: str) -> None:
    asyncio.run(filled(tmp_path, 1))
    (tmp_path / "run.json").write_text(content)
    for look in (RunReader.open, lambda folder: RunWriter.open(folder, draft(), problems(1))):
        with pytest.raises(RunError, match="does not describe a run"):
            look(tmp_path)
