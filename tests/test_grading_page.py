"""docs/grading.md says what really happens."""

from __future__ import annotations

import re
from pathlib import Path

from tir_agent.grades import AnswerKind, Comparison, GradingRule, Verdict
from tir_agent.kernel.base import Sandbox

PAGE = (Path(__file__).parent.parent / "docs" / "grading.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| [^|`]+ \| `(.+?)` and `(.+?)` \| `(.+?)` and `(.+?)` \|$", re.MULTILINE)


async def test_every_example_is_judged_as_the_page_says(local_sandbox: Sandbox) -> None:
    rows = ROW.findall(PAGE)
    table = PAGE.partition("| kind | equal | not equal |\n")[2].partition("\n\n")[0]
    assert len(rows) == len(table.splitlines()) - 1 >= 20
    pairs = [pair for a, b, c, d in rows for pair in ((a, b), (c, d))]
    grades = await local_sandbox.grade_many([Comparison(answer=a, gold=b) for a, b in pairs])
    expected = [Verdict.CORRECT, Verdict.WRONG] * len(rows)
    found = zip(pairs, grades, expected, strict=True)
    assert [(pair, grade.reason) for pair, grade, verdict in found if grade.verdict is not verdict] == []


def test_every_verdict_kind_and_field_of_a_rule_is_on_the_page() -> None:
    for name in (*Verdict, *AnswerKind, *GradingRule.model_fields):
        assert f"`{name}`" in PAGE
