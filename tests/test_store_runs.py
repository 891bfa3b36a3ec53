"""What is done with runs that are there: checking, counting, merging, exporting; and `tir runs`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from tir_agent.cli.app import app
from tir_agent.errors import RunError, StorageError, TirError
from tir_agent.grades import Grade, Verdict
from tir_agent.settings import Arm, Storage, UntilCorrect
from tir_agent.store import (
    GradeLog,
    GradeRow,
    RunReader,
    RunWriter,
    count,
    export_table,
    merge_runs,
    verify_run,
)
from tir_agent.trajectory import StopReason, Trajectory

from run_samples import MODEL, draft, filled, problems, sample

OTHER = Arm(name="other", model="m2")


def tir(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["runs", *map(str, arguments)])


async def fill(folder: Path, *trajectories: Trajectory, arms: tuple[Arm, ...] = (), of: int = 3) -> None:
    with RunWriter.open(folder, draft(*arms), problems(of)) as writer:
        for trajectory in trajectories:
            failed = trajectory.stop in (StopReason.ERROR, StopReason.INTERRUPTED)
            await (writer.append_failure(trajectory) if failed else writer.append(trajectory))


def finished(folder: Path) -> None:
    asked = problems(3)
    asyncio.run(fill(folder, *map(sample, asked), sample(asked[0], stop=StopReason.ERROR)))


def edited(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return edit


def first_line(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def edit(lines: bytes) -> bytes:
        first, *rest = lines.splitlines(keepends=True)
        return b"".join([change(first), *rest])

    return edited("shards/00000.jsonl", edit)


def misgraded(folder: Path) -> None:
    row = GradeRow(
        problem="x",
        arm="base",
        index=0,
        trajectory="y",
        grade=Grade(verdict=Verdict.WRONG, reason="", grader="g"),
    )
    with GradeLog.open(folder, "g") as log:
        log.append([row])


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (first_line(lambda line: b"garbage\n"), "line 1: Invalid JSON"),
        (first_line(lambda line: line.replace(b'"end":', b'"end":9', 1)), "spans"),
        (first_line(lambda line: line * 2), "too"),
        (first_line(lambda line: b""), "has 0 of 1 samples"),
        (first_line(lambda line: line.replace(b'"ANSWERED"', b'"ERROR"')), "belongs to the failures"),
        (first_line(lambda line: line.replace(b'"arm":"base"', b'"arm":"x"')), "arm x is not one"),
        (first_line(lambda line: line.replace(b"plus 1?", b"plus 2?")), "has another text"),
        (first_line(lambda line: line.replace(b'"problem":{"id":"', b'"problem":{"id":"x')), "not one of"),
        (
            first_line(lambda line: line.replace(b'"sample":{"arm":"base","index":0}', b'"sample":null')),
            "does not say which sample",
        ),
        (edited("shards/00000.jsonl", lambda lines: lines[:-9]), "torn tail of"),
        (edited("failures/00000.jsonl", lambda lines: lines + b'{"ha'), "failures/00000.jsonl"),
        (
            edited("failures/00000.jsonl", lambda line: line.replace(b'"ERROR"', b'"ANSWERED"')),
            "belongs to the shards",
        ),
        (edited("problems.jsonl", lambda lines: lines[1:]), "its checksum differs"),
        (lambda folder: (folder / "problems.jsonl").unlink(), "problems.jsonl: it is missing"),
        (misgraded, "is graded and is not in the run"),
    ],
)
def test_verify_finds_each_kind_of_damage(
    tmp_path: Path, damage: Callable[[Path], None], finding: str
) -> None:
    finished(tmp_path)
    assert list(verify_run(tmp_path)) == []
    assert tir("verify", tmp_path).exit_code == 0
    damage(tmp_path)
    assert any(finding in str(fault) for fault in verify_run(tmp_path)), list(verify_run(tmp_path))
    result = tir("verify", tmp_path)
    assert result.exit_code == 1
    assert finding in result.stdout


def test_verify_compares_the_checksums_of_compressed_lines(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 3, Storage(compress=True)))
    assert list(verify_run(tmp_path)) == []
    edited("shards/00000.jsonl.zst", lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:])(tmp_path)
    whats = [fault.what for fault in verify_run(tmp_path)]
    assert whats[0].startswith("it is damaged")
    assert whats[-1].endswith("has 0 of 1 samples")


def test_a_plan_that_depends_on_what_comes_out_has_nothing_missing(tmp_path: Path) -> None:
    adaptive = draft().recipe.model_copy(update={"samples": UntilCorrect()})
    plan = draft().model_copy(update={"recipe": adaptive})
    RunWriter.open(tmp_path, plan, problems(3)).close()
    assert list(verify_run(tmp_path)) == []
    reader = RunReader.open(tmp_path)
    assert reader.manifest is not None
    assert reader.manifest.expected is None


def test_a_run_is_counted(tmp_path: Path) -> None:
    asked = problems(3)
    made = [
        sample(asked[0]),
        sample(asked[1], verdict=Verdict.WRONG),
        sample(asked[2], stop=StopReason.TURN_LIMIT, verdict=None),
        sample(asked[0], stop=StopReason.INTERRUPTED),
    ]
    asyncio.run(fill(tmp_path / "one", *made))
    counts = count(RunReader.open(tmp_path / "one"))
    assert (counts.done, counts.correct, counts.completion_tokens) == (3, 1, 21)
    assert counts.verdicts == {Verdict.CORRECT: 1, Verdict.WRONG: 1, None: 1}
    assert counts.failures == {"INTERRUPTED": 1}
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    listed = tir("list", tmp_path)
    assert listed.exit_code == 0
    (line,) = listed.stdout.splitlines()
    assert line.split()[0] == "one"
    assert line.split()[3:7] == ["3", "3/3", "1", "1"]
    assert "does not describe a run" in listed.stderr
    shown = tir("show", tmp_path / "one").stdout
    for text in ("base: m", "3 of sums.jsonl", "3 of 3", "1 correct, 1 wrong, 1 none", "1 INTERRUPTED"):
        assert text in shown
    content = json.loads(tir("show", tmp_path / "one", "--json").stdout)
    assert content["counts"]["done"] == 3
    assert content["manifest"]["format"] == "tir-agent/run"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failure(result: Result) -> TirError:
    assert isinstance(result.exception, TirError), result.output
    return result.exception


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    assert "There are no runs" in failure(tir("list", tmp_path)).message
    for command in ("show", "verify"):
        assert "there are no trajectories" in failure(tir(command, tmp_path)).message
    (tmp_path / "t.jsonl").write_text("")
    for command in ("show", "verify"):
        assert "is not a run" in failure(tir(command, tmp_path)).message


def test_arms_of_several_runs_become_one_run(tmp_path: Path) -> None:
    one, two, out = tmp_path / "one", tmp_path / "two", tmp_path / "out"
    asyncio.run(filled(one, 3, None, MODEL))
    asyncio.run(filled(two, 3, Storage(compress=True), OTHER))
    asyncio.run(fill(two, sample(problems(1)[0], arm="other", stop=StopReason.ERROR), arms=(OTHER,)))
    assert tir("merge", one, two, "--out", out).exit_code == 0
    merged = RunReader.open(out)
    both = [*RunReader.open(one).trajectories(), *RunReader.open(two).trajectories()]
    assert list(merged.trajectories()) == both
    assert len(list(merged.failures())) == 1
    assert list(verify_run(out)) == []
    assert merged.manifest is not None
    assert [arm.name for arm in merged.manifest.recipe.arms] == ["base", "other"]
    assert [part.name for part in merged.manifest.parts] == ["one", "two"]
    assert merged.manifest.expected == 6
    assert "one" in tir("show", out).stdout
    first_line(lambda line: b"")(out)
    assert [fault.what[-18:] for fault in verify_run(out)] == ["has 1 of 2 samples"]
    with pytest.raises(RunError, match="was merged of other runs"):
        RunWriter.open(out, draft(MODEL, OTHER), problems(3))
    with pytest.raises(RunError, match="is there already"):
        merge_runs([one, two], out)


def test_problems_of_several_runs_become_one_run(tmp_path: Path) -> None:
    async def write(folder: Path, start: int) -> None:
        asked = problems(6)[start : start + 3]
        with RunWriter.open(folder, draft(), asked) as writer:
            for problem in asked:
                await writer.append(sample(problem))

    for name, start in (("a", 0), ("b", 3)):
        asyncio.run(write(tmp_path / name, start))
    assert merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "out") == 6
    assert list(RunReader.open(tmp_path / "out").problems()) == problems(6)
    assert list(verify_run(tmp_path / "out")) == []


def test_a_sample_that_two_runs_have_is_refused_unless_arms_are_renamed(tmp_path: Path) -> None:
    one, two, out = tmp_path / "one", tmp_path / "two", tmp_path / "out"
    asyncio.run(filled(one, 2))
    asyncio.run(filled(two, 2))
    first = problems(1)[0].id
    message = f"one and two both have problem {first}, arm base, sample 0"
    assert failure(tir("merge", one, two, "--out", out)).message == message
    assert names(tmp_path) == ["one", "two"]
    assert tir("merge", one, two, "--out", out, "--rename-arms").exit_code == 0
    arms = [key.arm for key, _ in RunReader.open(out).outcomes()]
    assert arms == ["one/base", "one/base", "two/base", "two/base"]
    assert list(verify_run(out)) == []


def test_runs_that_do_not_fit_are_not_merged(tmp_path: Path) -> None:
    one, two, other = tmp_path / "one", tmp_path / "two", tmp_path / "other"
    asyncio.run(filled(one, 1))
    asyncio.run(filled(two, 1, None, MODEL.model_copy(update={"model": "m3"})))
    gold = problems(1)[0].model_copy(update={"gold": "1,600", "source": "elsewhere.jsonl:1"})
    RunWriter.open(other, draft(), [gold]).close()
    with pytest.raises(RunError, match="Arm base is not the same"):
        merge_runs([one, two], tmp_path / "out")
    with pytest.raises(RunError) as refused:
        merge_runs([one, other], tmp_path / "out")
    first = problems(1)[0]
    assert f"Problem {first.id} is not the same in one and other: its gold is {first.gold!r} and '1,600'" in (
        refused.value.message
    )
    with pytest.raises(RunError, match="given twice"):
        merge_runs([one, one], tmp_path / "out")
    with pytest.raises(RunError, match="two runs"):
        merge_runs([one], tmp_path / "out")
    with (
        RunWriter.open(one, draft(), problems(1)),
        pytest.raises(RunError, match="is being written by process"),
    ):
        merge_runs([one, two], tmp_path / "out", rename_arms=True)
    assert names(tmp_path) == ["one", "other", "two"]


def test_a_run_becomes_a_table(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    made = list(RunReader.open(tmp_path / "run").trajectories())
    assert tir("export", tmp_path / "run", "--out", tmp_path / "t.parquet").exit_code == 0
    rows = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [Trajectory.model_validate_json(row["trajectory"]) for row in rows] == made
    for row, trajectory in zip(rows, made, strict=True):
        assert row["problem"] == trajectory.problem.text
        assert (row["arm"], row["index"], row["verdict"]) == ("base", 0, "correct")
        assert (row["completion_tokens"], row["seconds"], row["cost"]) == (7, 1.0, None)
    assert tir("export", tmp_path / "run", "--out", tmp_path / "f.parquet", "--flat").exit_code == 0
    assert "trajectory" not in parquet.read_schema(tmp_path / "f.parquet").names
    misgraded(tmp_path / "run")
    assert tir("export", tmp_path / "run", "--out", tmp_path / "g.parquet", "--grades", "g").exit_code == 0
    verdicts = parquet.read_table(tmp_path / "g.parquet").column("verdict").to_pylist()
    assert verdicts == [None] * 3


def test_a_long_table_is_written_in_groups_of_rows(tmp_path: Path) -> None:
    one = sample(problems(1)[0])
    assert export_table((one for _ in range(1100)), tmp_path / "t.parquet") == 1100
    assert parquet.ParquetFile(tmp_path / "t.parquet").num_row_groups == 3
    assert export_table(iter(()), tmp_path / "none.parquet", flat=True) == 0
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Cannot write"):
        export_table([sample(problems(1)[0])], tmp_path / "file" / "t.parquet")

    def broken() -> Iterator[Trajectory]:
        yield sample(problems(1)[0])
        raise RunError("no more")

    with pytest.raises(RunError, match="no more"):
        export_table(broken(), tmp_path / "t.parquet")
    assert names(tmp_path) == ["file"]
