"""`tir eval` as a user meets it: real processes on real files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tir_agent.store import save
from tir_agent.trajectory import StopReason, Trajectory, Verdict

from evaluations import OK, RAISED, trajectory, write_run


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def row(self, *begin: str) -> list[str]:
        """The cells of the line that begins with these."""
        for line in self.out.splitlines():
            cells = re.split(r" {2,}", line)
            if tuple(cells[: len(begin)]) == begin:
                return cells
        raise AssertionError(f"no line begins with {begin} in\n{self.out}")


def tir(*arguments: object, cwd: Path, **more: str) -> Ran:
    command = [sys.executable, "-m", "tir_agent", "eval", *map(str, arguments)]
    root = str(Path(__file__).parent.parent)
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "TIR_HOME": str(cwd / "home"), "PYTHONPATH": root, **more},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def samples(arm: str = "a", right: int = 3) -> list[Trajectory]:
    """Six problems with four samples each: on each but the last, so many are right."""
    found = []
    for number in range(6):
        for index in range(4):
            good = index < (right if number < 5 else 0)
            found.append(
                trajectory(
                    f"p{number}",
                    index,
                    arm=arm,
                    verdict=Verdict.CORRECT if good else Verdict.WRONG,
                    answer="7" if good else "8",
                    level=str(number % 2 + 1),
                    cells=[RAISED, OK] if index == 0 else [OK],
                )
            )
    return found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    failed = trajectory("p0", 9, stop=StopReason.ERROR, verdict=None, answer=None)
    return write_run(tmp_path / "first", [*samples(), failed])


def test_a_run_is_shown_as_aligned_text(run: Path, tmp_path: Path) -> None:
    ran = tir(run, "--by-text", "--by", "level", cwd=tmp_path)
    assert ran.status == 0, ran.err
    assert ran.row("first", "25")[1:] == ["25", "6", "4", "15", "9", "0", "0", "0", "1"]
    assert ran.row("first", "pass@1")[2] == "62.5 %"
    assert ran.row("first", "pass@4")[2:] == ["83.3 %", "43.6 %", "97.0 %", "Wilson", "6", "0"]
    assert ran.row("first", "4")[2] == "83.3 %"
    assert ran.row("first", "level", "2")[3] == "50.0 %"
    assert ran.row("first", "ERROR")[2:] == ["1", "4.0 %", "-"]
    assert ran.row("of these a later cell ran")[1] == "100.0 %"
    assert "1 trajectories that failed or were interrupted are in no rate" in ran.out
    assert "\x1b" not in ran.out
    assert not [line for line in ran.out.splitlines() if line != line.rstrip()]


def test_the_same_run_gives_the_same_text(run: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "second", samples("b", right=2))
    arguments = (run, other, "--by-text", "--compare", "--by", "level,arm,stop")
    narrow = tir(*arguments, cwd=tmp_path, COLUMNS="40")
    assert narrow.out == tir(*arguments, cwd=tmp_path, COLUMNS="200").out


def test_two_runs_are_compared(run: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "second", samples("b", right=1)[:20])
    ran = tir(run, other, "--compare", "--no-vote", cwd=tmp_path)
    assert ran.status == 0, ran.err
    assert ran.row("difference in points")[1] == "+50.0"
    assert ran.row("first better")[1] == "5"
    assert ran.row("same")[1] == "0"
    assert "1 problems only of the first and 0 only of the second are left out" in ran.out
    assert "sign-flip test, all signs" in ran.out
    assert "maj@k" not in ran.out


def test_the_arms_of_one_run_are_compared(tmp_path: Path) -> None:
    mixed = write_run(tmp_path / "mixed", [*samples("small", right=1), *samples("large", right=4)])
    ran = tir(mixed, "--compare", "--no-vote", cwd=tmp_path)
    assert ran.row("large better")[1] == "5"
    alone = write_run(tmp_path / "alone", samples())
    assert tir(alone, "--compare", cwd=tmp_path).err.startswith("error: There is one run with one arm")


def test_figures_and_pages_are_written(run: Path, tmp_path: Path) -> None:
    files = tmp_path / "figures.json", tmp_path / "new" / "page.md"
    ran = tir(run, "--by-text", "--json", files[0], "--markdown", files[1], cwd=tmp_path)
    assert ran.status == 0, ran.err
    figures = json.loads(files[0].read_text())
    assert figures["runs"][0]["passes"][0]["rate"]["value"] == 0.625
    assert figures["runs"][0]["apart"] == 1
    page = files[1].read_text()
    assert "| first | pass@1 | 62.5 % |" in page
    printed = tir(run, "--by-text", "--json", "-", cwd=tmp_path)
    assert printed.json == figures


def test_all_k_are_told_of(run: Path, tmp_path: Path) -> None:
    ran = tir(run, "--by-text", "--k", "all", "--json", "-", cwd=tmp_path)
    assert [at["k"] for at in ran.json["runs"][0]["passes"]] == [1, 2, 3, 4]
    assert [vote["k"] for vote in ran.json["runs"][0]["votes"]] == [1, 2, 3, 4]


@pytest.mark.usefixtures("local_sandbox")
def test_votes_ask_the_sandbox_what_is_equal(tmp_path: Path) -> None:
    answers = ["1/2", "0.5", r"\frac{1}{2}", "3", "3"]
    rows = [
        trajectory("p", n, answer=answer, verdict=Verdict.WRONG if answer == "3" else Verdict.CORRECT)
        for n, answer in enumerate(answers)
    ]
    path = write_run(tmp_path / "halves", rows)
    asked = tir(path, "--kernel", "local", "--k", "5", "--json", "-", cwd=tmp_path)
    assert asked.status == 0, asked.err
    assert asked.json["runs"][0]["votes"][0]["majority"]["value"] == 1
    texts = tir(path, "--by-text", "--k", "5", "--json", "-", cwd=tmp_path)
    assert texts.json["runs"][0]["votes"][0]["majority"]["value"] == 0
    assert "Votes count equal texts as equal answers" in texts.json["notes"]


def test_a_reward_of_ones_own_chooses(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def reward(problem, messages, answer):\n    return answer == '7' and 1.0 or 0\n"
    )
    ran = tir(run, "--by-text", "--reward", "mine:reward", "--k", "4", "--json", "-", cwd=tmp_path)
    assert ran.status == 0, ran.err
    (vote,) = ran.json["runs"][0]["votes"]
    assert vote["best"]["value"] == pytest.approx(5 / 6)
    assert vote["weighted"]["value"] == pytest.approx(5 / 6)
    rewards = "".join(
        json.dumps({"id": one.id, "reward": (one.answer == "8" and 1) or 0}) + "\n" for one in samples()
    )
    (tmp_path / "rewards.jsonl").write_text(rewards)
    ran = tir(run, "--by-text", "--reward", "rewards.jsonl", "--k", "4", "--json", "-", cwd=tmp_path)
    assert ran.json["runs"][0]["votes"][0]["best"]["value"] == 0


@pytest.mark.parametrize("form", ["png", "svg"])
def test_plots_are_pictures(run: Path, tmp_path: Path, form: str) -> None:
    other = write_run(tmp_path / "数 $b_^$ & c", samples("b", right=2))
    folder = tmp_path / "plots"
    ran = tir(
        run,
        other,
        *("--by-text", "--by", "level", "--compare", "--plots", folder, "--format", form),
        cwd=tmp_path,
    )
    assert ran.status == 0, ran.err
    assert ran.err == ""
    assert {path.stem for path in folder.iterdir()} == {
        *("at_k", "by_level", "cells", "tokens_written", "stops", "compare_1")
    }
    for path in folder.iterdir():
        width, height = size(path)
        assert width > 400
        assert height > 150


def size(path: Path) -> tuple[float, float]:
    """Of a picture with something in it."""
    if path.suffix == ".svg":
        root = ET.parse(path).getroot()
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 10
        return float(root.attrib["width"].removesuffix("pt")), float(root.attrib["height"].removesuffix("pt"))
    from PIL import Image

    with Image.open(path) as image:
        assert len(image.convert("RGB").getcolors(2**24) or ()) > 10
        return image.size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere"),
        (["empty"], "is not a run, and there are no trajectories in it"),
        (["first", "--k", "64"], "There are at most 4 samples of a problem"),
        (["first", "--k", "0"], "is no list of numbers"),
        (["first", "--k", "two"], "is no list of numbers"),
        (["first", "--k", ""], "is no list of numbers"),
        (["first", "--by", "colour"], "cannot be told apart by 'colour'"),
        (["first", "--reward", "nothing"], "is no reward"),
        (["first", "--reward", "no.such:thing"], "There is no reward function"),
        (["first", "--reward", "none.jsonl"], "Cannot read none.jsonl"),
        (["first", "--reward-model", "rm"], "options need --reward"),
        (["first", "--reward", "http://"], "is not an address"),
        (["broken.jsonl"], "There are no trajectories in broken.jsonl"),
        (["first/00000.jsonl/x"], "There is no "),
    ],
)
def test_a_mistake_gets_one_sentence(run: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jsonl").write_text('{"x": 1}\n')
    ran = tir(*arguments, "--by-text", cwd=run.parent)
    assert ran.status == 2
    assert message in ran.err
    assert ran.err.startswith("error: ")
    assert ran.out == ""


def test_a_page_that_cannot_be_written_is_said_so(run: Path, tmp_path: Path) -> None:
    ran = tir(run, "--no-vote", "--json", "/dev/full", cwd=tmp_path)
    assert ran.status == 1
    assert "No space left" in ran.err
    (tmp_path / "file").touch()
    ran = tir(run, "--no-vote", "--plots", "file/x", cwd=tmp_path)
    assert ran.status == 1
    assert "Cannot write to file/x" in ran.err


def test_a_run_without_golds_has_figures_but_no_rates(tmp_path: Path) -> None:
    rows = [trajectory("p", n, verdict=None, gold=None, cells=[OK]) for n in range(2)]
    ran = tir(write_run(tmp_path / "r", rows), cwd=tmp_path)
    assert ran.status == 0
    assert "No trajectory has a grade, so there are no rates" in ran.out
    assert "pass@" not in ran.out
    assert ran.row("cells a trajectory")[1] == "1.00"


def test_names_from_files_break_no_table(tmp_path: Path) -> None:
    evil = "x\n\x1b[31m| [bold]y[/bold]"
    rows = [
        trajectory(evil, n, arm=evil, level=evil, verdict=Verdict(v))
        for n, v in enumerate(["correct", "wrong"])
    ]
    page = tmp_path / "p.md"
    path = write_run(tmp_path / "[red]r", rows)
    ran = tir(
        path, "--by", "level,arm", "--by-text", "--markdown", page, "--plots", tmp_path / "p", cwd=tmp_path
    )
    assert ran.status == 0, ran.err
    assert "\x1b" not in ran.out + page.read_text()
    assert ran.row("[red]r", "level", "x | [bold]y[/bold]")[3] == "50.0 %"


def test_runs_are_files_and_folders_too(run: Path, tmp_path: Path) -> None:
    single = tmp_path / "single"
    for one in samples()[:3]:
        save(one, single / f"{one.id}.json")
    for path, count in ((run / "00000.jsonl", 12), (single, 3), (single / "p0-a-1.json", 1)):
        ran = tir(path, "--by-text", "--json", "-", cwd=tmp_path)
        assert ran.status == 0, ran.err
        assert ran.json["runs"][0]["trajectories"] == count


def test_lines_that_are_none_are_skipped_and_told(tmp_path: Path) -> None:
    line = samples()[0].model_dump_json()
    path = tmp_path / "t.jsonl"
    path.write_text(f"{line}\n{line[:100]}\n{samples()[1].model_dump_json()}\n{line[:50]}")
    ran = tir(path, "--by-text", cwd=tmp_path)
    assert ran.status == 0, ran.err
    assert "2 lines of" in ran.err
