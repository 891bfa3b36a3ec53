"""Files of other systems' trajectories, written as a run.

Every file is read twice: a run must know its problems, arms and samples before its first trajectory. So
nothing but problems and digests is kept in memory, however large the files are.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tir_agent.errors import DataError
from tir_agent.imports.ledger import Ledger
from tir_agent.imports.reading import Layout, Refused, file_digest, read_file
from tir_agent.imports.recording import Recording
from tir_agent.imports.writing import trajectory_of
from tir_agent.settings import Arm, Fixed, Fsync, Operation, ProblemSource, Recipe, Storage
from tir_agent.store import Draft, Imported, ImportedFile, Key, RunWriter
from tir_agent.trajectory import Problem, Sample, Trajectory

__all__ = ["Importer", "Plan"]

UNKNOWN: Final = "unknown"
"""The arm of those whose model is named neither in the file nor by the user."""
_BATCH: Final = 200
"""Trajectories that are written at one go."""
_EVERY: Final = 1000
"""Rows, or trajectories, between two lines of progress."""
_SAME: Final = "it stands in the files once more, with the same id and the same content"


def _silent(done: int) -> None:
    pass


@dataclass(frozen=True)
class Plan:
    """What is to be written, known after the first reading."""

    draft: Draft
    problems: tuple[Problem, ...]
    ledger: Ledger


class Importer:
    """Some files and how they are to be read. The same files make the same trajectories every time."""

    def __init__(
        self,
        files: Sequence[Path],
        layout: Layout = Layout.AUTO,
        *,
        model: str | None = None,
        limit: int | None = None,
    ) -> None:
        """`model` names the arm of recordings that name none; `limit` is the most that are taken."""
        self._files = files
        self._layout = layout
        self._model = model
        self._limit = limit

    def plan(self, progress: Callable[[int], None] = _silent) -> Plan:
        """Read everything, write nothing; `progress` hears now and then how many rows were read.

        Raises:
            DataError: a file cannot be read, or there is no trajectory in any.
        """
        ledger = Ledger()
        problems: dict[str, Problem] = {}
        counts: Counter[tuple[str, str]] = Counter()
        models: dict[str, str] = {}
        for recording, _ in self._accepted(ledger, progress):
            problem = recording.problem
            first = problems.setdefault(problem.id, problem)
            if first.gold is None and problem.gold is not None:
                problems[problem.id] = first.model_copy(update={"gold": problem.gold})
            elif problem.gold not in {None, first.gold}:
                ledger.conflict(recording, first.gold)
            arm = self._arm(recording)
            counts[problem.id, arm] += 1
            models.setdefault(arm, recording.model or arm)
        if not ledger.accepted:
            raise self._nothing(ledger)
        files = tuple(ImportedFile(name=path.name, sha256=file_digest(path)) for path in self._files)
        recipe = Recipe(
            problems=ProblemSource(path=", ".join(file.name for file in files)),
            arms=tuple(Arm(name=name, model=model) for name, model in models.items()),
            samples=Fixed(samples=max(counts.values())),
        )
        imported = Imported(
            files=files,
            layout=self._layout.value,
            model=self._model,
            limit=self._limit,
            trajectories=ledger.accepted,
        )
        # One sync a second: what a power cut takes is imported again.
        operation = Operation(storage=Storage(fsync=Fsync.INTERVAL))
        draft = Draft(recipe=recipe, operation=operation, imported=imported)
        return Plan(draft, tuple(problems.values()), ledger)

    def trajectories(self, plan: Plan) -> Iterator[Trajectory]:
        """Those of a plan, in the files' order.

        Raises:
            DataError: a file is not what it was when the plan was made.
        """
        problems = {problem.id: problem for problem in plan.problems}
        counts: Counter[tuple[str, str]] = Counter()
        for recording, copy in self._accepted(Ledger(), _silent):
            key = recording.problem.id, self._arm(recording)
            if key[0] not in problems:
                raise DataError(f"{recording.problem.source} has changed while it was read")
            sample = Sample(arm=key[1], index=counts[key])
            counts[key] += 1
            yield trajectory_of(recording, problems[key[0]], sample, copy)

    async def write(
        self, plan: Plan, writer: RunWriter, progress: Callable[[int], None] = _silent
    ) -> tuple[int, int]:
        """Append to a run what it does not have; returns how many were written, and how many were there.

        Raises:
            DataError: see `trajectories`.
            StorageError: the disk failed.
        """
        written = there = 0
        batch: list[Trajectory] = []
        for trajectory in self.trajectories(plan):
            sample = trajectory.sample
            assert sample is not None
            if Key(trajectory.problem.id, sample.arm, sample.index) in writer.done:
                there += 1
                continue
            batch.append(trajectory)
            if len(batch) == _BATCH:
                await asyncio.gather(*map(writer.append, batch))
                written += len(batch)
                if (written + there) % _EVERY < _BATCH:
                    progress(written + there)
                batch = []
        await asyncio.gather(*map(writer.append, batch))
        return written + len(batch), there

    def _accepted(self, ledger: Ledger, progress: Callable[[int], None]) -> Iterator[tuple[Recording, int]]:
        """What is imported, each with the number of those before it that have the same content."""
        copies: Counter[str] = Counter()
        named: set[tuple[str, str]] = set()
        for path in self._files:
            for one in read_file(path, self._layout):
                if ledger.accepted == self._limit:
                    return
                ledger.read += 1
                if ledger.read % _EVERY == 0:
                    progress(ledger.read)
                if isinstance(one, Refused):
                    ledger.refuse(one)
                    continue
                if one.own_id is not None:
                    if (one.own_id, one.digest) in named:
                        ledger.refuse(Refused(one.problem.source or "", _SAME, one.own_id))
                        continue
                    named.add((one.own_id, one.digest))
                copies[one.digest] += 1
                ledger.accept(one)
                yield one, copies[one.digest] - 1

    def _arm(self, recording: Recording) -> str:
        return recording.model or self._model or UNKNOWN

    def _nothing(self, ledger: Ledger) -> DataError:
        names = ", ".join(path.name for path in self._files)
        if not ledger.read:
            return DataError(f"{names} is empty")
        first = ledger.examples[0]
        said = f"{first.reason} ({first.detail})" if first.detail else first.reason
        return DataError(
            f"There is no trajectory in {names} that can be read as {self._layout.value}",
            hint=f"The first row, at {first.where}: {said}",
        )
