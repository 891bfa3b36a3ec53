"""`docs/problems.md` says what the code does: every name, every format, and each example is run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tir_agent.problems import load_problems, names
from tir_agent.problems.filters import parse_filter
from tir_agent.settings import FieldMap, ProblemSource

PAGE = (Path(__file__).parent.parent / "docs" / "problems.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `(\{.*\})` \| `(\".*\")` \| `(\".*\")` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("row", "text", "gold"), EXAMPLES)
def test_an_example_is_read_as_the_page_says(row: str, text: str, gold: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(row, encoding="utf-8")
    (problem,) = load_problems(ProblemSource(path=str(path))).problems
    assert text == json.dumps(problem.text)
    assert gold == json.dumps(problem.gold)


def test_the_page_has_its_examples() -> None:
    assert len(EXAMPLES) > 12


def test_every_name_that_is_guessed_stands_in_the_page_in_its_order() -> None:
    answers: tuple[tuple[str, ...], ...] = (names.ANSWERS, names.SOLUTIONS, names.LABELS)
    for group in (names.TEXTS, *answers, names.IDS, names.SUBJECTS, names.LEVELS, names.CHOICES):
        assert ", ".join(f"`{name}`" for name in group) in PAGE
    for name in names.BEFORE:
        assert f"`{name}`" in PAGE


def test_every_part_that_can_be_named_and_every_operator_is_described() -> None:
    for part in FieldMap.model_fields:
        assert f"`{part}`" in PAGE
    for sign in ("=", "!=", "<", "<=", ">", ">=", "~"):
        assert parse_filter(f"a{sign}1").sign == sign
        assert f"`{sign}`" in PAGE
