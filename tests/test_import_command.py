"""`tir import`: files in every layout, hostile ones among them, and the runs that they become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tir_agent.cli.app import app
from tir_agent.errors import TirError, UsageError
from tir_agent.imports import Importer
from tir_agent.problems import problem_from_text
from tir_agent.store import RunReader, RunWriter, verify_run
from tir_agent.trajectory import Trajectory, Verdict

from recordings import Row, assistant, log, mathcoder, mint, replay, tora, turn, user, write
from run_samples import draft, problems


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def imported(folder: Path, *options: object) -> Any:
    """The account of an import that succeeds."""
    ran = run("import", *options, "--out", folder, "--json")
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def refused(*options: object) -> TirError:
    ran = run("import", *options)
    assert isinstance(ran.exception, UsageError), ran.output
    assert ran.stdout == ""
    return ran.exception


def trajectories(folder: Path) -> list[Trajectory]:
    return list(RunReader.open(folder).trajectories())


def test_every_layout_becomes_a_run_that_is_sound(tmp_path: Path) -> None:
    rows = [mathcoder(), mint(problem="Other?"), tora(), log(reward=0)]
    file = write(tmp_path / "all.jsonl", rows)
    account = imported(tmp_path / "run", file)
    assert (account["read"], account["imported"], account["written"]) == (4, 4, 4)
    assert account["systems"] == {"MathCoder": 1, "MINT": 1, "ToRA": 1, "message log": 1}
    assert (account["right"], account["wrong"], account["unlabelled"]) == (2, 1, 1)
    assert account["with_both"] == 1
    assert list(verify_run(tmp_path / "run")) == []
    reader = RunReader.open(tmp_path / "run")
    assert [problem.text for problem in reader.problems()] == ["What is 6 * 7?", "Other?"]
    assert reader.manifest is not None
    assert reader.manifest.imported is not None
    assert reader.manifest.expected == 4
    assert [file.name for file in reader.manifest.imported.files] == ["all.jsonl"]
    first, *_, last = trajectories(tmp_path / "run")
    assert first.problem.id == problem_from_text("What is 6 * 7?").id
    assert first.grade is not None
    assert (first.grade.verdict, first.grade.grader) == (Verdict.CORRECT, "MathCoder label")
    assert first.environment.kernel == "MathCoder (imported)"
    assert "Imported from all.jsonl:1, run by MathCoder" in first.notes[0]
    assert last.grade is not None
    assert last.grade.reason == "message log says so: its reward is 0"
    assert last.sample is not None
    assert last.sample.arm == "unknown"


def test_imported_runs_are_merged(tmp_path: Path) -> None:
    parts = [mathcoder(), mint(problem="Other?"), tora()]
    for index, row in enumerate(parts):
        imported(tmp_path / str(index), write(tmp_path / f"{index}.jsonl", [row]))
    folders = [tmp_path / str(index) for index in range(3)]
    ran = run("runs", "merge", *folders, "--rename-arms", "--out", tmp_path / "all")
    assert ran.exit_code == 0, ran.output
    assert list(verify_run(tmp_path / "all")) == []
    together = trajectories(tmp_path / "all")
    assert [one.turns for one in together] == [one.turns for path in folders for one in trajectories(path)]
    assert [one.sample and one.sample.arm for one in together] == ["0/m-7b", "1/m-7b", "2/m-7b"]
    assert len(list(RunReader.open(tmp_path / "all").problems())) == 2
    ran = run("export", tmp_path / "all", "--format", "sft", "--out", tmp_path / "set")
    assert ran.exit_code == 0, ran.output


def test_the_same_import_makes_the_same_bytes(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [mathcoder(), mint(), tora(), log(), log()])
    imported(tmp_path / "one", file)
    imported(tmp_path / "two", file)
    for name in ("shards/00000.jsonl", "problems.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_samples_are_counted_for_each_problem_and_arm(tmp_path: Path) -> None:
    rows = [mathcoder(id=str(number)) for number in range(3)]
    rows += [mathcoder(id="4", model="other"), mathcoder(id="5", problem="Other?"), log(), log()]
    imported(tmp_path / "run", write(tmp_path / "a.jsonl", rows), "--model", "mine")
    samples = [one.sample for one in trajectories(tmp_path / "run") if one.sample]
    assert [(sample.arm, sample.index) for sample in samples] == [
        ("m-7b", 0),
        ("m-7b", 1),
        ("m-7b", 2),
        ("other", 0),
        ("m-7b", 0),
        ("mine", 0),
        ("mine", 1),
    ]
    assert len({one.id for one in trajectories(tmp_path / "run")}) == 7


HOSTILE: list[Row | str] = [
    mathcoder(),
    "garbage",
    '"a text"',
    "",
    '{"a": ',
    '{"problem": "half \\ud800 of a pair"}',
    json.dumps({"question": "q", "answer": "a"}),
    json.dumps(mathcoder(turns=[{"text": "no code"}])),
    mathcoder(),
    mathcoder(gold="7"),
    log(user("Long?"), assistant("x" * 10**6)),
    mathcoder(id="null", turns=[turn("", "1", None)], final=None),
]


def test_every_line_of_a_hostile_file_is_accounted_for(tmp_path: Path) -> None:
    account = imported(tmp_path / "run", write(tmp_path / "a.jsonl", HOSTILE))
    assert account["read"] == 11, "an empty line is none"
    assert account["imported"] == 4
    assert account["refused"] == {
        "it is no JSON object": 4,
        "it looks like a problem without a trajectory": 1,
        "a turn has no code": 1,
        "it stands in the files once more, with the same id and the same content": 1,
    }
    assert account["read"] == account["imported"] + sum(account["refused"].values())
    places = [example["where"] for example in account["examples"]]
    assert places == [f"a.jsonl:{line}" for line in (2, 3, 5, 6, 7, 8, 9)]
    assert account["conflicting"] == 1
    assert "a.jsonl:10: the gold answer is '7' here and '42' where the problem" in account["conflicts"][0]
    conflicting = trajectories(tmp_path / "run")[1]
    assert conflicting.problem.gold == "42"
    assert "The gold answer of this sample is '7' in its source" in conflicting.notes
    assert list(verify_run(tmp_path / "run")) == []


def test_the_summary_says_what_became_of_every_row(tmp_path: Path) -> None:
    ran = run("import", write(tmp_path / "a.jsonl", HOSTILE), "--out", tmp_path / "run")
    assert ran.exit_code == 0
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert "imported, of MathCoder 3" in lines
    assert "refused: it is no JSON object 4" in lines
    assert "together 11" in lines
    assert any(line.startswith("a.jsonl:2: it is no JSON object (It is not JSON:") for line in lines)
    assert f"next: tir grade {tmp_path / 'run'}" in ran.stderr


@pytest.mark.parametrize(
    ("row", "asked", "said"),
    [
        (mint(), "mathcoder", "it looks like a trajectory of MINT's"),
        (log(), "tora", "it looks like a log of messages"),
        (mathcoder(), "messages", "it looks like a trajectory of MathCoder's"),
        (replay("Other"), "auto", "a trajectory with turns that does not say which system's it is"),
        (replay("Other"), "mint", "a trajectory with turns that does not say which system's it is"),
        ({"prompt": "p", "chosen": "c"}, "auto", "it looks like a pair of preference data"),
    ],
)
def test_a_file_of_another_layout_is_refused_with_what_it_looks_like(
    tmp_path: Path, row: Row, asked: str, said: str
) -> None:
    file = write(tmp_path / "a.jsonl", [row])
    error = refused(file, "--from", asked, "--out", tmp_path / "run")
    assert error.message == f"There is no trajectory in a.jsonl that can be read as {asked}"
    assert error.hint is not None
    assert error.hint.startswith("The first row, at a.jsonl:1: ")
    assert said in error.hint
    assert not (tmp_path / "run").exists()


def test_a_row_that_does_not_say_whose_it_is_is_whose_the_user_says(tmp_path: Path) -> None:
    row = mathcoder()
    del row["source"]
    file = write(tmp_path / "a.jsonl", [row])
    assert imported(tmp_path / "run", file, "--from", "mathcoder")["systems"] == {"MathCoder": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "a.jsonl is empty"), ("nonsense\n" * 3, "There is no trajectory in a.jsonl")],
)
def test_a_file_with_nothing_in_it_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    assert said in refused(tmp_path / "a.jsonl", "--out", tmp_path / "run").message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "is not there" in refused(tmp_path / "a.jsonl", "--out", tmp_path / "run").message
    assert "is a folder" in refused(tmp_path, "--out", tmp_path / "run").message


def test_an_import_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [mathcoder(id=str(number)) for number in range(4)])
    whole = imported(tmp_path / "run", file)
    shard = tmp_path / "run" / "shards" / "00000.jsonl"
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(lines[:2]) + lines[2][:100])
    ran = run("import", file, "--out", tmp_path / "run", "--json")
    assert "repaired: " in ran.stderr
    again = json.loads(ran.stdout)
    assert (whole["written"], again["written"], again["there"]) == (4, 2, 2)
    assert shard.read_bytes() == b"".join(lines)


def test_another_import_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "a.jsonl", [mathcoder(id="1"), mathcoder(id="2")])
    imported(tmp_path / "run", one)
    before = (tmp_path / "run" / "run.json").read_bytes()
    for options in ([one, "--limit", 1], [one, "--model", "x"], [one, "--from", "mathcoder"]):
        error = refused(*options, "--out", tmp_path / "run")
        assert "was begun with another configuration: " in error.message
        assert "imported." in error.message
    other = write(tmp_path / "a.jsonl", [mathcoder(id="1"), mathcoder(id="3")])
    assert "imported.files[0].sha256" in refused(other, "--out", tmp_path / "run").message
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_a_collection_and_an_import_do_not_share_a_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [mathcoder()])
    imported(tmp_path / "imported", file)
    with pytest.raises(UsageError, match="was imported: a collection is not added to it"):
        RunWriter.open(tmp_path / "imported", draft(), problems(1))
    RunWriter.open(tmp_path / "collected", draft(), problems(1)).close()
    error = refused(file, "--out", tmp_path / "collected")
    assert "was collected: an import is not added to it" in error.message


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [mathcoder()])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert "is not empty and not a run" in refused(file, "--out", tmp_path / "mine").message
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_limit_takes_the_first_ones(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", ["garbage", mathcoder(), mint(problem="Other?"), tora()])
    account = imported(tmp_path / "run", file, "--limit", 2)
    assert (account["read"], account["imported"], account["problems"]) == (3, 2, 2)


def test_several_files_are_one_run(tmp_path: Path) -> None:
    one = write(tmp_path / "a.jsonl", [mathcoder(gold=None)])
    two = write(tmp_path / "b.jsonl", [mathcoder(), tora()])
    account = imported(tmp_path / "run", one, two)
    assert (account["imported"], account["problems"], account["conflicting"]) == (3, 1, 0)
    (problem,) = RunReader.open(tmp_path / "run").problems()
    assert problem.gold == "42"
    assert {one.problem.gold for one in trajectories(tmp_path / "run")} == {"42"}


def test_what_reads_runs_reads_an_imported_one(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    imported(folder, write(tmp_path / "a.jsonl", [mathcoder(), mint(label=False), log()]))
    shown = run("show", folder)
    assert shown.exit_code == 0
    assert "name 'total' is not defined" in shown.output
    assert "imported a.jsonl (sha256" in " ".join(run("runs", "show", folder).output.split())
    checked = run("runs", "verify", folder)
    assert (checked.exit_code, "sound" in checked.output) == (0, True)
    report = run("eval", folder, "--kernel", "local")
    assert report.exit_code == 0, report.output
    assert "50.0 %" in report.output


def test_the_pages_example_is_what_the_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parent.parent / "docs" / "importing.md").read_text(encoding="utf-8")
    rows, shown = _block(page, "json"), _block(page, "console")
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text(rows, encoding="utf-8")
    command, _, output = shown.partition("\n")
    ran = run(*command.removeprefix("$ tir ").split())
    assert ran.stdout == output


def _block(page: str, language: str) -> str:
    """The first block of a language's; a fence inside a line does not end it."""
    return page.partition(f"```{language}\n")[2].partition("\n```\n")[0] + "\n"


