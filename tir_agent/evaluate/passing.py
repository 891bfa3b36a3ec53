"""pass@k: the chance that at least one of k samples is right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tir_agent.evaluate.rates import LEVEL, Rate, mean_rate
from tir_agent.evaluate.results import Result
from tir_agent.messages import Record

__all__ = ["PassAtK", "pass_at", "pass_at_k", "pass_rates", "tallies"]

Tally = tuple[int, int]
"""Samples of a problem, and how many of them are right."""


class PassAtK(Record):
    """pass@k over the problems that have at least k samples."""

    k: int
    rate: Rate | None
    left_out: int
    """Problems with fewer samples."""


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """The unbiased estimate of pass@k from `samples` of which `correct` are right (Chen et al. 2021,
    arXiv:2107.03374): one minus the chance that k of them, drawn without replacement, are all wrong.

    As a product of `correct` factors, so that nothing overflows.

    Raises:
        ValueError: k is not between 1 and `samples`, or `correct` not between 0 and `samples`.

    >>> round(pass_at_k(5, 2, 2), 4)
    0.7
    """
    if not 1 <= k <= samples or not 0 <= correct <= samples:
        raise ValueError(f"pass@{k} cannot be told from {correct} right of {samples} samples")
    if samples - correct < k:
        return 1.0
    missed = 1.0
    for number in range(samples - correct + 1, samples + 1):
        missed *= 1 - k / number
    return 1 - missed


def tallies(results: Iterable[Result], *, decided: bool = False) -> dict[str, Tally]:
    """Samples and right ones of each problem, those apart left out; `decided` also leaves out what the
    grader could not tell."""
    counted: dict[str, Tally] = {}
    for result in results:
        if result.scored and not (decided and result.undecided):
            samples, correct = counted.get(result.problem, (0, 0))
            counted[result.problem] = samples + 1, correct + result.correct
    return counted


def pass_at(counted: Mapping[str, Tally], k: int, level: float = LEVEL) -> PassAtK:
    """pass@k over problems; pass@1 is the mean over problems of the mean over samples."""
    enough = [tally for tally in counted.values() if tally[0] >= k]
    means = [pass_at_k(samples, correct, k) for samples, correct in enough]
    return PassAtK(k=k, rate=mean_rate(means, level), left_out=len(counted) - len(enough))


def pass_rates(counted: Mapping[str, Tally], ks: Sequence[int], level: float = LEVEL) -> list[PassAtK]:
    """pass@k for every k of `ks`."""
    return [pass_at(counted, k, level) for k in ks]
