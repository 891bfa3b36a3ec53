"""What lies on disk between reading the runs and writing the set, so that memory holds one problem at a time.

SQLite keeps it in order and finds it again; the file is a temporary one, and no one else's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tir_agent.errors import StorageError
from tir_agent.export.manifest import Split
from tir_agent.preferences import Candidate
from tir_agent.trajectory import Problem

__all__ = ["Counted", "Spool"]

_TABLES = """
CREATE TABLE trajectories (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE problems (
    key TEXT PRIMARY KEY, number INTEGER, record BLOB, right INTEGER, wrong INTEGER, undecided INTEGER
) WITHOUT ROWID;
CREATE TABLE candidates (key TEXT, number INTEGER PRIMARY KEY, record BLOB);
CREATE INDEX candidates_by_key ON candidates (key, number);
CREATE TABLE examples (
    split TEXT, rank BLOB, id TEXT, key TEXT, label INTEGER, tokens INTEGER, model_tokens INTEGER, row BLOB,
    PRIMARY KEY (split, rank, id)
) WITHOUT ROWID;
"""


class Counted(NamedTuple):
    """A problem and what its trajectories were, before any filter."""

    key: str
    problem: Problem
    right: int
    wrong: int
    undecided: int

    @property
    def rate(self) -> float | None:
        """Share of right ones among the decided; None where there are none."""
        decided = self.right + self.wrong
        return self.right / decided if decided else None


class Spool:
    """Candidates by problem, then examples by rank."""

    def __init__(self, path: Path) -> None:
        """Begin a new one at `path`, where nothing is.

        Raises:
            StorageError: it cannot be written.
        """
        self._path = path
        self._numbers = 0
        with self._on_disk():
            self._base = sqlite3.connect(path, isolation_level=None)
            # What is lost with the machine is made again by the same command.
            self._base.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN; {_TABLES}")

    def is_new(self, trajectory: str) -> bool:
        """Whether no trajectory with this id was seen yet; from now on it was."""
        with self._on_disk():
            done = self._base.execute("INSERT OR IGNORE INTO trajectories VALUES (?)", (trajectory,))
        return done.rowcount == 1

    def count(self, key: str, problem: Problem, right: bool | None) -> None:
        """Of this problem there is a trajectory that is right, wrong, or neither (None)."""
        column = {True: "right", False: "wrong", None: "undecided"}[right]
        with self._on_disk():
            self._numbers += 1
            self._base.execute(
                "INSERT OR IGNORE INTO problems VALUES (?, ?, ?, 0, 0, 0)",
                (key, self._numbers, problem.model_dump_json()),
            )
            self._base.execute(f"UPDATE problems SET {column} = {column} + 1 WHERE key = ?", (key,))  # noqa: S608

    def add(self, key: str, candidate: Candidate) -> None:
        """A candidate of a problem that was counted."""
        with self._on_disk():
            self._base.execute(
                "INSERT INTO candidates (key, record) VALUES (?, ?)", (key, candidate.model_dump_json())
            )

    def problems(self) -> Iterator[Counted]:
        """In the order in which they were met first."""
        with self._on_disk():
            rows = self._base.execute(
                "SELECT key, record, right, wrong, undecided FROM problems ORDER BY number"
            )
            for key, record, *counts in rows:
                yield Counted(key, Problem.model_validate_json(record), *counts)

    def candidates(self, key: str) -> list[Candidate]:
        """Of one problem, in the order in which they were added."""
        with self._on_disk():
            rows = self._base.execute("SELECT record FROM candidates WHERE key = ? ORDER BY number", (key,))
            return [Candidate.model_validate_json(record) for (record,) in rows]

    def put(
        self,
        split: Split,
        rank: bytes,
        identity: str,
        key: str,
        row: bytes,
        *,
        label: bool | None,
        tokens: int,
        model_tokens: int,
    ) -> bool:
        """An example's row; False where the split has one with this id and rank."""
        values = (split.value, rank, identity, key, label, tokens, model_tokens, row)
        with self._on_disk():
            done = self._base.execute(
                "INSERT OR IGNORE INTO examples VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values
            )
        return done.rowcount == 1

    def labels(self, split: Split) -> tuple[int, int]:
        """How many examples of a split are desirable, and undesirable."""
        with self._on_disk():
            (row,) = self._base.execute(
                "SELECT count(*) FILTER (WHERE label = 1), count(*) FILTER (WHERE label = 0)"
                " FROM examples WHERE split = ?",
                (split.value,),
            )
        desirable, undesirable = row
        return int(desirable), int(undesirable)

    def leave(self, split: Split, label: bool, most: int) -> int:
        """Take all but the first `most` by rank of the examples with this label away; how many that were."""
        with self._on_disk():
            done = self._base.execute(
                "DELETE FROM examples WHERE split = ?1 AND label = ?2 AND (rank, id) IN ("
                "  SELECT rank, id FROM examples WHERE split = ?1 AND label = ?2"
                "  ORDER BY rank, id LIMIT -1 OFFSET ?3)",
                (split.value, label, most),
            )
        return done.rowcount

    def rows(self, split: Split) -> Iterator[bytes]:
        """The examples' rows by rank."""
        with self._on_disk():
            for (row,) in self._base.execute(
                "SELECT row FROM examples WHERE split = ? ORDER BY rank, id", (split.value,)
            ):
                yield row

    def totals(self, split: Split) -> tuple[int, int, int, int]:
        """Examples, problems with one, tokens, and tokens that the model wrote."""
        with self._on_disk():
            (row,) = self._base.execute(
                "SELECT count(*), count(DISTINCT key), coalesce(sum(tokens), 0),"
                " coalesce(sum(model_tokens), 0) FROM examples WHERE split = ?",
                (split.value,),
            )
        examples, problems, tokens, model_tokens = map(int, row)
        return examples, problems, tokens, model_tokens

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _on_disk(self) -> _OnDisk:
        return _OnDisk(self._path)


class _OnDisk:
    """Where SQLite fails, it is the disk: it is full, or gone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.OperationalError):
            raise StorageError(f"Cannot write {self._path.parent}: {error}") from None