@pytest.mark.parametrize(
    ("name", "count", "problems_", "labels", "both"),
    [
        ("mathcoder", 2500, 1241, (1201, 1032, 267), 254),
        ("mint", 836, 91, (381, 455, 0), 84),
        ("tora", 1205, 647, (0, 0, 1205), 0),
    ],
)
def test_all_recorded_trajectories_are_imported(
    shared_data: Path, name: str, count: int, problems_: int, labels: tuple[int, int, int], both: int
) -> None:
    plan = Importer([shared_data / "replay" / f"{name}.jsonl"]).plan()
    ledger = plan.ledger
    assert (ledger.read, ledger.accepted, ledger.refused.total()) == (count, count, 0)
    assert (ledger.right, ledger.wrong, ledger.unlabelled) == labels
    assert (ledger.problems, ledger.with_both) == (problems_, both)


@pytest.mark.parametrize("name", ["mathcoder", "mint", "tora"])
def test_nothing_of_a_recorded_trajectory_is_lost(shared_data: Path, name: str) -> None:
    path = shared_data / "replay" / f"{name}.jsonl"
    importer = Importer([path], limit=200)
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(200), strict=False)]
    for row, trajectory in zip(rows, importer.trajectories(importer.plan()), strict=True):
        cells = [(one, cell) for one in trajectory.turns for cell in one.cells]
        for recorded, (reply, cell) in zip(row["turns"], cells, strict=True):
            assert reply.completion.text.startswith(recorded["text"])
            assert cell.code == recorded["code"]
            assert (recorded["output"] or "").startswith(cell.shown)
        ends = "".join([*trajectory.model_text(), *trajectory.notes])
        assert row["final"].rstrip()[:500] in ends or any(
            "glued" in note or "once more" in note for note in trajectory.notes
        )
