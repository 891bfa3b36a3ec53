"""Writing a run: a folder that loses nothing of what counted as done."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from tir_agent.errors import StorageError
from tir_agent.settings import Storage
from tir_agent.store.commit import GroupCommit
from tir_agent.store.encoding import encoded
from tir_agent.store.folder import begin, check_folder, problem_lines, resume
from tir_agent.store.layout import Layout
from tir_agent.store.lock import RunLock
from tir_agent.store.log import Log
from tir_agent.store.manifest import Draft, Manifest, Part
from tir_agent.store.outcome import Key, Outcome, Summary
from tir_agent.store.pieces import compress
from tir_agent.store.scan import Fault
from tir_agent.store.versions import summary_of
from tir_agent.trajectory import Problem, StopReason, Trajectory

__all__ = ["RunWriter"]

_FAILED = (StopReason.ERROR, StopReason.INTERRUPTED)


class RunWriter:
    """The one who writes a run. Leave it with `close`, or use it in a `with`."""

    def __init__(
        self, layout: Layout, lock: RunLock, manifest: Manifest, problems: frozenset[str], storage: Storage
    ) -> None:
        """Of a folder that is locked and has its manifest: use `open`."""
        self.manifest = manifest
        self._layout = layout
        self._lock = lock
        self._problems = problems
        self._arms = frozenset(arm.name for arm in manifest.recipe.arms)
        self._done: dict[Key, Outcome] = {}
        self._under_way: set[Key] = set()
        self._failures: Counter[Key] = Counter()
        self._shards = Log(layout.shards, storage)
        self._failed = Log(layout.failures, storage)
        self._repairs = list(self._read())
        self._commit = GroupCommit(storage.fsync)
        self._closed = False

    @classmethod
    def open(
        cls,
        folder: Path,
        draft: Draft,
        problems: Iterable[Problem],
        storage: Storage | None = None,
        *,
        parts: tuple[Part, ...] = (),
    ) -> Self:
        """Begin a run in `folder`, or go on with the one that is there, after looking at all of its log.

        `storage` is the draft operation's own where it is not given. `parts` are the runs of which a new
        one is merged.

        Raises:
            RunError: another process writes it, it was begun with another configuration, it is of a newer
                version, or `folder` holds something else.
            StorageError: the disk failed.
        """
        storage = storage or draft.operation.storage
        lines = problem_lines(problems)
        if storage.compress:
            # That the package is missing is better known before an hour of sampling than after it.
            compress(b"")
        layout = Layout(folder.resolve())
        check_folder(layout)
        lock = RunLock.take(layout.lock)
        try:
            exists = layout.manifest.exists()
            manifest = resume(layout, draft, lines) if exists else begin(layout, draft, lines, parts)
            known = frozenset(Problem.model_validate_json(line).id for line in lines.splitlines())
            return cls(layout, lock, manifest, known, storage)
        except BaseException:
            lock.close()
            raise

    @property
    def done(self) -> Mapping[Key, Outcome]:
        """What is in the log, durably. Grows while trajectories are appended."""
        return MappingProxyType(self._done)

    @property
    def failures(self) -> Mapping[Key, int]:
        """How many times the machinery failed, or someone stopped, each sample."""
        return MappingProxyType(self._failures)

    @property
    def repairs(self) -> tuple[Fault, ...]:
        """What was wrong with the log when it was opened: torn tails that were set aside, lines skipped."""
        return tuple(self._repairs)

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._layout.root

    def free_bytes(self) -> int:
        """What the folder's disk has room for.

        Raises:
            StorageError: it cannot be asked.
        """
        try:
            return shutil.disk_usage(self._layout.root).free
        except OSError as error:
            raise StorageError(f"Cannot read {self._layout.root}: {error.strerror}") from None

    async def append(self, trajectory: Trajectory) -> None:
        """Add what a sample became. Returns when it is as durable as the storage's policy says.

        It may be cancelled: then the trajectory is in the log or not, and `done` knows.

        Raises:
            ValueError: there is one with this key, it is none of this run's samples, or the machinery
                failed it.
            StorageError: it was not written, e.g. for the disk is full; it may be tried again.
        """
        if trajectory.stop in _FAILED:
            raise ValueError(f"a trajectory that ended as {trajectory.stop} is a failure")
        key = self._key(trajectory)
        if key in self._done or key in self._under_way:
            raise ValueError(f"the run has a trajectory of {key}")
        line = encoded(trajectory)
        outcome = Outcome.of(trajectory)

        def settle(written: bool) -> None:
            if written:
                self._done[key] = outcome
            self._under_way.discard(key)

        self._under_way.add(key)
        await self._submit(self._shards, line, settle)

    async def append_failure(self, trajectory: Trajectory) -> None:
        """Keep what a sample was when the machinery failed or someone stopped it; as durable as `append`.

        Raises:
            ValueError: it is none of this run's samples, or did not fail.
            StorageError: it was not written.
        """
        if trajectory.stop not in _FAILED:
            raise ValueError(f"a trajectory that ended as {trajectory.stop} is no failure")
        key = self._key(trajectory)

        def settle(written: bool) -> None:
            self._failures[key] += written

        await self._submit(self._failed, encoded(trajectory), settle)

    def close(self) -> None:
        """Write what waits, and let others write. More than once does no harm.

        Raises:
            StorageError: a sync failed, and what was written shortly before may be lost.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._commit.close()
        finally:
            self._shards.close()
            self._failed.close()
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _key(self, trajectory: Trajectory) -> Key:
        if trajectory.sample is None:
            raise ValueError("a trajectory of a run must say which sample it is")
        key = Key(trajectory.problem.id, trajectory.sample.arm, trajectory.sample.index)
        if key.problem not in self._problems:
            raise ValueError(f"the run has no problem {key.problem}")
        if key.arm not in self._arms:
            raise ValueError(f"the run has no arm {key.arm}")
        return key

    async def _submit(self, log: Log, line: bytes, settle: Callable[[bool], None]) -> None:
        if self._closed:
            raise ValueError("the run is closed")
        future: Future[None] = Future()
        # In the writing thread, before anyone who waits hears of it, and also where no one waits any more.
        future.add_done_callback(lambda done: settle(not done.cancelled() and done.exception() is None))
        self._commit.submit(log, line, future)
        await asyncio.wrap_future(future)

    def _read(self) -> Iterable[Fault]:
        for summary in self._shards.recover(self._summary):
            key = summary.key
            if key is None:
                yield Fault(
                    str(self._layout.shards), f"trajectory {summary.id} does not say which sample it is"
                )
            elif key in self._done:
                yield Fault(str(self._layout.shards), f"there are several of {key}; the first one counts")
            else:
                self._done[key] = summary.outcome
        for summary in self._failed.recover(self._summary):
            if summary.key is not None:
                self._failures[summary.key] += 1
        yield from self._shards.repairs
        yield from self._failed.repairs

    def _summary(self, line: bytes) -> Summary:
        return summary_of(line, str(self._layout.root))
