"""The labelled pairs of the benchmark, through the jails: right, and the same from either side."""

from __future__ import annotations

from collections import Counter

import pytest
from grading import Pair, load_pairs

from tir_agent.grades import Comparison, Grade, GradingRule, Verdict
from tir_agent.grading import equal
from tir_agent.kernel.base import Sandbox

from grading_hostile import HOSTILE, MARKER

PAIRS = load_pairs()


async def graded(sandbox: Sandbox, pairs: list[Pair], *, turned: bool = False) -> list[Grade]:
    asked = [(pair.gold, pair.answer) if turned else (pair.answer, pair.gold) for pair in pairs]
    comparisons = [
        Comparison(answer=answer, gold=gold, rule=pair.rule)
        for (answer, gold), pair in zip(asked, pairs, strict=True)
    ]
    return await sandbox.grade_many(comparisons)


def test_the_pairs_are_many_of_many_kinds_and_none_comes_twice() -> None:
    assert len(PAIRS) >= 300
    assert len({pair.category for pair in PAIRS}) >= 15
    assert len({(pair.answer, pair.gold, pair.rule) for pair in PAIRS}) == len(PAIRS)
    assert 0.3 < sum(pair.equal for pair in PAIRS) / len(PAIRS) < 0.7


async def test_every_pair_gets_the_verdict_that_a_person_gives_it(sandbox: Sandbox) -> None:
    # The same program everywhere: one sandbox gets all pairs, the others some of each category.
    pairs = PAIRS if sandbox.info.backend == "local" else PAIRS[::8]
    grades = await graded(sandbox, pairs)
    assert [
        f"{pair.answer!r} for {pair.gold!r}: {grade.verdict}, {grade.reason}"
        for pair, grade in zip(pairs, grades, strict=True)
        if grade.verdict is not (Verdict.CORRECT if pair.equal else Verdict.WRONG)
    ] == []
    assert all(grade.reason and grade.grader.startswith("math-verify ") for grade in grades)


async def test_the_order_of_two_answers_makes_no_difference(local_sandbox: Sandbox) -> None:
    pairs = PAIRS[::4]
    one = await graded(local_sandbox, pairs)
    other = await graded(local_sandbox, pairs, turned=True)
    assert [
        f"{pair.answer!r} and {pair.gold!r}: {a.verdict}, {b.verdict}"
        for pair, a, b in zip(pairs, one, other, strict=True)
        if Verdict.UNGRADABLE not in (a.verdict, b.verdict) and a.verdict is not b.verdict
    ] == []


async def test_every_answer_that_can_be_read_is_equal_to_itself(local_sandbox: Sandbox) -> None:
    texts = {text for pair in PAIRS if pair.category != "unreadable" for text in (pair.answer, pair.gold)}
    comparisons = [Comparison(answer=f" {text} ", gold=text) for text in sorted(texts)[::3]]
    grades = await local_sandbox.grade_many(comparisons)
    verdicts = zip(comparisons, grades, strict=True)
    assert [pair.gold for pair, grade in verdicts if grade.verdict is not Verdict.CORRECT] == []


async def test_hostile_answers_end_in_time_and_harm_nothing(jail: Sandbox) -> None:
    # Some of each kind: the benchmark asks all of them.
    asked = [Comparison(answer=answer, gold="5") for answer in HOSTILE[::12]]
    restarts = (await jail.load()).restarts
    grades = await jail.grade_many(asked, timeout=1)
    verdicts = Counter(grade.verdict for grade in grades)
    assert verdicts[Verdict.CORRECT] == 0
    assert verdicts.total() == len(asked) >= 20
    assert (await jail.grade("5.0", "5")).verdict is Verdict.CORRECT
    assert (await jail.load()).restarts == restarts
    session = await jail.session()
    seen = await session.execute(f"import os; print(os.path.exists({MARKER!r}))", timeout=10)
    await session.close()
    assert seen.stdout == "False\n"


async def test_what_takes_too_long_costs_the_others_of_its_batch_nothing(sandbox: Sandbox) -> None:
    asked = [("5", "5"), (r"\int_0^\infty x^{x^x} dx", "5"), ("6", "5"), ("0.5", "1/2")]
    comparisons = [Comparison(answer=answer, gold=gold) for answer, gold in asked]
    grades = await sandbox.grade_many(comparisons, timeout=2)
    expected = [Verdict.CORRECT, Verdict.TIMEOUT, Verdict.WRONG, Verdict.CORRECT]
    assert [grade.verdict for grade in grades] == expected


async def test_more_pairs_than_one_process_compares_keep_their_order(local_sandbox: Sandbox) -> None:
    comparisons = [Comparison(answer=str(number), gold=str(number // 2 * 2)) for number in range(70)]
    grades = await local_sandbox.grade_many(comparisons)
    assert [grade.verdict is Verdict.CORRECT for grade in grades] == [True, False] * 35


async def test_no_pairs_are_no_grades(local_sandbox: Sandbox) -> None:
    assert await local_sandbox.grade_many([]) == []


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("0.5", r"\frac12", True), ("1", "2", False), (r"\frac{", r"\sqrt{", None), ("9^{9^{9^9}}", "5", None)],
)
async def test_voting_asks_whether_two_answers_are_equal(
    local_sandbox: Sandbox, a: str, b: str, same: bool | None
) -> None:
    assert await equal(local_sandbox, a, b) is same


async def test_voting_uses_the_problems_rule(local_sandbox: Sandbox) -> None:
    assert await equal(local_sandbox, "100", "101", rule=GradingRule(relative=0.02)) is True
    assert await equal(local_sandbox, "100", "101") is False
