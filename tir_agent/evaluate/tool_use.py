"""How the tool was used, and what runs took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Final

from tir_agent.evaluate.rates import share
from tir_agent.evaluate.results import APART, Result
from tir_agent.messages import Record
from tir_agent.trajectory import StopReason

__all__ = ["Bin", "Spread", "Stop", "ToolUse", "spread", "stops", "tool_use"]

_QUANTILES: Final = (0.1, 0.5, 0.9)
_BINS: Final = 25


class Bin(Record):
    """Trajectories whose value is at least `low` and less than `high`; in the last bin it may be `high`."""

    low: float
    high: float
    count: int


class Spread(Record):
    """A quantity over trajectories."""

    name: str
    mean: float
    tenth: float
    median: float
    ninetieth: float
    most: float
    total: float
    bins: tuple[Bin, ...]
    """Whole numbers up to 25 have a bin each; other values are in 25 bins of the same width."""


class Stop(Record):
    """The runs that ended for one reason."""

    reason: StopReason
    count: int
    scored: int
    correct: int


class ToolUse(Record):
    """Figures of all trajectories but those that the machinery or the user ended. None: nothing to count."""

    trajectories: int
    with_code: int
    cells: int
    errors: int
    """Cells that raised."""
    timeouts: int
    died: int
    refused: int
    failed: int
    """Trajectories with a cell that did not end well."""
    recovered: int
    """Of `failed`: a later cell ran without an error."""
    failed_scored: int
    """Of `failed`: those with a verdict."""
    failed_correct: int
    """Of `failed`: the answer is right."""
    turns: int
    cut: int
    """Replies of which a part was cut off."""
    spreads: tuple[Spread, ...]
    costs: dict[str, float]
    """Money spent, by currency."""
    priced: int
    """Trajectories whose cost is known."""

    @property
    def error_rate(self) -> float | None:
        """The part of cells that raised."""
        return share(self.errors, self.cells)

    @property
    def recovery_rate(self) -> float | None:
        """The part of the trajectories with a failed cell in which a later one ran without an error."""
        return share(self.recovered, self.failed)


def spread(name: str, values: Sequence[float]) -> Spread:
    """Mean and quantiles; a quantile is a value that occurs (the lower of two in doubt).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there is nothing to spread")
    ordered = sorted(values)
    tenth, median, ninetieth = (
        float(ordered[max(0, math.ceil(part * len(ordered)) - 1)]) for part in _QUANTILES
    )
    return Spread(
        name=name,
        mean=fmean(ordered),
        tenth=tenth,
        median=median,
        ninetieth=ninetieth,
        most=float(ordered[-1]),
        total=math.fsum(ordered),
        bins=tuple(_bins(ordered)),
    )


def _bins(ordered: Sequence[float]) -> list[Bin]:
    most = ordered[-1]
    width = 1.0 if most < _BINS and all(value == int(value) for value in ordered) else most / _BINS
    counts = Counter(min(int(value / width), _BINS - 1) if width else 0 for value in ordered)
    return [
        Bin(low=number * width, high=(number + 1) * width, count=counts[number])
        for number in range(max(counts) + 1)
    ]


def tool_use(results: Iterable[Result]) -> ToolUse | None:
    """The figures; None where no trajectory is left to count."""
    counted = [result for result in results if result.stop not in APART]
    if not counted:
        return None
    failed = [result for result in counted if result.failed_cells]
    costs: Counter[str] = Counter()
    sums: dict[str, float] = {}
    for result in counted:
        if result.cost is not None and result.currency is not None:
            costs[result.currency] += 1
            sums[result.currency] = sums.get(result.currency, 0.0) + result.cost
    spreads = [
        spread("cells", [result.cells for result in counted]),
        spread("turns", [result.turns for result in counted]),
        spread("tokens written", [result.completion_tokens for result in counted]),
        spread("tokens read", [result.prompt_tokens for result in counted]),
        spread("seconds", [result.seconds for result in counted]),
        spread("seconds of the model", [result.model_seconds for result in counted]),
        spread("seconds of the kernel", [result.kernel_seconds for result in counted]),
    ]
    return ToolUse(
        trajectories=len(counted),
        with_code=sum(result.cells > 0 for result in counted),
        cells=sum(result.cells for result in counted),
        errors=sum(result.errors for result in counted),
        timeouts=sum(result.timeouts for result in counted),
        died=sum(result.died for result in counted),
        refused=sum(result.refused for result in counted),
        failed=len(failed),
        recovered=sum(result.recovered for result in failed),
        failed_scored=sum(result.scored for result in failed),
        failed_correct=sum(result.correct for result in failed),
        turns=sum(result.turns for result in counted),
        cut=sum(result.cut for result in counted),
        spreads=tuple(spreads),
        costs=sums,
        priced=costs.total(),
    )


def stops(results: Sequence[Result]) -> list[Stop]:
    """Why the runs ended, the most frequent first; those apart are here too."""
    found = []
    for reason, count in Counter(result.stop for result in results).most_common():
        scored = [result for result in results if result.stop is reason and result.scored]
        correct = sum(result.correct for result in scored)
        found.append(Stop(reason=reason, count=count, scored=len(scored), correct=correct))
    return found
