"""Grades that were given later, beside those in the trajectories: one file for each grader."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import Field

from tir_agent.errors import RunError
from tir_agent.grades import Grade
from tir_agent.messages import Record
from tir_agent.settings import Storage
from tir_agent.store.encoding import encoded
from tir_agent.store.files import cannot_write
from tir_agent.store.grade_terms import GradeTerms, keep_terms
from tir_agent.store.layout import Layout, shards_in
from tir_agent.store.lock import RunLock
from tir_agent.store.log import Log
from tir_agent.store.outcome import Key
from tir_agent.store.scan import Fault, Scan

__all__ = ["GradeLog", "GradeRow", "grader_names", "read_grades"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TERMS = "terms.json"


class GradeRow(Record):
    """A later grade of one trajectory."""

    problem: str
    """The problem's id."""
    arm: str
    index: int = Field(ge=0)
    trajectory: str
    """Its id."""
    grade: Grade

    @property
    def key(self) -> Key:
        """Which sample it is of."""
        return Key(self.problem, self.arm, self.index)


class GradeLog:
    """The one who writes the grades of one grader. Leave it with `close`, or use it in a `with`."""

    def __init__(self, log: Log, lock: RunLock) -> None:
        """Of a folder that is locked: use `open`."""
        self._log = log
        self._lock = lock
        self.done: set[str] = set()
        """Ids of the trajectories that have a grade of this grader."""
        self.done.update(row.trajectory for row in log.recover(GradeRow.model_validate_json))

    @classmethod
    def open(
        cls, folder: Path, name: str, storage: Storage | None = None, terms: GradeTerms | None = None
    ) -> Self:
        """Begin or go on with the grades of grader `name` for the run in `folder`.

        The run may be written meanwhile: it has another lock. `terms` are kept beside the grades, and
        compared where there are some.

        Raises:
            RunError: another process writes them, the name is no name, `folder` is no run, or the grades
                that are there were given on other terms.
            StorageError: the disk failed.
        """
        layout = Layout(folder.resolve())
        if not layout.manifest.exists():
            raise RunError(f"{folder} is not a run: it has no {layout.manifest.name}")
        place = _place(layout, name)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(place, error) from None
        lock = RunLock.take(place / "lock")
        try:
            grades = cls(Log(place, storage or Storage()), lock)
        except BaseException:
            lock.close()
            raise
        try:
            if terms is not None:
                keep_terms(place / _TERMS, terms, begun=bool(grades.done))
        except BaseException:
            grades.close()
            raise
        return grades

    @property
    def repairs(self) -> tuple[Fault, ...]:
        """What was wrong with the log when it was opened."""
        return tuple(self._log.repairs)

    def append(self, rows: Iterable[GradeRow]) -> None:
        """Write `rows` in one go. Of several grades of one trajectory the last one counts.

        Raises:
            StorageError: none of them was written.
        """
        rows = list(rows)
        if rows:
            self._log.append([encoded(row) for row in rows])
            self.done.update(row.trajectory for row in rows)

    def close(self) -> None:
        """Sync, and let others write."""
        try:
            self._log.sync()
        finally:
            self._log.close()
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def grader_names(folder: Path) -> list[str]:
    """The graders that graded the run in `folder` later."""
    place = Layout(folder).grades
    return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def read_grades(folder: Path, name: str) -> Iterator[GradeRow]:
    """All grades of grader `name`, in the order in which they were written.

    Raises:
        RunError: there are none of that name.
        StorageError: they cannot be read.
    """
    place = _place(Layout(folder), name)
    if not place.is_dir():
        known = ", ".join(grader_names(folder)) or "none"
        raise RunError(f"{folder} has no grades of {name}; there are: {known}")
    for path in shards_in(place):
        for _, row in Scan(path, GradeRow.model_validate_json):
            yield row


def _place(layout: Layout, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise RunError(
            f"{name!r} is no name for grades", hint="Use letters, digits, dots, dashes and underscores"
        )
    return layout.grades / name
