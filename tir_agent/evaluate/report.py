"""Everything that can be said of one run, and of two beside one another."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from tir_agent.evaluate.passing import PassAtK, pass_rates, tallies
from tir_agent.evaluate.rates import LEVEL, Rate, mean_rate
from tir_agent.evaluate.results import APART, Result
from tir_agent.evaluate.tool_use import Stop, ToolUse, stops, tool_use
from tir_agent.evaluate.voting import (
    Ballot,
    best_of_k,
    first_majority,
    majority_at_k,
    weighted_at_k,
    weighted_vote,
)
from tir_agent.grades import Verdict
from tir_agent.messages import Record

__all__ = ["Evaluation", "Group", "Grouping", "VoteAtK", "evaluate", "largest_k", "usual_ks", "votes"]

Clusters = Mapping[tuple[str, str, int], int | None]
"""The cluster of each sample's answer."""
_UNKNOWN: Final = "(none)"


class Grouping(StrEnum):
    """By what problems or samples are told apart."""

    LEVEL = "level"
    SUBJECT = "subject"
    ARM = "arm"
    STOP = "stop"


class Group(Record):
    """The pass@1 of a part."""

    by: Grouping
    name: str
    samples: int
    rate: Rate | None


class VoteAtK(Record):
    """Votes of k samples, over the problems that have so many."""

    k: int
    problems: int
    majority: Rate
    """maj@k, expected over all subsets."""
    low: float
    """maj@k if every tie were lost."""
    high: float
    tied: float
    """The part of votes that are ties."""
    first: float
    """The vote of each problem's first k samples."""
    best: Rate | None = None
    """rm@k, where there are rewards."""
    weighted: Rate | None = None
    """wmaj@k."""


class Evaluation(Record):
    """One run. Rates are over trajectories with a verdict that neither the machinery nor the user ended."""

    name: str
    trajectories: int
    problems: int
    apart: int
    """Ended as ERROR or INTERRUPTED; in no rate."""
    ungraded: int
    """Neither apart nor graded, for want of a gold answer; in no rate."""
    scored: int
    duplicates: int
    fewest: int
    """Scored samples of a problem."""
    most: int
    verdicts: dict[Verdict, int]
    passes: tuple[PassAtK, ...]
    decided: Rate | None
    """pass@1 with ungradable and timed-out comparisons left out, where there are any."""
    votes: tuple[VoteAtK, ...] = ()
    rewarded: int = 0
    """Scored trajectories that have a reward."""
    sigmoid: bool = False
    """Rewards did not all lie between 0 and 1, and so weights are their logistic function."""
    groups: tuple[Group, ...] = ()
    stops: tuple[Stop, ...]
    tool_use: ToolUse | None

    @property
    def pass_at_1(self) -> Rate | None:
        """The mean over problems of the mean over samples."""
        return next((one.rate for one in self.passes if one.k == 1), None)

    @property
    def uneven(self) -> bool:
        """Whether problems have different numbers of samples, which a plan may have chosen by results."""
        return self.fewest != self.most


def largest_k(results: Sequence[Result]) -> int:
    """The most scored samples that a problem has."""
    return max((samples for samples, _ in tallies(results).values()), default=0)


