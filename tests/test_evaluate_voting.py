"""Votes against the enumeration of everything that they are an expectation of."""

from __future__ import annotations

import random
from itertools import combinations, permutations

import pytest

from tir_agent.evaluate.report import evaluate, votes
from tir_agent.evaluate.voting import (
    Ballot,
    best_of_k,
    first_majority,
    majority_at_k,
    weighted_at_k,
    weighted_vote,
)

from evaluations import ballots, result


def some_ballots(chance: random.Random) -> list[Ballot]:
    """At most seven samples of four answers; now and then the grader disagrees with itself."""
    right = chance.randrange(4)
    found = []
    for _ in range(chance.randint(1, 7)):
        number = chance.choice([None, 0, 1, 2, 3])
        correct = number is not None and (number == right or chance.random() < 0.1)
        found.append(Ballot(number, correct, chance.choice([0.1, 0.5, 0.9])))
    return found


def test_maj_at_k_is_the_mean_over_all_subsets_in_all_orders() -> None:
    chance = random.Random(1)
    for _ in range(150):
        samples = some_ballots(chance)
        for k in range(1, len(samples) + 1):
            orders = list(permutations(samples, k))
            mean = sum(first_majority(order) for order in orders) / len(orders)
            outcome = majority_at_k(samples, k)
            assert outcome.value == pytest.approx(mean, abs=1e-9)
            assert outcome.low <= outcome.value <= outcome.high


def test_ties_are_counted_as_often_as_they_happen() -> None:
    chance = random.Random(2)
    for _ in range(150):
        samples = some_ballots(chance)
        for k in range(1, len(samples) + 1):
            subsets = list(combinations(samples, k))
            tied = sum(is_tied(subset) for subset in subsets) / len(subsets)
            assert majority_at_k(samples, k).tied == pytest.approx(tied, abs=1e-9)


def is_tied(subset: tuple[Ballot, ...]) -> bool:
    numbers = [one.cluster for one in subset if one.cluster is not None]
    counts = sorted((numbers.count(number) for number in set(numbers)), reverse=True)
    return len(counts) > 1 and counts[0] == counts[1]


def test_a_tie_goes_to_the_answer_seen_first() -> None:
    assert first_majority(ballots([0, 1, 1, 0]))
    assert not first_majority(ballots([1, 0, 0, 1]))
    outcome = majority_at_k(ballots([0, 1, 1, 0]), 4)
    assert (outcome.low, outcome.value, outcome.high, outcome.tied) == (0, 0.5, 1, 1)


def test_no_answer_is_no_vote() -> None:
    assert first_majority(ballots([None, None, None, 0]))
    assert majority_at_k(ballots([None, None, None, 0]), 4).value == 1
    assert majority_at_k(ballots([None, None, None, 0]), 1).value == 0.25
    assert not first_majority(ballots([None, None]))
    assert majority_at_k(ballots([None, None]), 2).value == 0


def test_a_vote_of_one_is_pass_at_1_and_a_vote_of_all_is_the_largest_cluster() -> None:
    samples = ballots([0, 0, 0, 1, 1, 2, None])
    assert majority_at_k(samples, 1).value == pytest.approx(3 / 7)
    assert majority_at_k(samples, 7).value == 1


def test_many_samples_with_many_answers_are_no_work() -> None:
    samples = ballots([number // 2 for number in range(256)])
    assert majority_at_k(samples, 128).value == pytest.approx(1 / 128)


def test_rm_at_k_is_the_mean_over_all_subsets() -> None:
    chance = random.Random(3)
    for _ in range(150):
        samples = some_ballots(chance)
        for k in range(1, len(samples) + 1):
            means = []
            for subset in combinations(samples, k):
                best = [one for one in subset if one.cluster is not None]
                top = [one.correct for one in best if one.reward == max(b.reward or 0 for b in best)]
                means.append(sum(top) / len(top) if top else 0)
            assert best_of_k(samples, k) == pytest.approx(sum(means) / len(means), abs=1e-9)


def test_a_weighted_vote_sums_rewards() -> None:
    samples = [Ballot(0, True, 0.9), Ballot(1, False, 0.5), Ballot(1, False, 0.3), Ballot(None, False, 9)]
    assert weighted_vote(samples)
    assert weighted_at_k(samples, 4) == 1
    assert weighted_at_k(samples, 3) == sum(map(weighted_vote, combinations(samples, 3))) / 4


def test_drawn_subsets_come_near_to_all_of_them_and_are_the_same_again() -> None:
    chance = random.Random(4)
    samples = [Ballot(number, number == 0, chance.random()) for number in [0, 1, 2, 0, 1, 0, 3, 1, 0, 2]]
    exact = weighted_at_k(samples, 5)
    drawn = weighted_at_k(samples, 5, draws=200)
    assert drawn == pytest.approx(exact, abs=0.1)
    assert drawn == weighted_at_k(samples, 5, draws=200)
    assert drawn != weighted_at_k(samples, 5, draws=200, seed=1)


@pytest.mark.parametrize("k", [0, 4])
def test_votes_of_samples_that_are_not_there_are_refused(k: int) -> None:
    for vote in (majority_at_k, best_of_k, weighted_at_k):
        with pytest.raises(ValueError, match="among 3 samples"):
            vote(ballots([0, 0, 1]), k)


def test_problems_with_too_few_samples_do_not_vote() -> None:
    rows = [result("a", number) for number in range(4)] + [result("b", 0, right=False)]
    found = votes(rows, {row.key: 0 for row in rows}, [1, 4, 8])
    assert [(vote.k, vote.problems, vote.majority.value) for vote in found] == [(1, 2, 0.5), (4, 1, 1.0)]


def test_logits_choose_as_they_are_and_vote_as_probabilities() -> None:
    """Two logits that the logistic function makes one still have an order."""
    rewards = [41.0, 40.0, -3.0]
    rows = [result("p", n, right=n == 0, reward=reward) for n, reward in enumerate(rewards)]
    evaluation = evaluate("r", rows, ks=[3], clusters={row.key: n for n, row in enumerate(rows)})
    (vote,) = evaluation.votes
    assert evaluation.sigmoid
    assert vote.best is not None
    assert vote.best.value == 1
    assert vote.weighted is not None


def test_more_votes_below_zero_are_not_less() -> None:
    """Summed as they are, two logits of -1 would lose against one of -1.5."""
    rows = [result("p", n, right=n < 2, reward=reward) for n, reward in enumerate([-1.0, -1.0, -1.5])]
    evaluation = evaluate("r", rows, ks=[3], clusters={row.key: n // 2 for n, row in enumerate(rows)})
    (vote,) = evaluation.votes
    assert vote.weighted is not None
    assert vote.weighted.value == 1


def test_without_rewards_for_all_there_is_no_best_of_k() -> None:
    rows = [result("p", 0, reward=1.0), result("p", 1)]
    (vote,) = votes(rows, {row.key: 0 for row in rows}, [2])
    assert vote.best is None
    assert vote.weighted is None
