"""Looking for everything that could be wrong with a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tir_agent.errors import RunError
from tir_agent.settings import Fixed
from tir_agent.store.folder import problem_set
from tir_agent.store.grade_log import GradeRow, grader_names
from tir_agent.store.layout import Layout, shards_in
from tir_agent.store.manifest import Manifest
from tir_agent.store.outcome import Key
from tir_agent.store.reader import RunReader
from tir_agent.store.scan import Fault, Scan
from tir_agent.store.versions import trajectory_of
from tir_agent.trajectory import Problem, StopReason, Trajectory

__all__ = ["verify"]

_FAILED = (StopReason.ERROR, StopReason.INTERRUPTED)


def verify(path: Path) -> Iterator[Fault]:
    """Everything that is wrong with the run at `path`, as it is found; nothing, where it is sound and
    finished.

    Every line is read and validated (so spans cover their messages), every checksum is compared. The
    memory grows with the number of trajectories, by some 200 bytes each.

    Raises:
        RunError: it is no run, or holds records of a newer version.
        StorageError: a file cannot be read.
    """
    reader = RunReader.open(path)
    if reader.manifest is None:
        raise RunError(f"{path} is not a run: it has no run.json")
    return _Verification(Layout(reader.path), reader.manifest).faults()


class _Verification:
    def __init__(self, layout: Layout, manifest: Manifest) -> None:
        self._layout = layout
        self._manifest = manifest
        self._arms = frozenset(arm.name for arm in manifest.recipe.arms)
        self._problems: dict[str, Problem] = {}
        self._keys: dict[Key, str] = {}

    def faults(self) -> Iterator[Fault]:
        yield from self._of_problems()
        for path in shards_in(self._layout.shards):
            yield from self._of_trajectories(path, failures=False)
        for path in shards_in(self._layout.failures):
            yield from self._of_trajectories(path, failures=True)
        for name in grader_names(self._layout.root):
            for path in shards_in(self._layout.grades / name):
                yield from self._of_grades(path)
        yield from self._missing()

    def _of_problems(self) -> Iterator[Fault]:
        path = self._layout.problems
        if not path.is_file():
            yield Fault(path.name, "it is missing")
            return
        found = problem_set(path.read_bytes())
        if found != self._manifest.problems:
            yield Fault(path.name, "it is not the file that run.json speaks of: its checksum differs")
        scan = Scan(path, Problem.model_validate_json)
        for _, problem in scan:
            if problem.id in self._problems:
                yield Fault(path.name, f"problem {problem.id} is there twice")
            self._problems[problem.id] = problem
        yield from _of_file(scan, path.name)

    def _of_trajectories(self, path: Path, *, failures: bool) -> Iterator[Fault]:
        name = f"{path.parent.name}/{path.name}"
        scan = Scan(path, lambda line: trajectory_of(line, str(self._layout.root)))
        for _, trajectory in scan:
            for what in self._of_trajectory(trajectory, failures=failures):
                yield Fault(f"{name}, trajectory {trajectory.id}", what)
        yield from _of_file(scan, name)

    def _of_trajectory(self, trajectory: Trajectory, *, failures: bool) -> Iterator[str]:
        if (trajectory.stop in _FAILED) != failures:
            where = "the failures" if not failures else "the shards"
            yield f"it ended as {trajectory.stop} and belongs to {where}"
        problem = self._problems.get(trajectory.problem.id)
        if problem is None:
            yield f"problem {trajectory.problem.id} is not one of the run's"
        elif problem.text != trajectory.problem.text:
            yield f"problem {problem.id} has another text in problems.jsonl"
        if trajectory.sample is None:
            yield "it does not say which sample it is"
            return
        if trajectory.sample.arm not in self._arms:
            yield f"arm {trajectory.sample.arm} is not one of the run's"
        if not failures:
            key = Key(trajectory.problem.id, trajectory.sample.arm, trajectory.sample.index)
            if key in self._keys:
                yield f"trajectory {self._keys[key]} is of {key} too"
            self._keys.setdefault(key, trajectory.id)

    def _of_grades(self, path: Path) -> Iterator[Fault]:
        name = f"grades/{path.parent.name}/{path.name}"
        scan = Scan(path, GradeRow.model_validate_json)
        for _, row in scan:
            if self._keys.get(row.key) != row.trajectory:
                yield Fault(name, f"trajectory {row.trajectory} of {row.key} is graded and is not in the run")
        yield from _of_file(scan, name)

    def _missing(self) -> Iterator[Fault]:
        wanted = _samples_each(self._manifest)
        if wanted is None:
            expected = self._manifest.expected
            if expected is not None and len(self._keys) < expected:
                yield Fault("shards", f"{expected - len(self._keys)} of {expected} trajectories are missing")
            return
        found = Counter(key.problem for key in self._keys)
        for problem in self._problems:
            if found[problem] < wanted:
                yield Fault("shards", f"problem {problem} has {found[problem]} of {wanted} samples")


def _samples_each(manifest: Manifest) -> int | None:
    """Samples of each problem; None where they depend on what comes out, or the problems differ."""
    if manifest.imported is not None:
        return None
    if not manifest.parts:
        samples = manifest.recipe.samples
        return samples.samples if isinstance(samples, Fixed) else None
    if any(part.manifest.problems != manifest.problems for part in manifest.parts):
        return None
    each = [_samples_each(part.manifest) for part in manifest.parts]
    known = [samples for samples in each if samples is not None]
    return sum(known) if len(known) == len(each) else None


def _of_file(scan: Scan[object], name: str) -> Iterator[Fault]:
    yield from scan.faults
    if scan.torn:
        yield Fault(f"{name}, byte {scan.good}", f"torn tail of {scan.torn} bytes; resuming sets it aside")
