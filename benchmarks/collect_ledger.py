"""What the log of a collection held at each moment at which someone looked, and what it holds in the end."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from tir_agent.collect.event_log import EVENT_LOG, read_events
from tir_agent.collect.events import EventName, RunStarted, SampleDone
from tir_agent.grades import Verdict
from tir_agent.trajectory import StopReason, Trajectory

from orchestration_task import task

__all__ = ["Findings", "Ledger", "SampleKey", "leftovers", "lines_in"]

SampleKey = tuple[str, int]
"""A problem's id, and which of its samples."""
_MACHINERY = frozenset({StopReason.ERROR, StopReason.INTERRUPTED})


@dataclass
class Findings:
    """What is in the log at the end. From `missing` to `wrong` all should be nothing."""

    expected: int = 0
    found: int = 0
    failures: int = 0
    """Records of runs that the machinery failed, kept apart."""
    tails: int = 0
    """Torn tails that were set aside on resuming."""
    begun: int = 0
    """Runs that were begun, by the event log."""
    acknowledged: int = 0
    """Trajectories that were seen in the log, whole, when the command had been killed."""
    missing: int = 0
    strange: int = 0
    """Samples that no one asked for."""
    twice: int = 0
    torn: int = 0
    """Lines of the shards that are no trajectories, or have no end."""
    lost: int = 0
    """Trajectories that had been acknowledged, and are not there as they were, byte for byte."""
    machinery: int = 0
    """Failures of the machinery among the trajectories."""
    wrong: int = 0
    """Trajectories that were not graded as they must be."""
    late: int = 0
    """Right ones whose grader did not end within its ten seconds, for lack of a processor: `timeout`. On a
    machine that is not overloaded there are none."""

    def complaints(self) -> list[str]:
        """A phrase for everything that should not be."""
        bad = ("missing", "strange", "twice", "torn", "lost", "machinery", "wrong")
        return [f"{name}: {getattr(self, name)}" for name in bad if getattr(self, name)]


@dataclass
class Ledger:
    """Remembers every trajectory that was seen in a run's folder."""

    run: Path
    seen: dict[str, bytes] = field(default_factory=dict)
    """The digest of a trajectory's line, by its id."""
    unwritten: int = 0
    """Trajectories of which an event said that they are on the disk, and they were not."""

    def look(self) -> None:
        """Take down what is there now; no process must be writing it."""
        for line in self._lines("shards"):
            if line.endswith(b"\n"):
                # What a resumed run counts as there; whether it is a trajectory is asked at the end.
                self.seen.setdefault(_id_of(line), hashlib.sha256(line).digest())
        said = {event.trajectory for event in self._done()}
        self.unwritten += len(said - self.seen.keys())

    def findings(self, expected: set[SampleKey], odd: frozenset[str] = frozenset()) -> Findings:
        """Judge the whole log. The problems in `odd` have gold answers that cannot be compared."""
        found = Findings(expected=len(expected), acknowledged=len(self.seen))
        keys: Counter[SampleKey] = Counter()
        digests: dict[str, bytes] = {}
        for line in self._lines("shards"):
            try:
                trajectory = Trajectory.model_validate_json(line)
            except ValidationError:
                found.torn += 1
                continue
            found.torn += not line.endswith(b"\n")
            digests[trajectory.id] = hashlib.sha256(line).digest()
            sample = trajectory.sample
            keys[trajectory.problem.id, sample.index if sample else -1] += 1
            found.machinery += trajectory.stop in _MACHINERY
            late = trajectory.problem.id not in odd and _is_late(trajectory)
            found.late += late
            found.wrong += not late and not _is_right(trajectory, odd)
        found.found = len(keys)
        found.missing = len(expected - keys.keys())
        found.strange = len(keys.keys() - expected)
        found.twice = sum(number - 1 for number in keys.values())
        found.lost = self.unwritten + sum(digests.get(one) != seen for one, seen in self.seen.items())
        for line in self._lines("failures"):
            found.failures += 1
            found.strange += Trajectory.model_validate_json(line).stop not in _MACHINERY
        found.tails = sum(1 for _ in self.run.glob("*/*.torn-*"))
        found.begun = sum(event.event is EventName.SAMPLE_STARTED for event in read_events(self._events))
        return found

    def verdicts(self, problems: frozenset[str]) -> str:
        """How the trajectories of these problems were graded, and how many so."""
        found: Counter[str] = Counter()
        for line in self._lines("shards"):
            trajectory = Trajectory.model_validate_json(line)
            if trajectory.problem.id in problems:
                found[trajectory.grade.verdict if trajectory.grade else "no grade"] += 1
        return ", ".join(f"{verdict} ({number})" for verdict, number in sorted(found.items()))

    @property
    def _events(self) -> Path:
        return self.run / EVENT_LOG

    def _done(self) -> Iterator[SampleDone]:
        if self._events.exists():
            yield from (event for event in read_events(self._events) if isinstance(event, SampleDone))

    def has_begun(self, pid: int) -> bool:
        """Whether the process has said that it collects."""
        if not self._events.exists():
            return False
        return any(isinstance(event, RunStarted) and event.pid == pid for event in read_events(self._events))

    def _lines(self, kind: str) -> Iterator[bytes]:
        for path in sorted((self.run / kind).glob("*.jsonl")):
            with path.open("rb") as file:
                yield from file


def _id_of(line: bytes) -> str:
    return Trajectory.model_validate_json(line).id


def _is_right(trajectory: Trajectory, odd: frozenset[str]) -> bool:
    verdict = trajectory.grade.verdict if trajectory.grade else None
    if trajectory.problem.id in odd:
        return verdict in {Verdict.TIMEOUT, Verdict.UNGRADABLE}
    return verdict is Verdict.CORRECT and trajectory.answer == _answer(trajectory)


def _is_late(trajectory: Trajectory) -> bool:
    timed_out = trajectory.grade is not None and trajectory.grade.verdict is Verdict.TIMEOUT
    return timed_out and trajectory.answer == _answer(trajectory)


def _answer(trajectory: Trajectory) -> str:
    return task(int(trajectory.problem.id.removeprefix("task-"))).answer


def lines_in(run: Path) -> int:
    """Whole lines in the shards, now."""
    return sum(path.read_bytes().count(b"\n") for path in (run / "shards").glob("*.jsonl"))


def leftovers(root: Path) -> dict[str, int]:
    """What the commands that ran in `root` have left on this machine: all should be nothing."""
    temporary = root / "t"
    sockets = Path("/proc/net/unix").read_text("utf-8", "replace").splitlines()
    return {
        "processes": sum(_is_of(folder, root) for folder in Path("/proc").iterdir()),
        "folders": sum(1 for _ in temporary.iterdir()),
        "sockets": sum(str(temporary) in line for line in sockets),
    }


def _is_of(process: Path, root: Path) -> bool:
    """Whether it was started by a command in `root`: its environment says so."""
    try:
        environment = (process / "environ").read_bytes()
        named = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return f"TMPDIR={root / 't'}\0".encode() in environment or str(root / "t").encode() in named
