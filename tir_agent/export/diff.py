"""What two exports have in common, and what not."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

from tir_agent.export.accounts import (
    FieldDiff,
    MemberDiff,
    StageDiff,
    different_members,
    recipe_differences,
    stages_of_both,
)
from tir_agent.export.manifest import Split
from tir_agent.export.reading import ExportReader
from tir_agent.export.row import Row
from tir_agent.messages import Record

__all__ = ["ExportDiff", "Group", "Named", "diff"]

_WRAP: Final = 2**64


class Named(Record):
    """An example, or a problem, by its id."""

    id: str
    problem: str | None = None


class Group(Record):
    """Examples or problems of one fate: how many, and the first of them."""

    count: int = 0
    first: tuple[Named, ...] = ()


class ExportDiff(Record):
    """The whole comparison of A with B."""

    rows_a: int
    rows_b: int
    both: int
    """Examples with an id that both have."""
    only_a: Group
    only_b: Group
    changed: Group
    """Of those in both: other rows. Not looked at where the dialects differ."""
    moved: Group
    """Of those in both: in another split."""
    problems_a: int
    problems_b: int
    problems_both: int
    other_trajectories: Group
    """Problems in both whose examples are not made of the same trajectories."""
    crossed: Group
    """Problems that one has in its training split, and the other in its validation split."""
    recipe: tuple[FieldDiff, ...]
    read_a: int
    """Trajectories that were read."""
    read_b: int
    waterfall: tuple[StageDiff, ...]
    """All stages of both, whether they differ or not."""
    members: tuple[MemberDiff, ...]

    @property
    def equal(self) -> bool:
        """Whether they hold the same and were made in the same way."""
        groups = (self.only_a, self.only_b, self.changed, self.moved, self.other_trajectories, self.crossed)
        return (
            not any(group.count for group in groups)
            and self.rows_a == self.rows_b
            and not self.recipe
            and not self.members
            and self.read_a == self.read_b
            and all(one.dropped_a == one.dropped_b and one.left_a == one.left_b for one in self.waterfall)
        )


def diff(a: ExportReader, b: ExportReader, *, show: int) -> ExportDiff:
    """Compare them, naming at most `show` of each group. The memory grows with the ids, not with the rows.

    Raises:
        DataError: one is damaged.
        StorageError: a file cannot be read.
    """
    rows = _Rows(show, contents=a.manifest.recipe.dialect is b.manifest.recipe.dialect)
    for split in a.splits:
        for row in a.rows(split):
            rows.add_a(split, row)
    for split in b.splits:
        for row in b.rows(split):
            rows.add_b(split, row)
    problems = rows.problems_a.keys() & rows.problems_b.keys()
    one, other = a.manifest, b.manifest
    return ExportDiff(
        rows_a=rows.rows_a,
        rows_b=rows.rows_b,
        both=rows.both,
        only_a=_group((Named(id=key, problem=it.problem) for key, it in rows.waiting.items()), show),
        only_b=rows.only_b.group(),
        changed=rows.changed.group(),
        moved=rows.moved.group(),
        problems_a=len(rows.problems_a),
        problems_b=len(rows.problems_b),
        problems_both=len(problems),
        other_trajectories=_group(
            (
                Named(id=key)
                for key, it in rows.problems_a.items()
                if key in problems and rows.problems_b[key].made_of != it.made_of
            ),
            show,
        ),
        crossed=_group(
            (
                Named(id=key)
                for key, it in rows.problems_a.items()
                if key in problems and rows.problems_b[key].splits != it.splits
            ),
            show,
        ),
        recipe=tuple(recipe_differences(one, other)),
        read_a=one.waterfall.read,
        read_b=other.waterfall.read,
        waterfall=tuple(stages_of_both(one, other)),
        members=tuple(different_members(one, other)),
    )


class _Example(NamedTuple):
    problem: str | None
    digest: bytes
    split: Split


class _Problem(NamedTuple):
    made_of: int
    """Sum of the digests of all its rows' trajectories: the same in any order."""
    splits: frozenset[Split]


_NEW: Final = _Problem(0, frozenset())


class _Names:
    """Counts all and keeps the first."""

    def __init__(self, show: int) -> None:
        self._show = show
        self._count = 0
        self._first: list[Named] = []

    def add(self, named: Named) -> None:
        self._count += 1
        if len(self._first) < self._show:
            self._first.append(named)

    def group(self) -> Group:
        return Group(count=self._count, first=tuple(self._first))


def _group(found: Iterable[Named], show: int) -> Group:
    names = _Names(show)
    for named in found:
        names.add(named)
    return names.group()


class _Rows:
    def __init__(self, show: int, *, contents: bool) -> None:
        self._contents = contents
        self.rows_a = self.rows_b = self.both = 0
        self.waiting: dict[str, _Example] = {}
        """Examples of A that B was not seen to have; an id that is there several times stands for one."""
        self._met: set[str] = set()
        self.only_b, self.changed, self.moved = _Names(show), _Names(show), _Names(show)
        self.problems_a: dict[str, _Problem] = {}
        self.problems_b: dict[str, _Problem] = {}

    def add_a(self, split: Split, row: Row) -> None:
        self.rows_a += 1
        self.waiting[row.id] = _Example(row.problem, row.digest, split)
        _note(self.problems_a, split, row)

    def add_b(self, split: Split, row: Row) -> None:
        self.rows_b += 1
        _note(self.problems_b, split, row)
        if row.id in self._met:
            return
        self._met.add(row.id)
        named = Named(id=row.id, problem=row.problem)
        example = self.waiting.pop(row.id, None)
        if example is None:
            self.only_b.add(named)
            return
        self.both += 1
        if self._contents and example.digest != row.digest:
            self.changed.add(named)
        if example.split is not split:
            self.moved.add(named)


def _note(problems: dict[str, _Problem], split: Split, row: Row) -> None:
    if row.problem is None:
        return
    before = problems.get(row.problem, _NEW)
    made_of = "\n".join(side.trajectory or "" for side in row.sides)
    digest = int.from_bytes(blake2b(made_of.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    problems[row.problem] = _Problem((before.made_of + digest) % _WRAP, before.splits | {split})
