"""The account of what became of everything that was read."""

from __future__ import annotations

from collections import Counter

from tir_agent.export.manifest import Stage, Unit, Waterfall

__all__ = ["Ledger"]


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

    def waterfall(self) -> Waterfall:
        """All of it so far."""
        stages: list[Stage] = []
        left, unit = self.read, Unit.TRAJECTORIES
        for name, of in self._stages.items():
            if of is not unit:
                left, unit = self.examples, of
            left -= self._dropped[name]
            stages.append(
                Stage(name=name, unit=of, dropped=self._dropped[name], right=self._right[name], left=left)
            )
        return Waterfall(read=self.read, right=self.right, stages=tuple(stages))
