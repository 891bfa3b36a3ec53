"""Reading a run, also while it is being written; and what else holds trajectories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar

from tir_agent.errors import RunError
from tir_agent.grades import Grade
from tir_agent.store.folder import read_manifest
from tir_agent.store.grade_log import read_grades
from tir_agent.store.layout import Layout, shards_in
from tir_agent.store.loose import loose_files, loose_records
from tir_agent.store.manifest import Manifest
from tir_agent.store.outcome import Key, Outcome, Summary
from tir_agent.store.scan import Fault, Scan
from tir_agent.store.versions import summary_of, trajectory_of
from tir_agent.trajectory import Problem, Sample, Trajectory

__all__ = ["RunReader"]

T = TypeVar("T")


class RunReader:
    """A run's folder, a file of trajectories (one, or one a line), or a folder of such files.

    Everything is read in constant memory. Lines that are no records are skipped, and `faults` tells of
    them; a torn tail, which may be a write that is under way, is where reading ends.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest | None,
        files: list[Path],
        grades: dict[str, Grade] | None = None,
    ) -> None:
        """Use `open`."""
        self.path = path
        self.manifest = manifest
        """Null where it is no run."""
        self._layout = Layout(path)
        self._files = files
        self._grades = grades

    @classmethod
    def open(cls, path: Path) -> Self:
        """Look what is at `path`.

        Raises:
            RunError: nothing that has trajectories, or a run of a newer version.
            StorageError: it cannot be read.
        """
        layout = Layout(path.resolve())
        if layout.manifest.is_file():
            return cls(layout.root, read_manifest(layout), [])
        return cls(layout.root, None, loose_files(layout.root))

    def merge_grades(self, name: str) -> RunReader:
        """The same run with the grades that grader `name` gave later in the place of the trajectories' own.

        A trajectory that this grader did not see has no grade then: one grader's are not mixed with
        another's.

        Raises:
            RunError: there are no such grades.
        """
        grades = {row.trajectory: row.grade for row in read_grades(self.path, name)}
        return RunReader(self.path, self.manifest, self._files, grades)

    def problems(self) -> Iterator[Problem]:
        """The problems of the run; of loose trajectories: those that they are of.

        Raises:
            RunError: the file of the problems is missing or damaged.
        """
        if self.manifest is None:
            seen: set[str] = set()
            for trajectory in self.trajectories():
                if trajectory.problem.id not in seen:
                    seen.add(trajectory.problem.id)
                    yield trajectory.problem
            return
        path = self._layout.problems
        if not path.is_file():
            raise RunError(f"{path} is missing")
        scan = Scan(path, Problem.model_validate_json)
        for _, problem in scan:
            yield problem
        if scan.faults or scan.torn:
            raise RunError(f"{path} is damaged: {next(iter(scan.faults), 'it ends in the middle')}")

    def trajectories(self, on_fault: Callable[[Fault], None] | None = None) -> Iterator[Trajectory]:
        """The trajectories that say something about the model; `on_fault` hears of lines that are skipped.

        Those of loose files that do not say which sample they are get their model's name as arm, and are
        counted.

        Raises:
            RunError: there are some of a newer version.
            StorageError: a file cannot be read.
        """
        counts: Counter[tuple[str, str]] = Counter()
        for trajectory in self._records(self._layout.shards, self._trajectory, on_fault):
            if trajectory.sample is None:
                arm = trajectory.settings.model
                index = counts[trajectory.problem.id, arm]
                counts[trajectory.problem.id, arm] += 1
                trajectory = trajectory.model_copy(update={"sample": Sample(arm=arm, index=index)})
            if self._grades is not None:
                trajectory = trajectory.model_copy(update={"grade": self._grades.get(trajectory.id)})
            yield trajectory

    def failures(self, on_fault: Callable[[Fault], None] | None = None) -> Iterator[Trajectory]:
        """Those that the machinery failed, or someone stopped; any number for one key. Raises as above."""
        if self.manifest is not None:
            yield from self._records(self._layout.failures, self._trajectory, on_fault)

    def outcomes(self, on_fault: Callable[[Fault], None] | None = None) -> Iterator[tuple[Key, Outcome]]:
        """What `trajectories` would yield, its outcomes alone: twice as fast. Raises the same."""
        counts: Counter[tuple[str, str]] = Counter()
        for summary in self._records(self._layout.shards, self._summary, on_fault):
            key = summary.key
            if key is None:
                arm = summary.settings.model
                key = Key(summary.problem.id, arm, counts[summary.problem.id, arm])
                counts[key.problem, arm] += 1
            outcome = summary.outcome
            if self._grades is not None:
                grade = self._grades.get(summary.id)
                outcome = outcome.graded(grade.verdict if grade else None)
            yield key, outcome

    def failed(self, on_fault: Callable[[Fault], None] | None = None) -> Iterator[tuple[Key, Outcome]]:
        """The outcomes of `failures`. Raises the same."""
        if self.manifest is not None:
            for summary in self._records(self._layout.failures, self._summary, on_fault):
                if summary.key is not None:
                    yield summary.key, summary.outcome

    def keys(self) -> Iterator[Key]:
        """Which samples there are. Raises as `trajectories` does."""
        return (key for key, _ in self.outcomes())

    def faults(self) -> list[Fault]:
        """Lines of trajectories and failures that are no records. Reads all of the run.

        Raises:
            RunError: there are records of a newer version.
            StorageError: a file cannot be read.
        """
        found: list[Fault] = []
        for _ in self.trajectories(found.append):
            pass
        for _ in self.failures(found.append):
            pass
        return found

    def files(self) -> list[Path]:
        """The files that hold the trajectories, in the order in which they are read."""
        return shards_in(self._layout.shards) if self.manifest is not None else list(self._files)

    def _records(
        self, folder: Path, parse: Callable[[bytes], T], on_fault: Callable[[Fault], None] | None
    ) -> Iterator[T]:
        hear = on_fault or _ignore
        if self.manifest is None:
            for path in self._files:
                yield from loose_records(path, parse, hear)
            return
        for path in shards_in(folder):
            scan = Scan(path, parse)
            for _, record in scan:
                yield record
            for fault in scan.faults:
                hear(fault)

    def _trajectory(self, line: bytes) -> Trajectory:
        return trajectory_of(line, str(self.path))

    def _summary(self, line: bytes) -> Summary:
        return summary_of(line, str(self.path))


def _ignore(fault: Fault) -> None:
    """No one wants to hear of it."""
