"""The account of what became of everything that was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tir_agent.export.manifest import Stage, Unit, Waterfall

__all__ = ["Ledger", "amount"]


class Ledger:
    """Counts what each stage drops. Stages stand in the order in which they were announced."""

    def __init__(self) -> None:
        self.read = 0
        self.right = 0
        self.examples = 0
        """Examples that were made of what was left of the trajectories."""
        self._stages: dict[str, Unit] = {}
        self._dropped: Counter[str] = Counter()
        self._right: Counter[str] = Counter()
        self._losses: Counter[str] = Counter()
        self._both = 0

    def announce(self, *names: str, unit: Unit = Unit.TRAJECTORIES) -> None:
        """These stages come next, also where they drop nothing."""
        for name in names:
            self._stages.setdefault(name, unit)

    def drop(self, stage: str, *, right: bool = False, count: int = 1) -> None:
        """A stage that was announced drops something."""
        if stage not in self._stages:
            raise ValueError(f"no stage {stage!r} was announced")
        self._dropped[stage] += count
        self._right[stage] += count * right

    def settle(self, right: int, wrong: int, drops: Mapping[tuple[str, bool], int]) -> None:
        """One problem's account: what it had at first, and what each stage dropped of it, by right or wrong.

        The stage that takes the last right or the last wrong one of it is the one that it is lost to.
        """
        if not (right and wrong):
            return
        self._both += 1
        left = {True: right, False: wrong}
        for name in self._stages:
            for side in left:
                left[side] -= drops.get((name, side), 0)
            if not all(left.values()):
                self._losses[name] += 1
                return

    def waterfall(self) -> Waterfall:
        """All of it so far."""
        stages: list[Stage] = []
        left, unit, both = self.read, Unit.TRAJECTORIES, self._both
        for name, of in self._stages.items():
            if of is not unit:
                left, unit = self.examples, of
            left -= self._dropped[name]
            both -= self._losses[name]
            stages.append(
                Stage(
                    name=name,
                    unit=of,
                    dropped=self._dropped[name],
                    right=self._right[name],
                    left=left,
                    both=both if of is Unit.TRAJECTORIES else None,
                )
            )
        return Waterfall(read=self.read, right=self.right, stages=tuple(stages))


def amount(count: int, one: str, many: str = "") -> str:
    """So many of something; `many` is for plurals that have more than an s.

    >>> amount(1, "problem"), amount(1200, "problem"), amount(0, "trajectory", "trajectories")
    ('1 problem', '1,200 problems', '0 trajectories')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
