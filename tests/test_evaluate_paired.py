"""Comparisons against known tables, enumerations and simulations."""

from __future__ import annotations

import random
from itertools import product

import pytest

from tir_agent.evaluate.paired import Test, compare, mcnemar, sign_flip

Tallies = dict[str, tuple[int, int]]


@pytest.mark.parametrize(
    ("a_only", "b_only", "p"),
    [(0, 5, 0.0625), (1, 9, 0.021484375), (3, 3, 1.0), (2, 10, 0.03857421875), (0, 0, 1.0)],
)
def test_mcnemar_is_that_of_the_tables(a_only: int, b_only: int, p: float) -> None:
    assert mcnemar(a_only, b_only) == p == mcnemar(b_only, a_only)


def test_the_sign_flip_test_tries_every_sign() -> None:
    chance = random.Random(1)
    for _ in range(50):
        differences = [chance.choice([-0.5, -0.25, 0, 0.25, 0.5, 0.75]) for _ in range(7)]
        seen = abs(sum(differences))
        sums = [
            abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in product((1, -1), repeat=7)
        ]
        expected = sum(one >= seen - 1e-9 for one in sums) / len(sums)
        assert sign_flip(differences) == (expected, Test.SIGN_FLIP_EXACT)


def test_the_sign_flip_test_of_single_samples_is_mcnemars() -> None:
    differences = [1.0] * 9 + [-1.0] * 2 + [0.0] * 5
    assert sign_flip(differences)[0] == pytest.approx(mcnemar(9, 2))


def test_drawn_signs_come_near_to_mcnemar_and_are_the_same_again() -> None:
    differences = [1.0] * 30 + [-1.0] * 15
    p, test = sign_flip(differences, seed=5)
    assert test is Test.SIGN_FLIP_DRAWN
    assert p == pytest.approx(mcnemar(30, 15), abs=0.01)
    assert (p, test) == sign_flip(differences, seed=5)
    assert sign_flip([1.0] * 60)[0] > 0


def test_no_difference_is_no_evidence() -> None:
    assert sign_flip([])[0] == sign_flip([0.0] * 50)[0] == 1
    assert sign_flip([0.1, -0.1, 0.3, -0.3])[0] == 1


def test_problems_that_only_one_has_are_left_out_and_counted() -> None:
    found = compare(("A", {"p": (1, 1), "q": (1, 1), "x": (1, 0)}), ("B", {"p": (1, 0), "q": (1, 1)}))
    assert found is not None
    assert (found.problems, found.only_a, found.only_b) == (2, 1, 0)
    assert (found.mean_a, found.mean_b, found.difference) == (1, 0.5, 0.5)
    assert (found.a_better, found.b_better, found.same) == (1, 0, 1)
    assert found.test is Test.MCNEMAR
    assert compare(("A", {"p": (1, 1)}), ("B", {"q": (1, 1)})) is None


def test_the_problems_that_changed_most_come_first() -> None:
    a: Tallies = {"same": (4, 2), "little": (4, 3), "much": (4, 4), "worse": (4, 0)}
    b: Tallies = {"same": (4, 2), "little": (4, 2), "much": (4, 0), "worse": (4, 4)}
    found = compare(("A", a), ("B", b))
    assert found is not None
    assert [change.problem for change in found.changes] == ["much", "worse", "little"]
    assert sum(point.count for point in found.points) == 4
    assert found.test is Test.SIGN_FLIP_EXACT


def test_exchanging_the_runs_exchanges_the_signs() -> None:
    chance = random.Random(2)
    a: Tallies = {str(n): (4, chance.randint(0, 4)) for n in range(30)}
    b: Tallies = {str(n): (4, chance.randint(0, 4)) for n in range(30)}
    one, other = compare(("A", a), ("B", b)), compare(("B", b), ("A", a))
    assert one is not None
    assert other is not None
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.p == pytest.approx(other.p, abs=0.02)


def test_one_problem_has_no_interval() -> None:
    found = compare(("A", {"p": (2, 2)}), ("B", {"p": (2, 1)}))
    assert found is not None
    assert (found.low, found.high) == (-1, 1)


def test_pairing_finds_what_two_intervals_would_not() -> None:
    """Problems of very different difficulty: the difference is known far better than either rate."""
    chance = random.Random(3)
    a: Tallies = {}
    b: Tallies = {}
    for number in range(60):
        skill = 0.05 if number % 2 else 0.85
        a[str(number)] = (8, sum(chance.random() < skill + 0.12 for _ in range(8)))
        b[str(number)] = (8, sum(chance.random() < skill for _ in range(8)))
    found = compare(("A", a), ("B", b))
    assert found is not None
    assert found.low > 0
    assert found.p < 0.01


def test_the_interval_of_the_difference_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(4)
    held, experiments = 0, 200
    for _ in range(experiments):
        skills = [chance.uniform(0.1, 0.8) for _ in range(40)]
        a = {
            str(n): (4, sum(chance.random() < skill + 0.1 for _ in range(4)))
            for n, skill in enumerate(skills)
        }
        b = {str(n): (4, sum(chance.random() < skill for _ in range(4))) for n, skill in enumerate(skills)}
        found = compare(("A", a), ("B", b))
        assert found is not None
        held += found.low <= 0.1 <= found.high
    assert 0.91 <= held / experiments <= 0.985
