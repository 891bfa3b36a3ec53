"""The benchmark sets that people start with, guessed without a word from the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tir_agent.problems import ProblemSet, load_problems
from tir_agent.problems.golds import last_box
from tir_agent.settings import GoldForm, ProblemSource


class Expected(NamedTuple):
    problems: int
    duplicates: int
    text: tuple[str, ...]
    gold: str
    form: GoldForm
    golds: tuple[str, ...]
    """The first ones."""
    id: str | None = None
    subject: str | None = None
    level: str | None = None


PLAIN, HASHES, BOXED = GoldForm.PLAIN, GoldForm.HASHES, GoldForm.BOXED
EXPECTED = {
    "gsm8k": Expected(1319, 0, ("question",), "answer", HASHES, ("18", "3", "70000")),
    "math500": Expected(
        500,
        0,
        ("problem",),
        "answer",
        PLAIN,
        (r"\left( 3, \frac{\pi}{2} \right)", "p - q", r"\frac{14}{3}"),
        "unique_id",
        "subject",
        "level",
    ),
    "aime24": Expected(30, 0, ("problem",), "answer", PLAIN, ("204", "113"), "id"),
    "amc23": Expected(40, 0, ("problem",), "answer", PLAIN, ("27", "36"), "id"),
    "minerva_math": Expected(
        272, 0, ("problem",), "solution", BOXED, ("1.6", "4.5e33", "41.8"), subject="type"
    ),
    "cmath": Expected(600, 0, ("question",), "answer", PLAIN, ("9", "68"), level="grade"),
    "gaokao_math_cloze": Expected(116, 2, ("question",), "answer", PLAIN, ("2", "$5$;$10$")),
    "svamp": Expected(1000, 0, ("Body", "Question"), "Answer", PLAIN, ("145", "19"), "ID", subject="Type"),
    "mawps_singleop": Expected(531, 31, ("input",), "target", PLAIN, ("14", "9")),
}


def load(shared_data: Path, name: str) -> ProblemSet:
    return load_problems(ProblemSource(path=str(shared_data / "benchmarks" / f"{name}.jsonl")))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_benchmark_is_read_as_it_is_meant(name: str, shared_data: Path) -> None:
    expected, found = EXPECTED[name], load(shared_data, name)
    guess = found.guess
    assert len(found.problems) == expected.problems
    assert guess.text.fields == expected.text
    assert guess.gold is not None
    assert guess.gold.fields == (expected.gold,)
    assert guess.gold_form is expected.form
    assert tuple(problem.gold for problem in found.problems[: len(expected.golds)]) == expected.golds
    named = [taken.fields[0] if taken else None for taken in (guess.id, guess.subject, guess.level)]
    assert named == [expected.id, expected.subject, expected.level]
    assert guess.choices is None


@pytest.mark.parametrize("name", EXPECTED)
def test_no_gold_is_missing_and_faults_are_duplicates_alone(name: str, shared_data: Path) -> None:
    found = load(shared_data, name)
    assert all(problem.gold for problem in found.problems)
    assert len(found.faults) == EXPECTED[name].duplicates
    assert all("It is the same problem as" in fault.sentence for fault in found.faults)
    assert len({problem.id for problem in found.problems}) == len(found.problems)


def test_golds_of_gsm8k_are_numbers_and_floats_are_no_longer(shared_data: Path) -> None:
    for name in ("gsm8k", "amc23", "svamp", "mawps_singleop"):
        golds = [problem.gold or "" for problem in load(shared_data, name).problems]
        assert all(gold.lstrip("-").replace(".", "", 1).isdigit() for gold in golds), name
        assert not any(gold.endswith(".0") for gold in golds), name


def test_the_boxes_of_math_hold_what_its_answers_say(shared_data: Path) -> None:
    lines = (shared_data / "benchmarks" / "math500.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    other = [row["unique_id"] for row in rows if last_box(row["solution"]) != row["answer"]]
    assert other == []


def test_subjects_and_levels_are_the_data_sets(shared_data: Path) -> None:
    (problem,) = load_problems(
        ProblemSource(
            path=str(shared_data / "benchmarks" / "math500.jsonl"),
            filters=("level=5", "subject=Geometry"),
            shuffle=True,
            seed=1,
            limit=1,
        )
    ).problems
    assert (problem.subject, problem.level) == ("Geometry", "5")
