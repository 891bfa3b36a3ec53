"""Choices among a problem's candidates, and among all rows."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from preference_samples import candidate

from tir_agent.preferences.balance import Kept, balanced, weights
from tir_agent.preferences.budget import solutions
from tir_agent.preferences.draws import draw_for
from tir_agent.preferences.examples import Candidate
from tir_agent.preferences.groups import group_stages
from tir_agent.settings import BudgetRule, FilterSettings, SolutionBudget

OFF = FilterSettings(duplicates=False)


def kept(
    settings: FilterSettings,
    candidates: Sequence[Candidate],
    rate: float | None = 0.5,
    seed: int = 0,
) -> list[int]:
    left = list(candidates)
    for stage in group_stages(settings):
        left = stage.keep(left, rate, draw_for(seed, "p", stage.name))
    return [one.index for one in left]


def only(**settings: object) -> FilterSettings:
    return FilterSettings.model_validate({**OFF.model_dump(), **settings})


def shuffled(candidates: Sequence[Candidate], seed: int) -> list[Candidate]:
    return random.Random(seed).sample(candidates, len(candidates))


def test_stages_come_in_one_order_and_only_where_they_are_wanted() -> None:
    everything = FilterSettings(
        all_right=True,
        all_wrong=True,
        min_pass_rate=0.1,
        max_tokens=9,
        duplicate_code=True,
        per_problem=1,
    )
    names = [stage.name for stage in group_stages(everything)]
    assert names == [
        "all_right",
        "all_wrong",
        "pass_rate",
        "max_tokens",
        "duplicates",
        "duplicate_code",
        "per_problem",
    ]
    assert [stage.name for stage in group_stages(FilterSettings())] == ["duplicates"]
    assert group_stages(OFF) == ()


@pytest.mark.parametrize(
    ("settings", "staying", "leaving"),
    [
        (only(all_right=True), [0.0, 0.99], [1.0]),
        (only(all_wrong=True), [0.01, 1.0], [0.0]),
        (only(min_pass_rate=0.25, max_pass_rate=0.75), [0.25, 0.5, 0.75], [0.24, 0.76]),
    ],
)
def test_a_problem_goes_by_its_rate(
    settings: FilterSettings, staying: list[float], leaving: list[float]
) -> None:
    for rate in staying:
        assert kept(settings, [candidate(0), candidate(1)], rate) == [0, 1]
    for rate in leaving:
        assert kept(settings, [candidate(0), candidate(1)], rate) == []
    assert kept(settings, [], None) == []


def test_what_is_longer_than_the_limit_goes() -> None:
    long = [candidate(0, tokens=100), candidate(1, tokens=101)]
    assert kept(only(max_tokens=100), long) == [0]


def test_of_equal_texts_the_first_stays_however_they_are_read() -> None:
    several = [candidate(number, exact="one" if number % 2 else "other") for number in range(6)]
    for seed in range(5):
        assert kept(FilterSettings(), shuffled(several, seed)) == [0, 1]


def test_of_equal_programs_with_equal_answers_the_cleanest_stays() -> None:
    several = [
        candidate(0, errors=1, tokens=10),
        candidate(1, tokens=50),
        candidate(2, tokens=40),
        candidate(3, answer="8"),
        candidate(4, code="d"),
    ]
    for seed in range(5):
        assert kept(only(duplicate_code=True), shuffled(several, seed)) == [2, 3, 4]


def test_candidates_without_code_have_no_program_in_common() -> None:
    assert kept(only(duplicate_code=True), [candidate(0, cells=0), candidate(1, cells=0)]) == [0, 1]


def test_a_cap_holds_for_right_and_wrong_ones_each() -> None:
    several = [candidate(number, right=number < 6) for number in range(9)]
    left = kept(only(per_problem=2), several)
    assert (sum(number < 6 for number in left), sum(number >= 6 for number in left)) == (2, 2)
    assert kept(only(per_problem=9), several) == list(range(9))


def test_who_stays_depends_on_the_seed_and_not_on_the_order() -> None:
    several = [candidate(number) for number in range(20)]
    settings = only(per_problem=5)
    first = kept(settings, several)
    assert all(kept(settings, shuffled(several, seed)) == first for seed in range(5))
    assert len({tuple(kept(settings, several, seed=seed)) for seed in range(20)}) > 5


def test_the_cleanest_come_first_where_they_are_wanted_and_only_of_the_right_ones() -> None:
    right = [candidate(0, tokens=1, errors=1), candidate(1, tokens=3), candidate(2, tokens=2)]
    wrong = [candidate(number, right=False, tokens=number) for number in range(3, 30)]
    settings = only(per_problem=2, cleanest_first=True)
    left = kept(settings, [*right, *wrong])
    assert left[:2] == [1, 2]
    assert left[2:] != [3, 4]


@pytest.mark.parametrize(
    ("rule", "rate", "count"),
    [
        (BudgetRule.ALL, 0.9, 8),
        (BudgetRule.UNIFORM, 0.9, 4),
        (BudgetRule.DIFFICULTY, 0.0, 4),
        (BudgetRule.DIFFICULTY, 0.25, 3),
        (BudgetRule.DIFFICULTY, 0.5, 2),
        (BudgetRule.DIFFICULTY, 1.0, 1),
        (BudgetRule.DIFFICULTY, None, 4),
    ],
)
def test_a_budget_is_spent_on_right_ones_alone(rule: BudgetRule, rate: float | None, count: int) -> None:
    several = [candidate(number, right=number < 8) for number in range(12)]
    budget = SolutionBudget(rule=rule, per_problem=4)
    taken = solutions(several, budget, rate, draw_for(0, "p", "budget"))
    assert len(taken) == count
    assert all(one.right for one in taken)
    again = solutions(shuffled(several, 1), budget, rate, draw_for(0, "p", "budget"))
    assert again == taken


def test_a_budget_may_take_the_cleanest_and_takes_what_there_is() -> None:
    several = [candidate(0, errors=1), candidate(1, tokens=9), candidate(2, tokens=8)]
    budget = SolutionBudget(rule=BudgetRule.UNIFORM, per_problem=1)
    (taken,) = solutions(several, budget, 0.5, draw_for(0, "p", "budget"), cleanest_first=True)
    assert taken.index == 2
    assert solutions([], budget, 0.0, draw_for(0, "p", "budget")) == []


@pytest.mark.parametrize(
    ("counts", "ratio", "expected"),
    [
        ((100, 30), None, (100, 30)),
        ((100, 30), 1.0, (30, 30)),
        ((30, 100), 1.0, (30, 30)),
        ((30, 100), 2.0, (30, 60)),
        ((30, 100), 0.5, (30, 15)),
        ((30, 10), 0.5, (20, 10)),
        ((1, 1), 0.1, (1, 1)),
        ((5, 0), 1.0, (0, 0)),
        ((0, 5), 1.0, (0, 0)),
        ((0, 0), 1.0, (0, 0)),
    ],
)
def test_only_what_is_too_many_is_left_out(
    counts: tuple[int, int], ratio: float | None, expected: tuple[int, int]
) -> None:
    assert balanced(*counts, ratio) == Kept(*expected)


@pytest.mark.parametrize(("desirable", "undesirable"), [(100, 300), (300, 100), (1, 1), (7, 5)])
def test_weights_keep_the_papers_quotient(desirable: int, undesirable: int) -> None:
    ranges = weights(desirable, undesirable)
    assert ranges is not None
    quotients = [weight * desirable / undesirable for weight in ranges.desirable]
    assert quotients == pytest.approx([1, 4 / 3])
    quotients = [desirable / (weight * undesirable) for weight in ranges.undesirable]
    assert quotients == pytest.approx([4 / 3, 1])


def test_no_weights_without_both() -> None:
    assert weights(0, 3) is weights(3, 0) is None


def test_draws_differ_by_seed_problem_and_purpose() -> None:
    draws = [
        draw_for(*what).random() for what in ((0, "p", "a"), (1, "p", "a"), (0, "q", "a"), (0, "p", "b"))
    ]
    assert len(set(draws)) == 4
    assert draw_for(0, "p\ud800", "a").random() == draw_for(0, "p\ud800", "a").random()
