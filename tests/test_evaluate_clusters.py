"""Which answers are the same answer."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest

from tir_agent.cli.eval_inputs import Run, clustered
from tir_agent.evaluate.clusters import AskedOnce, cluster, same_text
from tir_agent.grading import grade_answer
from tir_agent.kernel.base import Sandbox
from tir_agent.trajectory import GradingRule, StopReason, Verdict

from evaluations import result


class Asked:
    """Equality of fractions; what is none cannot be told. Remembers what it was asked."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    async def __call__(self, one: str, other: str) -> bool | None:
        self.pairs.append((one, other))
        try:
            return Fraction(one) == Fraction(other)
        except ValueError:
            return None


async def test_equal_values_are_one_cluster_in_the_order_of_first_sight() -> None:
    answers = ["1/2", "3", None, "0.5", "3", "2/4", "4"]
    assert await cluster(answers, Asked()) == [0, 1, None, 0, 1, 0, 2]


async def test_identical_texts_are_not_asked_about() -> None:
    asked = Asked()
    assert await cluster(["7", " 7", "7 ", "7"], asked) == [0, 0, 0, 0]
    assert asked.pairs == []


async def test_a_new_text_is_compared_with_the_first_of_each_cluster() -> None:
    asked = Asked()
    await cluster(["1", "2", "2.0", "3"], asked)
    assert asked.pairs == [("2", "1"), ("2.0", "1"), ("2.0", "2"), ("3", "1"), ("3", "2")]


async def test_what_cannot_be_told_is_not_the_same() -> None:
    once = AskedOnce(Asked(), asyncio.Semaphore(1))
    assert await cluster(["x", "y", "x"], once) == [0, 1, 0]
    assert once.unknown == 1


async def test_a_pair_is_asked_about_once() -> None:
    asked = Asked()
    once = AskedOnce(asked, asyncio.Semaphore(1))
    assert await once("1", "2") is False
    assert await once("2", "1") is False
    assert len(asked.pairs) == 1


async def test_no_answers_and_no_answer() -> None:
    assert await cluster([], Asked()) == []
    assert await cluster([None, None], Asked()) == [None, None]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"$\dfrac{1}{2}$", r"\frac{1}{2}"),
        ("1,000", "1000"),
        ("x = 1", "x=1"),
        (r"\left( 1, 2 \right)", "(1,2)"),
        ("42.", "42"),
        (r"10\,000", "10000"),
    ],
)
def test_texts_that_say_the_same(one: str, other: str) -> None:
    assert same_text(one) == same_text(other)


@pytest.mark.parametrize(
    ("one", "other"), [("1,2", "12"), ("1.5", "15"), ("a", "A"), (r"\leftarrow", r"arrow")]
)
def test_texts_that_do_not(one: str, other: str) -> None:
    assert same_text(one) != same_text(other)


def test_a_text_is_never_nothing() -> None:
    assert same_text(".") == "."
    assert same_text("$$") == "$$"


async def test_without_an_equality_texts_are_compared() -> None:
    assert await cluster(["$7$", "7", "7.0", None], None) == [0, 0, 1, None]


async def test_the_graders_equality_knows_mathematics(local_sandbox: Sandbox) -> None:
    async def equal(one: str, other: str) -> bool | None:
        grade = await grade_answer(local_sandbox, one, other)
        return grade.verdict is Verdict.CORRECT

    answers = [r"\frac{1}{2}", "0.5", "1", None, r"\frac{2}{4}"]
    assert await cluster(answers, AskedOnce(equal, asyncio.Semaphore(4))) == [0, 0, 1, None, 0]


async def test_runs_share_what_was_asked_and_failures_have_no_cluster() -> None:
    asked = Asked()
    runs = [
        Run("a", [result("p", 0), result("p", 1, right=False), result("p", 2, stop=StopReason.ERROR)]),
        Run("b", [result("p", 0, right=False), result("q", 0)]),
    ]
    found, unknown = await clustered(runs, lambda one, other, rule: asked(one, other), lambda line: None)
    assert found[0] == {("p", "a", 0): 0, ("p", "a", 1): 1}
    assert found[1] == {("p", "a", 0): 1, ("q", "a", 0): 0}
    assert len(asked.pairs) == 1
    assert unknown == 0


async def test_what_the_equality_raises_is_raised() -> None:
    async def broken(one: str, other: str, rule: GradingRule) -> bool | None:
        raise ConnectionError("gone")

    run = Run("a", [result("p", 0), result("p", 1, right=False)])
    with pytest.raises(ConnectionError, match="gone"):
        await clustered([run], broken, lambda line: None)
