"""One run that is to be made: which problem, which arm, which sample, which seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tir_agent.settings import Arm
from tir_agent.store import Key
from tir_agent.trajectory import Problem, Sample

__all__ = ["Task", "drawings", "seed_for"]

_SEEDS: Final = 2**31
"""Servers take seeds as signed numbers of 32 bits."""


@dataclass(frozen=True)
class Task:
    """A trajectory that is to be made."""

    problem: Problem
    sample: Sample
    seed: int

    @property
    def key(self) -> Key:
        return Key(self.problem.id, self.sample.arm, self.sample.index)


def drawings(arms: Sequence[Arm], count: int) -> list[Sample]:
    """In which order `count` samples of a problem are drawn from arms by their weights.

    The arms alternate as evenly as their weights allow, so that a plan that stops early has seen its share
    of each. (Smooth weighted round robin, as load balancers do it.)

    >>> [one.arm for one in drawings([Arm(name="a", model="m", weight=2), Arm(name="b", model="m")], 6)]
    ['a', 'b', 'a', 'a', 'b', 'a']
    """
    credit = [0] * len(arms)
    taken = [0] * len(arms)
    total = sum(arm.weight for arm in arms)
    order = []
    for _ in range(count):
        credit = [have + arm.weight for have, arm in zip(credit, arms, strict=True)]
        chosen = max(range(len(arms)), key=lambda number: credit[number])
        credit[chosen] -= total
        order.append(Sample(arm=arms[chosen].name, index=taken[chosen]))
        taken[chosen] += 1
    return order


def seed_for(seed: int, key: Key) -> int:
    """The seed of one sample: the same in every run with this recipe, another for each sample."""
    digest = hashlib.sha256(repr((seed, *key)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % _SEEDS
