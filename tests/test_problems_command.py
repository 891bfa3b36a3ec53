"""`tir problems` as a user meets it, and the check of gold answers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tir_agent.cli.source import problem_source
from tir_agent.errors import SandboxLost, UsageError
from tir_agent.grading import grade_answer
from tir_agent.kernel.base import Sandbox
from tir_agent.problems import check_golds, problem_from_text
from tir_agent.settings import FieldMap, GoldForm
from tir_agent.trajectory import Grade, Problem, Verdict

ROWS = [
    {"question": f"{n} + {n}?", "answer": f"so\n#### {2 * n}", "level": n % 3, "type": "sums"}
    for n in range(30)
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    lines = [json.dumps(row) for row in ROWS] + ["broken"] * 25
    path.write_text("\n".join(lines))
    return path


def tir(*arguments: object, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tir_agent", "problems", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "COLUMNS": "100", **environment},
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stderr
    return done


def test_what_was_guessed_counted_and_found_wrong_is_printed(data: Path) -> None:
    out = tir(data, "--head", 2).stdout
    lines = out.splitlines()
    assert lines[0] == "text: question (by its name)"
    assert lines[1] == "gold: answer, behind #### (by its name, and so in 30 of the first 30)"
    assert lines[2] == "id: made of the text; subject: type; level: level"
    assert lines[3].startswith("55 read, 30 different problems; 30 with a gold answer; digest ")
    assert lines[4] == "sums.jsonl:31: It is not JSON: Expecting value (column 1)"
    assert sum("not JSON" in line for line in lines) == 20
    assert "and 5 more" in lines
    assert "levels: 0 (10), 1 (10), 2 (10)" in lines
    assert "subjects: sums (30)" in lines
    assert "sums.jsonl:2" in lines[-1]
    assert "1 + 1?" in lines[-1]


def test_json_prints_problems_and_nothing_else(data: Path) -> None:
    done = tir(
        data, "--json", "--filter", "level>=1", "--filter", "level<2", "--limit", 3, "--shuffle", "--seed", 4
    )
    problems = [Problem.model_validate_json(line) for line in done.stdout.splitlines()]
    assert len(problems) == 3
    assert {problem.level for problem in problems} == {"1"}
    assert "30 different problems, 10 after the filters, 3 taken" in done.stderr


def test_fields_can_be_named(data: Path) -> None:
    done = tir(data, "--field", "text=question,type,gold=level", "--json", "--limit", 1)
    problem = Problem.model_validate_json(done.stdout)
    assert (problem.text, problem.gold) == ("0 + 0? sums", "0")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--field", "text=nope"], "There is no field 'nope'"),
        (["--field", "texts=question"], "--field does not know 'texts'"),
        (["--field", "question"], "--field cannot be read"),
        (["--field", "gold=level,type"], "takes one name"),
        (["--field", "gold_form=odd"], "gold_form is one of auto, plain, hashes, boxed"),
        (["--filter", "levl=1"], "There is no field 'levl'"),
        (["--split", "test"], "has no splits"),
        (["--subset", "main"], "has no subsets"),
    ],
)
def test_a_mistake_gets_one_sentence_and_status_2(arguments: list[str], said: str, data: Path) -> None:
    assert said in tir(data, *arguments, status=2).stderr


def test_a_data_set_on_the_hub_without_a_network_gets_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    done = tir("nobody/nothing", status=2, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert "error: The data set nobody/nothing cannot be had from the hub" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.usefixtures("local_sandbox")
def test_golds_that_the_grader_cannot_use_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"problem": str(n), "answer": answer} for n, answer in enumerate(["2", "9^{9^{9}}", "1/2"])]
    path.write_text("\n".join(map(json.dumps, rows)))
    bad = tir(path, "--check", "--kernel", "local", status=1)
    assert "a.jsonl:2: beside -7654321.123, which is wrong, '9^{9^{9}}' is ungradable" in bad.stdout
    assert "The grader cannot use 1 of the 3 gold answers" in bad.stdout
    good = tir(path, "--check", "--kernel", "local", "--filter", "answer~^(2|1/2)$")
    assert "The grader can use each of the 2 gold answers" in good.stdout


async def test_a_gold_that_is_refused_is_returned_with_its_grade(local_sandbox: Sandbox) -> None:
    async def grade(problem: Problem, answer: str) -> Grade:
        # A gold answer that is not the problem's, where it says so.
        return await grade_answer(local_sandbox, answer, "5" if problem.text == "odd" else "3")

    problems = [problem_from_text(text, gold="3") for text in ("a", "odd", "b")]
    (refusal,) = await check_golds([*problems, problem_from_text("none")], grade)
    assert refusal.problem is problems[1]
    assert refusal.answer == "3"
    assert refusal.grade.verdict is Verdict.WRONG


async def test_a_grader_that_takes_every_answer_is_found_out() -> None:
    async def grade(problem: Problem, answer: str) -> Grade:
        return Grade(verdict=Verdict.CORRECT, reason="", grader="none")

    (refusal,) = await check_golds([problem_from_text("a", gold="1")], grade)
    assert refusal.answer != "1"


async def test_so_many_golds_are_graded_at_once_and_the_order_is_kept() -> None:
    running = most = 0
    told: list[int] = []

    async def grade(problem: Problem, answer: str) -> Grade:
        nonlocal running, most
        running += 1
        most = max(most, running)
        # Later ones are ready sooner.
        await asyncio.sleep(0.02 - 0.0005 * int(problem.text))
        running -= 1
        return Grade(verdict=Verdict.WRONG, reason="", grader="none")

    problems = [problem_from_text(str(n), gold="1") for n in range(30)]
    refusals = await check_golds(problems, grade, progress=told.append)
    assert most == 8
    assert [refusal.problem for refusal in refusals] == problems
    assert told == list(range(1, 31))


async def test_a_failure_of_the_machinery_ends_the_check() -> None:
    async def grade(problem: Problem, answer: str) -> Grade:
        raise SandboxLost("gone")

    with pytest.raises(SandboxLost, match="gone"):
        await check_golds([problem_from_text(str(n), gold="1") for n in range(30)], grade)


def test_options_become_a_source() -> None:
    source = problem_source(
        "x", fields=["text=Body,Question,gold=a.b", "gold_form=boxed"], filters=["a=1"], limit=2
    )
    assert source.fields == FieldMap(text=("Body", "Question"), gold="a.b", gold_form=GoldForm.BOXED)
    assert (source.filters, source.limit, source.shuffle) == (("a=1",), 2, False)
    with pytest.raises(UsageError):
        problem_source("x", fields=["text="])
