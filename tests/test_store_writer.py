"""A run's folder: what is appended is there, once, and the run that goes on is the one that was begun."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tir_agent.errors import RunError, StorageError
from tir_agent.settings import Arm, Fsync, Pairs, Sampling, Storage
from tir_agent.store import Draft, Key, RunReader, RunWriter
from tir_agent.trajectory import StopReason

from run_samples import MODEL, draft, filled, problems, sample

STORAGES = [Storage(fsync=fsync, compress=compress) for fsync in Fsync for compress in (False, True)]


@pytest.mark.parametrize("storage", STORAGES, ids=lambda storage: f"{storage.fsync}-{storage.compress}")
async def test_what_is_appended_is_read_back(tmp_path: Path, storage: Storage) -> None:
    asked = problems(20)
    made = [sample(problem) for problem in asked]
    with RunWriter.open(tmp_path / "run", draft(), asked, storage) as writer:
        await asyncio.gather(*(writer.append(trajectory) for trajectory in made))
        assert len(writer.done) == 20
    reader = RunReader.open(tmp_path / "run")
    assert list(reader.trajectories()) == made
    assert list(reader.problems()) == asked
    assert list(reader.keys()) == [Key(problem.id, "base", 0) for problem in asked]
    assert dict(reader.outcomes()) == writer.done
    assert reader.faults() == []
    with RunWriter.open(tmp_path / "run", draft(), asked, storage) as again:
        assert again.done == writer.done
        assert again.repairs == ()


async def test_those_who_wait_share_one_write(tmp_path: Path) -> None:
    asked = problems(200)
    storage = Storage(compress=True)
    with RunWriter.open(tmp_path, draft(), asked, storage) as writer:
        await asyncio.gather(*(writer.append(sample(problem)) for problem in asked))
    frames = (tmp_path / "shards" / "00000.jsonl.zst").read_bytes().count(b"\x28\xb5\x2f\xfd")
    assert 1 <= frames < 100


def test_the_tools_of_everyone_read_the_compressed_log(tmp_path: Path) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("there is no zstd here")
    asyncio.run(filled(tmp_path, 5, Storage(compress=True)))
    path = tmp_path / "shards" / "00000.jsonl.zst"
    lines = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout.splitlines()
    assert [json.loads(line)["problem"]["id"] for line in lines] == [problem.id for problem in problems(5)]


async def test_a_sample_is_written_once(tmp_path: Path) -> None:
    asked = problems(2)
    with RunWriter.open(tmp_path, draft(), asked) as writer:
        first, second = (writer.append(sample(asked[0])) for _ in range(2))
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), ValueError]
        with pytest.raises(ValueError, match="the run has a trajectory of problem"):
            await writer.append(sample(asked[0]))
    with (
        RunWriter.open(tmp_path, draft(), asked) as writer,
        pytest.raises(ValueError, match="the run has a trajectory of problem"),
    ):
        await writer.append(sample(asked[0]))


async def test_what_is_no_sample_of_the_run_is_refused(tmp_path: Path) -> None:
    asked = problems(2)
    with RunWriter.open(tmp_path, draft(), asked[:1]) as writer:
        for strange, why in [
            (sample(asked[1]), "no problem"),
            (sample(asked[0], arm="other"), "no arm"),
            (sample(asked[0]).model_copy(update={"sample": None}), "which sample"),
            (sample(asked[0], stop=StopReason.ERROR), "is a failure"),
        ]:
            with pytest.raises(ValueError, match=why):
                await writer.append(strange)
        with pytest.raises(ValueError, match="no failure"):
            await writer.append_failure(sample(asked[0]))


async def test_failures_are_kept_apart_any_number_of_them(tmp_path: Path) -> None:
    asked = problems(1)
    key = Key(asked[0].id, "base", 0)
    failed = [sample(asked[0], stop=stop) for stop in (StopReason.ERROR, StopReason.INTERRUPTED)]
    with RunWriter.open(tmp_path, draft(), asked) as writer:
        for trajectory in failed:
            await writer.append_failure(trajectory)
        assert writer.failures == {key: 2}
        assert writer.done == {}
    with RunWriter.open(tmp_path, draft(), asked) as writer:
        assert writer.failures == {key: 2}
        await writer.append(sample(asked[0]))
    reader = RunReader.open(tmp_path)
    assert list(reader.failures()) == failed
    assert [key for key, _ in reader.failed()] == [key, key]
    assert list(reader.keys()) == [key]


async def test_a_full_shard_is_followed_by_another(tmp_path: Path) -> None:
    asked = problems(10)
    storage = Storage(shard_bytes=3000)
    for _ in range(2):
        with RunWriter.open(tmp_path, draft(), asked, storage) as writer:
            for problem in asked[len(writer.done) : len(writer.done) + 5]:
                await writer.append(sample(problem))
    assert len(list((tmp_path / "shards").iterdir())) > 2
    found = [key.problem for key, _ in RunReader.open(tmp_path).outcomes()]
    assert found == [problem.id for problem in asked]


async def test_a_run_may_go_on_compressed_and_plain_again(tmp_path: Path) -> None:
    asked = problems(6)
    for compress in (False, True, False):
        with RunWriter.open(tmp_path, draft(), asked, Storage(compress=compress)) as writer:
            for problem in asked[len(writer.done) : len(writer.done) + 2]:
                await writer.append(sample(problem))
    names = sorted(path.name for path in (tmp_path / "shards").iterdir())
    assert names == ["00000.jsonl", "00001.jsonl.zst", "00002.jsonl"]
    found = [key.problem for key, _ in RunReader.open(tmp_path).outcomes()]
    assert found == [problem.id for problem in asked]


async def test_text_that_utf8_cannot_hold_is_kept_with_its_offsets(tmp_path: Path) -> None:
    asked = problems(1)
    broken = sample(asked[0]).model_copy(update={"answer": "a\ud83db"})
    with RunWriter.open(tmp_path, draft(), asked) as writer:
        await writer.append(broken)
    assert [found.answer for found in RunReader.open(tmp_path).trajectories()] == ["a\ufffdb"]


async def test_whoever_no_longer_waits_has_it_written_all_the_same(tmp_path: Path) -> None:
    asked = problems(50)
    with RunWriter.open(tmp_path, draft(), asked) as writer:
        tasks = [asyncio.create_task(writer.append(sample(problem))) for problem in asked]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    done = set(writer.done)
    assert done == set(RunReader.open(tmp_path).keys())
    with RunWriter.open(tmp_path, draft(), asked) as writer:
        for problem in asked:
            if Key(problem.id, "base", 0) not in writer.done:
                await writer.append(sample(problem))
    assert len(list(RunReader.open(tmp_path).keys())) == 50


async def test_the_manifest_says_who_wrote_and_what(tmp_path: Path) -> None:
    for _ in range(2):
        with RunWriter.open(tmp_path, draft(), problems(3)) as writer:
            pass
    manifest = RunReader.open(tmp_path).manifest
    assert manifest is not None
    assert manifest == writer.manifest
    assert [writing.operation for writing in manifest.writings] == [draft().operation] * 2
    assert manifest.problems.count == 3
    digest = hashlib.sha256((tmp_path / "problems.jsonl").read_bytes()).hexdigest()
    assert manifest.problems.sha256 == digest
    assert manifest.expected == 3


def changed(**fields: Any) -> Draft:
    return draft().model_copy(update={"recipe": draft().recipe.model_copy(update=fields)})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            draft(MODEL.model_copy(update={"sampling": Sampling(temperature=0.7)})),
            r"recipe\.arms\[0\]\.sampling\.temperature is 0\.7 here and 1\.0 in the run",
        ),
        (changed(seed=3), "recipe.seed is 3 here and 0 in the run"),
        (changed(samples=Pairs()), 'recipe.samples.kind is "pairs" here and "fixed" in the run'),
        (draft(MODEL, Arm(name="b", model="m")), "recipe.arms is"),
        (changed(tokens=True), "recipe.tokens is true here and false in the run"),
        (
            draft().model_copy(update={"prompts": (draft().prompts[0].model_copy(update={"sha256": "1"}),)}),
            r'prompts\[0\]\.sha256 is "1" here and "0000',
        ),
        (changed(seed=3, tokens=True), "recipe.seed.*; recipe.tokens"),
    ],
)
async def test_another_configuration_is_refused_by_its_fields(
    tmp_path: Path, other: Draft, message: str
) -> None:
    await filled(tmp_path, 2)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(RunError, match=message):
        RunWriter.open(tmp_path, other, problems(2))
    assert (tmp_path / "run.json").read_bytes() == before
    with RunWriter.open(tmp_path, draft(), problems(2)) as writer:
        assert len(writer.done) == 2


async def test_other_problems_are_refused(tmp_path: Path) -> None:
    await filled(tmp_path, 2)
    with pytest.raises(RunError, match=r"problems\.count is 3 here and 2 in the run; problems\.sha256 is"):
        RunWriter.open(tmp_path, draft(), problems(3))
    with pytest.raises(RunError, match="have the id"):
        RunWriter.open(tmp_path / "new", draft(), problems(1) * 2)


async def test_another_operation_is_no_other_run(tmp_path: Path) -> None:
    await filled(tmp_path, 2)
    other = draft().model_copy(update={"operation": draft().operation.model_copy(update={"at_once": 3})})
    with RunWriter.open(tmp_path, other, problems(2)) as writer:
        assert writer.manifest.writings[-1].operation.at_once == 3


async def test_there_is_one_writer(tmp_path: Path) -> None:
    with (
        RunWriter.open(tmp_path, draft(), problems(1)),
        pytest.raises(RunError, match=r"is being written by process \d+$"),
    ):
        RunWriter.open(tmp_path, draft(), problems(1))
    RunWriter.open(tmp_path, draft(), problems(1)).close()


async def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(RunError, match="has no locks"):
        RunWriter.open(tmp_path, draft(), problems(1))


async def test_a_newer_version_says_so(tmp_path: Path) -> None:
    await filled(tmp_path, 1)
    path = tmp_path / "run.json"
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content | {"version": 2, "surprise": 1}))
    for look in (RunReader.open, lambda folder: RunWriter.open(folder, draft(), problems(1))):
        with pytest.raises(RunError, match="has version 2 of the format; this program reads up to 1"):
            look(tmp_path)
    path.write_text(json.dumps(content))
    shard = tmp_path / "shards" / "00000.jsonl"
    shard.write_text(shard.read_text().replace('"version":1', '"version":7'))
    with pytest.raises(RunError, match="has version 7"):
        list(RunReader.open(tmp_path).trajectories())
    with pytest.raises(RunError, match="has version 7"):
        RunWriter.open(tmp_path, draft(), problems(1))


async def test_a_closed_run_takes_nothing(tmp_path: Path) -> None:
    asked = problems(1)
    writer = RunWriter.open(tmp_path, draft(), asked)
    assert writer.free_bytes() > 0
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        await writer.append(sample(asked[0]))


async def test_a_missing_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(StorageError, match="need the package zstandard") as caught:
        RunWriter.open(tmp_path, draft(), problems(1), Storage(compress=True))
    assert caught.value.hint == 'pip install "tir-agent[collect]"'