def usual_ks(results: Sequence[Result]) -> list[int]:
    """Powers of two up to the number of samples that at least half of the problems have."""
    counts = sorted((samples for samples, _ in tallies(results).values()), reverse=True)
    if not counts:
        return [1]
    enough = counts[(len(counts) - 1) // 2]
    return [2**exponent for exponent in range(enough.bit_length())]


def evaluate(
    name: str,
    results: Sequence[Result],
    *,
    ks: Sequence[int],
    clusters: Clusters | None = None,
    by: Sequence[Grouping] = (),
    duplicates: int = 0,
    level: float = LEVEL,
    seed: int = 0,
) -> Evaluation:
    """All figures of a run; votes only with `clusters` (see `evaluate.clusters`)."""
    counted = tallies(results)
    samples = [number for number, _ in counted.values()]
    scored = [result for result in results if result.scored]
    rewards = [result.reward for result in scored if result.reward is not None]
    sigmoid = any(not 0 <= reward <= 1 for reward in rewards)
    undecided = any(result.undecided for result in scored)
    decided = tallies(results, decided=True) if undecided else {}
    passes = pass_rates(counted, sorted({1, *ks}), level)
    return Evaluation(
        name=name,
        trajectories=len(results),
        problems=len({result.problem for result in results}),
        apart=sum(result.stop in APART for result in results),
        ungraded=sum(result.stop not in APART and result.verdict is None for result in results),
        scored=len(scored),
        duplicates=duplicates,
        fewest=min(samples, default=0),
        most=max(samples, default=0),
        verdicts=dict(Counter(result.verdict for result in scored if result.verdict is not None)),
        passes=tuple(passes),
        decided=mean_rate([right / number for number, right in decided.values()], level),
        votes=() if clusters is None else tuple(votes(scored, clusters, ks, level, seed)),
        rewarded=len(rewards),
        sigmoid=sigmoid,
        groups=tuple(group for one in by for group in _groups(results, one, level)),
        stops=tuple(stops(results)),
        tool_use=tool_use(results),
    )


def votes(
    results: Sequence[Result], clusters: Clusters, ks: Sequence[int], level: float = LEVEL, seed: int = 0
) -> list[VoteAtK]:
    """maj@k, and with rewards rm@k and wmaj@k, for each k that some problem has samples for."""
    problems: dict[str, list[Ballot]] = {}
    for result in sorted(results, key=lambda one: (one.index, one.arm)):
        if result.scored:
            ballot = Ballot(clusters.get(result.key), result.correct, result.reward)
            problems.setdefault(result.problem, []).append(ballot)
    found = []
    for k in ks:
        enough = [ballots for ballots in problems.values() if len(ballots) >= k]
        if enough:
            found.append(_votes_at(enough, k, level, seed))
    return found


def _weights(problems: Sequence[Sequence[Ballot]]) -> Sequence[Sequence[Ballot]]:
    """With the logistic function of their rewards where one is not between 0 and 1: a sum of logits, some of
    them below zero, is no weight."""
    rewards = [ballot.reward for ballots in problems for ballot in ballots if ballot.reward is not None]
    if all(0 <= reward <= 1 for reward in rewards):
        return problems
    return [
        [replace(one, reward=None if one.reward is None else _logistic(one.reward)) for one in ballots]
        for ballots in problems
    ]


def _votes_at(problems: Sequence[Sequence[Ballot]], k: int, level: float, seed: int) -> VoteAtK:
    outcomes = [majority_at_k(ballots, k) for ballots in problems]
    rewarded = all(ballot.reward is not None for ballots in problems for ballot in ballots)
    majority = mean_rate([outcome.value for outcome in outcomes], level)
    assert majority is not None, "there are problems"
    count = len(problems)
    best = [best_of_k(ballots, k) for ballots in problems] if rewarded else []
    weighted = [
        weighted_at_k(ballots, k, seed=seed) if k < len(ballots) else float(weighted_vote(ballots))
        for ballots in (_weights(problems) if rewarded else ())
    ]
    return VoteAtK(
        k=k,
        problems=count,
        majority=majority,
        low=math.fsum(outcome.low for outcome in outcomes) / count,
        high=math.fsum(outcome.high for outcome in outcomes) / count,
        tied=math.fsum(outcome.tied for outcome in outcomes) / count,
        first=sum(first_majority(ballots[:k]) for ballots in problems) / count,
        best=mean_rate(best, level),
        weighted=mean_rate(weighted, level),
    )


def _logistic(value: float) -> float:
    small = math.exp(-abs(value))
    return (1 if value > 0 else small) / (1 + small)


_NAMES: Final[Mapping[Grouping, Callable[[Result], str | None]]] = {
    Grouping.LEVEL: lambda result: result.level,
    Grouping.SUBJECT: lambda result: result.subject,
    Grouping.ARM: lambda result: result.arm,
    Grouping.STOP: lambda result: result.stop.value,
}


def _groups(results: Sequence[Result], by: Grouping, level: float) -> list[Group]:
    """In the order of their names; numbers in them by value."""
    parts: dict[str, list[Result]] = {}
    for result in results:
        if result.scored:
            parts.setdefault(_NAMES[by](result) or _UNKNOWN, []).append(result)
    found = []
    for name in sorted(parts, key=lambda one: (one == _UNKNOWN, len(one) if one.isdigit() else 0, one)):
        means = [right / number for number, right in tallies(parts[name]).values()]
        found.append(Group(by=by, name=name, samples=len(parts[name]), rate=mean_rate(means, level)))
    return found
