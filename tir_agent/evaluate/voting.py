"""Votes: the answer that most of k samples give, plain or weighted by a reward, and the best-rewarded one.

Self-consistency (Wang et al. 2022, arXiv:2203.11171) over clusters of equal answers. Best-of-N and
weighted votes with a verifier's score are those of Cobbe et al. 2021 (arXiv:2110.14168) and Li et al. 2022
(arXiv:2206.02336).

The rules that all of them share:

- A sample without an answer casts no vote and is never chosen; where no sample has one, the vote is wrong.
- Ties go to the answer that was seen first. Which one that is depends on the order of the samples, which
  says nothing; so the expected values are over random orders as well as random subsets, which gives each
  answer of a tie the same chance.
- What a cluster says is right as often as its samples are: a grader may call two equal answers differently.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

__all__ = [
    "Ballot",
    "Outcome",
    "best_of_k",
    "first_majority",
    "majority_at_k",
    "weighted_at_k",
    "weighted_vote",
]

DRAWS: Final = 1_000
"""Random subsets, where there are more of them than that."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One sample's vote."""

    cluster: int | None
    """Which answer; None: it has none."""
    correct: bool
    reward: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The chance that a vote is right."""

    value: float
    """Ties broken by the first seen."""
    low: float
    """Were every tie lost that can be."""
    high: float
    """Were every tie won that can be."""
    tied: float
    """The chance of a tie between different answers for the most votes."""


def first_majority(ballots: Sequence[Ballot]) -> bool:
    """Whether the vote of these samples, in this order, is right: the answer of the first sample of the
    largest cluster, and of tied clusters the one that was seen first."""
    counts: dict[int, int] = {}
    first: dict[int, Ballot] = {}
    for ballot in ballots:
        if ballot.cluster is not None:
            counts[ballot.cluster] = counts.get(ballot.cluster, 0) + 1
            first.setdefault(ballot.cluster, ballot)
    # `max` keeps the first of equals, and the dictionary is in the order of first sight.
    return first[max(counts, key=counts.__getitem__)].correct if counts else False


def majority_at_k(ballots: Sequence[Ballot], k: int) -> Outcome:
    """maj@k: the chance that the vote of k of these samples is right, over all subsets and orders; exact.

    The subsets are counted and not drawn: for each number of votes m with which a cluster can win, the
    ways in which every other cluster gets at most m, those with exactly m apart.

    Raises:
        ValueError: k is not between 1 and the number of samples.
    """
    if not 1 <= k <= len(ballots):
        raise ValueError(f"there is no vote of {k} among {len(ballots)} samples")
    sizes: dict[int, int] = {}
    right: dict[int, int] = {}
    for ballot in ballots:
        if ballot.cluster is not None:
            sizes[ballot.cluster] = sizes.get(ballot.cluster, 0) + 1
            right[ballot.cluster] = right.get(ballot.cluster, 0) + ballot.correct
    silent = len(ballots) - sum(sizes.values())
    everything = math.comb(len(ballots), k)
    value = low = high = tied = 0.0
    # Clusters of one size have the same chance to win: what they say is right is their mean.
    for size in set(sizes.values()):
        alike = [number for number, other in sizes.items() if other == size]
        others = list(sizes.values())
        others.remove(size)
        part = sum(right[number] for number in alike) / size
        for votes in range(1, min(size, k) + 1):
            own = math.comb(size, votes)
            for ties, ways in enumerate(_ways(others, silent, k - votes, votes)):
                chance = own * ways / everything
                value += part * chance / (ties + 1)
                low += part * chance if ties == 0 else 0.0
                high += part * chance
                tied += len(alike) * chance / (ties + 1) if ties else 0.0
    # Where several clusters of a tie are right, it is counted for each; it cannot be won twice.
    return Outcome(value, min(low, value), max(value, min(high, low + tied)), tied)


def _ways(others: Sequence[int], silent: int, picks: int, votes: int) -> list[int]:
    """In how many ways `picks` samples fall on the other clusters and on the silent, none getting more than
    `votes`: by how many of them get just so many."""
    free = silent + sum(size for size in others if size < votes)
    rows = [[math.comb(free, number) for number in range(picks + 1)]]
    for size in others:
        if size >= votes:
            rows = _with_cluster(rows, size, picks, votes)
    return [row[picks] for row in rows]


def _with_cluster(rows: list[list[int]], size: int, picks: int, votes: int) -> list[list[int]]:
    """`rows[ties][picked]` with one more cluster."""
    below = [math.comb(size, taken) for taken in range(min(votes, picks + 1))]
    level = math.comb(size, votes)
    grown = [[0] * (picks + 1) for _ in range(len(rows) + 1)]
    for ties, row in enumerate(rows):
        for picked, ways in enumerate(row):
            if not ways:
                continue
            for taken, more in enumerate(below[: picks - picked + 1]):
                grown[ties][picked + taken] += ways * more
            if picked + votes <= picks:
                grown[ties + 1][picked + votes] += ways * level
    return grown if any(grown[-1]) else grown[:-1]


def best_of_k(ballots: Sequence[Ballot], k: int) -> float:
    """rm@k: the chance that the best-rewarded of k samples is right, over all subsets; exact.

    Samples without an answer or a reward are chosen never; of equal rewards each as often.

    Raises:
        ValueError: k is not between 1 and the number of samples.
    """
    if not 1 <= k <= len(ballots):
        raise ValueError(f"there is no best of {k} among {len(ballots)} samples")
    rewards: dict[float, list[bool]] = {}
    for ballot in ballots:
        if ballot.cluster is not None and ballot.reward is not None:
            rewards.setdefault(ballot.reward, []).append(ballot.correct)
    everything = math.comb(len(ballots), k)
    chance, below = 0.0, len(ballots) - sum(map(len, rewards.values()))
    for _, group in sorted(rewards.items()):
        # Some of the group is among the k, and nothing better.
        ways = math.comb(below + len(group), k) - math.comb(below, k)
        chance += sum(group) / len(group) * ways / everything
        below += len(group)
    return chance


def weighted_vote(ballots: Iterable[Ballot]) -> bool:
    """Whether the answer with the largest sum of weights is right; of equal sums the first seen.

    A reward between 0 and 1 is a weight as it is; the caller brings others there.
    """
    sums: dict[int, float] = {}
    first: dict[int, Ballot] = {}
    for ballot in ballots:
        if ballot.cluster is not None and ballot.reward is not None:
            sums[ballot.cluster] = sums.get(ballot.cluster, 0.0) + ballot.reward
            first.setdefault(ballot.cluster, ballot)
    return first[max(sums, key=sums.__getitem__)].correct if sums else False


def weighted_at_k(ballots: Sequence[Ballot], k: int, *, seed: int = 0, draws: int = DRAWS) -> float:
    """wmaj@k: the chance that the weighted vote of k of these samples is right.

    Over all subsets where there are at most `draws`, else over so many drawn with `seed`.

    Raises:
        ValueError: k is not between 1 and the number of samples.
    """
    if not 1 <= k <= len(ballots):
        raise ValueError(f"there is no vote of {k} among {len(ballots)} samples")
    if len({(ballot.cluster, ballot.correct) for ballot in ballots}) == 1:
        # Nothing to decide, whatever the weights.
        return float(weighted_vote(ballots))
    if math.comb(len(ballots), k) <= draws:
        subsets: Iterable[Sequence[Ballot]] = combinations(ballots, k)
        return _mean([weighted_vote(subset) for subset in subsets])
    chance = random.Random(seed)  # noqa: S311 - no secret
    return _mean([weighted_vote(chance.sample(ballots, k)) for _ in range(draws)])


def _mean(votes: Sequence[bool]) -> float:
    return sum(votes) / len(votes)
