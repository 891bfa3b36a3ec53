"""One run of several."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tir_agent.errors import RunError
from tir_agent.settings import Arm, Fsync, Storage
from tir_agent.store.encoding import encoded
from tir_agent.store.files import cannot_write, sync_folder
from tir_agent.store.folder import begin, check_folder, problem_lines
from tir_agent.store.layout import Layout, shards_in
from tir_agent.store.lock import RunLock
from tir_agent.store.log import Log
from tir_agent.store.manifest import ArmPrompt, Draft, Manifest, Part
from tir_agent.store.outcome import Key
from tir_agent.store.reader import RunReader
from tir_agent.store.scan import Scan
from tir_agent.store.versions import summary_of, trajectory_of
from tir_agent.trajectory import Problem

__all__ = ["merge"]

_BATCH_BYTES: Final = 8 * 2**20


def merge(
    runs: Sequence[Path], out: Path, *, rename_arms: bool = False, storage: Storage | None = None
) -> int:
    """Copy all trajectories and failures of `runs` to a new run in `out`; returns how many trajectories.

    With `rename_arms` an arm `base` of the run in `first/` becomes `first/base`. Lines that are no records
    and later gradings are not copied. Nothing can be added to a merged run: its recipe is the first one's,
    with the arms of all.

    Raises:
        RunError: a sample is in two runs, an arm or a problem is not the same in two of them, one of them
            is being written, or `out` is there.
        StorageError: the disk failed.
    """
    sources = _sources(runs, rename_arms)
    out = out.resolve()
    layout = Layout(out.with_name(f"{out.name}.unfinished"))
    for path in (out, layout.root):
        if path.exists():
            raise RunError(f"{path} is there already")
    with ExitStack() as stack:
        for source in sources:
            lock = RunLock.share(source.layout.lock)
            if lock is not None:
                stack.callback(lock.close)
        draft = Draft(
            recipe=sources[0].manifest.recipe.model_copy(update={"arms": _arms(sources)}),
            prompts=_prompts(sources),
        )
        parts = tuple(Part(name=source.name, manifest=source.manifest) for source in sources)
        problems = problem_lines(_problems(sources))
        _check_keys(sources)
        check_folder(layout)
        try:
            stack.callback(RunLock.take(layout.lock).close)
            begin(layout, draft, problems, parts)
            # Nobody waits for single trajectories: one sync for each shard is enough.
            kept = (storage or Storage()).model_copy(update={"fsync": Fsync.INTERVAL})
            done = _copy((source.shards() for source in sources), Log(layout.shards, kept))
            _copy((source.failures() for source in sources), Log(layout.failures, kept))
            try:
                layout.root.rename(out)
                sync_folder(out.parent)
            except OSError as error:
                raise cannot_write(out, error) from None
        except BaseException:
            shutil.rmtree(layout.root, ignore_errors=True)
            raise
    return done


@dataclass(frozen=True)
class _Source:
    name: str
    layout: Layout
    manifest: Manifest
    prefix: str

    def arm(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def keys(self) -> Iterator[Key]:
        for key, _ in RunReader.open(self.layout.root).outcomes():
            yield key._replace(arm=self.arm(key.arm))

    def shards(self) -> Iterator[bytes]:
        return self._lines(self.layout.shards)

    def failures(self) -> Iterator[bytes]:
        return self._lines(self.layout.failures)

    def _lines(self, folder: Path) -> Iterator[bytes]:
        for path in shards_in(folder):
            if not self.prefix:
                for line, _ in Scan(path, lambda line: summary_of(line, str(self.layout.root))):
                    yield line.rstrip(b"\n")
                continue
            for _, trajectory in Scan(path, lambda line: trajectory_of(line, str(self.layout.root))):
                if trajectory.sample is not None:
                    sample = trajectory.sample.model_copy(update={"arm": self.arm(trajectory.sample.arm)})
                    yield encoded(trajectory.model_copy(update={"sample": sample}))


def _sources(runs: Sequence[Path], rename_arms: bool) -> list[_Source]:
    sources: list[_Source] = []
    for path in runs:
        reader = RunReader.open(path)
        if reader.manifest is None:
            raise RunError(f"{path} is not a run: it has no run.json")
        name = reader.path.name
        if any(source.layout.root == reader.path for source in sources):
            raise RunError(f"{path} is given twice")
        if rename_arms and any(source.name == name for source in sources):
            raise RunError(f"Two folders are called {name}, and arms are to be named after the folders")
        prefix = f"{name}/" if rename_arms else ""
        sources.append(_Source(name, Layout(reader.path), reader.manifest, prefix))
    if len(sources) < 2:
        raise RunError("It takes two runs to merge")
    return sources


def _arms(sources: Iterable[_Source]) -> tuple[Arm, ...]:
    arms: dict[str, Arm] = {}
    for source in sources:
        for arm in source.manifest.recipe.arms:
            renamed = arm.model_copy(update={"name": source.arm(arm.name)})
            if arms.setdefault(renamed.name, renamed) != renamed:
                raise RunError(f"Arm {renamed.name} is not the same in all runs", hint="Use --rename-arms")
    return tuple(arms.values())


def _prompts(sources: Iterable[_Source]) -> tuple[ArmPrompt, ...]:
    prompts: dict[str, ArmPrompt] = {}
    for source in sources:
        for prompt in source.manifest.prompts:
            renamed = prompt.model_copy(update={"arm": source.arm(prompt.arm)})
            if prompts.setdefault(renamed.arm, renamed) != renamed:
                raise RunError(
                    f"Arm {renamed.arm} has another prompt in {source.name}", hint="Use --rename-arms"
                )
    return tuple(prompts.values())


def _problems(sources: Iterable[_Source]) -> Iterable[Problem]:
    problems: dict[str, Problem] = {}
    owners: dict[str, str] = {}
    for source in sources:
        for problem in RunReader.open(source.layout.root).problems():
            first = problems.setdefault(problem.id, problem)
            owner = owners.setdefault(problem.id, source.name)
            # Where it was read may differ; what it is may not.
            if (first := first.model_copy(update={"source": problem.source})) != problem:
                raise RunError(
                    f"Problem {problem.id} is not the same in {owner} and {source.name}: "
                    f"its {_difference(first, problem)}",
                    hint="tir eval and tir export take several runs as they are",
                )
    return problems.values()


def _difference(one: Problem, other: Problem) -> str:
    """The first field that is not the same, and what it is in both."""
    name = next(name for name in Problem.model_fields if getattr(one, name) != getattr(other, name))
    here, there = (textwrap.shorten(str(getattr(problem, name)), 80) for problem in (one, other))
    return f"{name} is {here!r} and {there!r}"


def _check_keys(sources: Iterable[_Source]) -> None:
    owners: dict[Key, str] = {}
    for source in sources:
        for key in source.keys():  # noqa: SIM118  # No mapping.
            if owners.setdefault(key, source.name) != source.name:
                raise RunError(
                    f"{owners[key]} and {source.name} both have {key}", hint="Use --rename-arms to keep both"
                )


def _copy(sources: Iterable[Iterator[bytes]], log: Log) -> int:
    done = 0
    batch: list[bytes] = []
    size = 0
    try:
        for lines in sources:
            for line in lines:
                done += 1
                batch.append(line)
                size += len(line)
                if size >= _BATCH_BYTES:
                    log.append(batch)
                    batch, size = [], 0
        if batch:
            log.append(batch)
        log.sync()
    finally:
        log.close()
    return done
