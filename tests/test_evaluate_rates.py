"""Rates and their intervals against closed forms, enumerations and simulations."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest

from tir_agent.evaluate.distributions import binomial_two_sided, normal_quantile, t_quantile
from tir_agent.evaluate.passing import pass_at, pass_at_k, pass_rates, tallies
from tir_agent.evaluate.rates import Interval, clustered_error, mean_rate, wilson
from tir_agent.evaluate.report import evaluate, usual_ks
from tir_agent.grades import Verdict
from tir_agent.trajectory import StopReason

from evaluations import result


@pytest.mark.parametrize(
    ("level", "degrees", "value"),
    [
        (0.95, 1, 12.7062),
        (0.95, 2, 4.3027),
        (0.95, 5, 2.5706),
        (0.95, 52, 2.0066),
        (0.95, 1_000, 1.9623),
        (0.99, 10, 3.1693),
        (0.80, 3, 1.6377),
        (0.95, 1_000_000, 1.9600),
    ],
)
def test_students_t_is_that_of_the_tables(level: float, degrees: int, value: float) -> None:
    assert t_quantile(level, degrees) == pytest.approx(value, abs=6e-5)


def test_the_t_distribution_comes_to_the_normal_one_without_a_jump() -> None:
    assert t_quantile(0.95, 10_000) == pytest.approx(normal_quantile(0.95), abs=3e-4)
    assert t_quantile(0.95, 10_000) > t_quantile(0.95, 10_001)
    assert t_quantile(0.95, 0) == math.inf


@pytest.mark.parametrize(("fewer", "more", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 1, 1.0), (0, 6, 0.03125)])
def test_the_fair_coin(fewer: int, more: int, p: float) -> None:
    assert binomial_two_sided(fewer, more) == p == binomial_two_sided(more, fewer)


def test_ten_thousand_throws_do_not_overflow() -> None:
    assert binomial_two_sided(4_900, 5_100) == pytest.approx(0.0466, abs=5e-4)


@pytest.mark.parametrize(
    ("successes", "draws", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0)],
)
def test_wilsons_interval_is_that_of_the_tables(successes: int, draws: int, low: float, high: float) -> None:
    assert wilson(successes, draws) == pytest.approx((low, high), abs=5e-5)


def test_pass_at_k_is_the_share_of_subsets_with_a_right_sample() -> None:
    for samples in range(1, 9):
        for correct in range(samples + 1):
            flags = [True] * correct + [False] * (samples - correct)
            for k in range(1, samples + 1):
                subsets = list(combinations(flags, k))
                share = sum(any(subset) for subset in subsets) / len(subsets)
                assert pass_at_k(samples, correct, k) == pytest.approx(share, abs=1e-12)


def test_pass_at_k_of_a_great_many_samples_is_exact() -> None:
    samples, correct, k = 10_000, 3, 5_000
    exact = 1 - math.comb(samples - correct, k) / math.comb(samples, k)
    assert pass_at_k(samples, correct, k) == pytest.approx(exact, rel=1e-12)
    values = [pass_at_k(1_000, 7, k) for k in range(1, 1_001)]
    assert values == sorted(values)
    assert values[-1] == 1


@pytest.mark.parametrize(("samples", "correct", "k"), [(3, 1, 4), (3, 1, 0), (3, 4, 1), (3, -1, 1)])
def test_what_no_samples_can_tell_is_refused(samples: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="cannot be told"):
        pass_at_k(samples, correct, k)


def test_pass_at_1_weighs_problems_alike_and_not_samples() -> None:
    rows = [result("many", number, right=True) for number in range(9)] + [result("one", right=False)]
    rate = pass_at(tallies(rows), 1).rate
    assert rate is not None
    assert rate.value == 0.5


def test_the_clustered_error_is_the_papers_for_equal_clusters() -> None:
    means = [0.25, 0.5, 1.0, 0.75, 0.0]
    mean, size = sum(means) / 5, 4
    # The paper sums the deviations of all samples of a cluster, and divides by the number of samples.
    paper = math.sqrt(sum((size * (one - mean)) ** 2 for one in means)) / (size * 5)
    assert clustered_error(means) == pytest.approx(paper * math.sqrt(5 / 4))


def test_one_sample_each_gets_wilsons_interval() -> None:
    rate = mean_rate([1.0] * 8 + [0.0] * 2)
    assert rate is not None
    assert rate.interval is Interval.WILSON
    assert (rate.low, rate.high) == wilson(8, 10)


def test_problems_that_are_all_alike_do_not_make_certain() -> None:
    rate = mean_rate([0.5] * 4)
    assert rate is not None
    assert rate.interval is Interval.WILSON
    assert rate.low < 0.2
    assert rate.high > 0.8


def test_a_single_problem_has_no_interval() -> None:
    rate = mean_rate([0.5])
    assert rate is not None
    assert (rate.interval, rate.low, rate.high) == (Interval.NONE, 0, 1)
    assert mean_rate([]) is None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Problems of different difficulty, four samples each: an interval over samples would hold it in some
    80 % of the experiments only."""
    chance = random.Random(7)
    held = naive = 0
    experiments, problems, samples = 1_000, 40, 4
    for _ in range(experiments):
        # Difficulties are Beta(0.5, 0.5): most problems are nearly always right, or nearly never.
        skills = [chance.betavariate(0.5, 0.5) for _ in range(problems)]
        right = [sum(chance.random() < skill for _ in range(samples)) for skill in skills]
        rate = mean_rate([one / samples for one in right])
        assert rate is not None
        held += rate.low <= 0.5 <= rate.high
        low, high = wilson(sum(right), problems * samples)
        naive += low <= 0.5 <= high
    assert 0.93 <= held / experiments <= 0.97
    assert naive / experiments < 0.85


def test_problems_with_too_few_samples_are_left_out_and_counted() -> None:
    rows = [result("a", number, right=number == 0) for number in range(4)] + [result("b", right=True)]
    at = pass_at(tallies(rows), 2)
    assert at.left_out == 1
    assert at.rate is not None
    assert at.rate.value == 0.5
    assert pass_at(tallies(rows), 5).rate is None


def test_failures_of_the_machinery_are_in_no_rate() -> None:
    rows = [result("p", 0), result("p", 1, right=False, stop=StopReason.ERROR)]
    rows.append(result("p", 2, right=False, stop=StopReason.INTERRUPTED))
    evaluation = evaluate("r", rows, ks=[1])
    assert evaluation.apart == 2
    assert evaluation.scored == 1
    assert evaluation.pass_at_1 is not None
    assert evaluation.pass_at_1.value == 1


def test_what_cannot_be_graded_counts_as_not_correct_and_is_shown_apart() -> None:
    rows = [
        result("p", 0),
        result("p", 1, verdict=Verdict.UNGRADABLE),
        result("p", 2, verdict=Verdict.TIMEOUT),
    ]
    evaluation = evaluate("r", rows, ks=[1])
    assert evaluation.pass_at_1 is not None
    assert evaluation.pass_at_1.value == pytest.approx(1 / 3)
    assert evaluation.decided is not None
    assert evaluation.decided.value == 1
    assert evaluation.verdicts[Verdict.UNGRADABLE] == evaluation.verdicts[Verdict.TIMEOUT] == 1


def test_the_usual_ks_are_those_that_half_of_the_problems_have() -> None:
    rows = [result("a", number) for number in range(9)] + [result("b", number) for number in range(5)]
    assert usual_ks([*rows, result("c")]) == [1, 2, 4]
    assert usual_ks([]) == [1]
    assert [at.k for at in pass_rates(tallies(rows), range(1, 10))] == list(range(1, 10))
