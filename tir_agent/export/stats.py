"""The figures of an export: lengths, balance, use of the tool, rewards. Rows are read once and not kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

from tir_agent.export.histogram import Histogram, Spread
from tir_agent.export.manifest import ExportManifest, Split, SplitCounts
from tir_agent.export.reading import ExportReader
from tir_agent.export.row import Row, Side
from tir_agent.messages import Record

__all__ = ["ArmFigures", "ExportStats", "Longer", "Part", "PartFigures", "SplitFigures", "stats"]


class Part(StrEnum):
    """Which trajectories of a split."""

    SOLUTIONS = "solutions"
    CHOSEN = "chosen"
    REJECTED = "rejected"
    DESIRABLE = "desirable"
    UNDESIRABLE = "undesirable"


class ArmFigures(Record):
    """Trajectories of an arm."""

    name: str
    rows: int


class PartFigures(Record):
    """The trajectories of a part. A quantity that no row has is null."""

    part: Part
    rows: int
    tokens: Spread | None = None
    """Of the conversations."""
    model_tokens: Spread | None = None
    """Of these, those that the model wrote."""
    cells: Spread | None = None
    errors: Spread | None = None
    """Cells that did not run to their end."""
    with_code: int = 0
    failed: int = 0
    """Trajectories with such a cell."""
    rewards: Spread | None = None
    arms: tuple[ArmFigures, ...] = ()


class Longer(Record):
    """Pairs by which of the two has more tokens of the model's, or more tokens where rows do not tell them
    apart. Where most of one kind are the longer ones, length itself is learnt (arXiv:2403.19159)."""

    chosen: int
    rejected: int
    equal: int

    @property
    def pairs(self) -> int:
        """All of which both lengths are known."""
        return self.chosen + self.rejected + self.equal


class SplitFigures(Record):
    """A split."""

    split: Split
    rows: int
    problems: int | None
    """Different ones; null where the rows do not say."""
    parts: tuple[PartFigures, ...]
    per_problem: Spread | None = None
    """Rows of a problem that has any."""
    longer: Longer | None = None
    margins: Spread | None = None
    prefix_turns: Spread | None = None
    pass_rates: Spread | None = None
    """Of all problems of the runs that belong to the split, those with a decided trajectory: the share of
    right ones before any filter. Null where the list of problems does not say."""


class ExportStats(Record):
    """All figures, with the export's own account."""

    manifest: ExportManifest
    splits: tuple[SplitFigures, ...]


def stats(reader: ExportReader) -> ExportStats:
    """Count everything. The memory grows with the number of problems alone.

    Raises:
        DataError: the export is damaged.
        StorageError: a file cannot be read.
    """
    return ExportStats(
        manifest=reader.manifest,
        splits=tuple(_split(reader, counts) for counts in reader.manifest.splits),
    )


def _split(reader: ExportReader, counts: SplitCounts) -> SplitFigures:
    tally = _Tally()
    for row in reader.rows(counts.split):
        tally.add(row)
    rates = Histogram()
    if reader.problems_path(counts.split).exists():
        for problem in reader.problems(counts.split):
            decided = (problem.right or 0) + (problem.wrong or 0)
            if problem.right is not None and decided:
                rates.add(problem.right / decided)
    return tally.figures(counts.split, rates.spread())


class _PartTally:
    def __init__(self, part: Part) -> None:
        self._part = part
        self._rows = self._with_code = self._failed = 0
        self._tokens, self._model_tokens = Histogram(), Histogram()
        self._cells, self._errors, self._rewards = Histogram(), Histogram(), Histogram()
        self._arms: Counter[str] = Counter()

    def add(self, side: Side) -> None:
        self._rows += 1
        self._tokens.add(side.tokens)
        self._model_tokens.add(side.model_tokens)
        self._cells.add(side.cells)
        self._errors.add(side.errors)
        self._rewards.add(side.reward)
        self._with_code += bool(side.cells)
        self._failed += bool(side.errors)
        if side.arm is not None:
            self._arms[side.arm] += 1

    def figures(self) -> PartFigures:
        return PartFigures(
            part=self._part,
            rows=self._rows,
            tokens=self._tokens.spread(),
            model_tokens=self._model_tokens.spread(),
            cells=self._cells.spread(),
            errors=self._errors.spread(),
            with_code=self._with_code,
            failed=self._failed,
            rewards=self._rewards.spread(),
            arms=tuple(ArmFigures(name=name, rows=rows) for name, rows in sorted(self._arms.items())),
        )


class _Tally:
    def __init__(self) -> None:
        self._rows = 0
        self._parts: dict[Part, _PartTally] = {}
        self._problems: Counter[str] = Counter()
        self._longer: Counter[Part | None] = Counter()
        self._margins, self._prefixes = Histogram(), Histogram()

    def add(self, row: Row) -> None:
        self._rows += 1
        if row.problem is not None:
            self._problems[row.problem] += 1
        for part, side in _parts(row):
            self._parts.setdefault(part, _PartTally(part)).add(side)
        if row.chosen is not None and row.rejected is not None:
            self._compare(row.chosen, row.rejected)
        self._margins.add(row.margin)
        self._prefixes.add(row.prefix_turns)

    def _compare(self, chosen: Side, rejected: Side) -> None:
        one, other = chosen.model_tokens, rejected.model_tokens
        if one is None or other is None:
            one, other = chosen.tokens, rejected.tokens
        if one is None or other is None:
            return
        self._longer[Part.CHOSEN if one > other else Part.REJECTED if other > one else None] += 1

    def figures(self, split: Split, pass_rates: Spread | None) -> SplitFigures:
        each = Histogram()
        for rows in self._problems.values():
            each.add(rows)
        longer = Longer(
            chosen=self._longer[Part.CHOSEN],
            rejected=self._longer[Part.REJECTED],
            equal=self._longer[None],
        )
        return SplitFigures(
            split=split,
            rows=self._rows,
            problems=len(self._problems) or (None if self._rows else 0),
            parts=tuple(self._parts[part].figures() for part in Part if part in self._parts),
            per_problem=each.spread(),
            longer=longer if longer.pairs else None,
            margins=self._margins.spread(),
            prefix_turns=self._prefixes.spread(),
            pass_rates=pass_rates,
        )


def _parts(row: Row) -> Iterator[tuple[Part, Side]]:
    if row.side is not None:
        if row.label is None:
            yield Part.SOLUTIONS, row.side
        else:
            yield Part.DESIRABLE if row.label else Part.UNDESIRABLE, row.side
    if row.chosen is not None:
        yield Part.CHOSEN, row.chosen
    if row.rejected is not None:
        yield Part.REJECTED, row.rejected
