"""Collections to which something happens: the command is killed, or what it hangs on, or its disk is full."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tir_agent.kernel.image import tag

from collect_command import Collecting, Hung, ModelServer, Place, until, write_problems
from collect_jails import Engine, containers_of, graders, kill_container, kill_fork_server
from collect_ledger import Findings, Ledger, SampleKey, leftovers, lines_in

__all__ = ["Outcome", "Scale", "Stage"]

_DEADLINE: Final = 900.0
"""Seconds for one collection, or for anything that is waited for in it."""
_DOWN_SECONDS: Final = 5.0
"""That the model's server or the engine are away."""
_SETTLE_SECONDS: Final = 15.0
HARD: Final = r"7^{3 \cdot 10^8}"
"""A gold answer that keeps the grader busy for longer than it may, with any other answer."""


@dataclass(frozen=True)
class Scale:
    """How large the collections are."""

    problems: int
    samples: int = 4
    latency: float = 0.05
    at_once: int = 32
    kernel: str = "docker"

    @property
    def keys(self) -> set[SampleKey]:
        return {
            (f"task-{one}", index) for one in range(1, self.problems + 1) for index in range(self.samples)
        }


@dataclass
class Outcome:
    """What became of one collection."""

    name: str
    events: int = 0
    """Times that something was killed, filled up, or tried."""
    resumed: int = 0
    """Times that the command was given again."""
    seconds: float = 0.0
    delays: list[float] = field(default_factory=list)
    """After each event: seconds until the next new trajectory."""
    findings: Findings = field(default_factory=Findings)
    left: dict[str, int] = field(default_factory=dict)
    stages: Counter[str] = field(default_factory=Counter)
    """In which part of the command's life it was killed."""
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What went otherwise than it must, beside the findings."""

    def complaints(self) -> list[str]:
        """A phrase for everything that should not be."""
        left = [f"{number} {name} left behind" for name, number in self.left.items() if number]
        return [*self.findings.complaints(), *left, *self.faults]


class Stage:
    """One collection, from its data to its judgement."""

    def __init__(self, name: str, root: Path, scale: Scale, server: ModelServer) -> None:
        self.outcome = Outcome(name)
        self.scale = scale
        self.server = server
        self.place = Place(
            root, server.url, samples=scale.samples, kernel=scale.kernel, at_once=scale.at_once
        )
        self.ledger = Ledger(self.place.run)
        self._pids: set[int] = set()
        self._began = time.monotonic()
        write_problems(self.place.problems, range(1, scale.problems + 1))

    @property
    def expected(self) -> int:
        return len(self.scale.keys)

    def start(self) -> Collecting:
        if self._pids:
            self.outcome.resumed += 1
        collecting = Collecting(self.place)
        self._pids.add(collecting.pid)
        return collecting

    def until_lines(self, collecting: Collecting, count: int) -> None:
        """Wait until so many trajectories are there, or the command is over."""
        until(
            lambda: collecting.is_over or lines_in(self.place.run) >= count, _DEADLINE, f"trajectory {count}"
        )

    def delayed(self, collecting: Collecting, since: float) -> None:
        """Take down how long it was from `since` until the next new trajectory came."""
        self.until_lines(collecting, min(lines_in(self.place.run) + 1, self.expected))
        self.outcome.delays.append(time.monotonic() - since)

    def end(self, collecting: Collecting, odd: frozenset[str] = frozenset()) -> Outcome:
        """Let it come to its end, and judge."""
        status = collecting.wait(_DEADLINE)
        outcome = self.outcome
        outcome.seconds = time.monotonic() - self._began
        if status != 0:
            outcome.faults.append(f"the command ended with status {status}")
        outcome.findings = self.ledger.findings(self.scale.keys, odd)
        with contextlib.suppress(Hung):
            until(lambda: not any(self._left().values()), _SETTLE_SECONDS, "the end of all that was started")
        outcome.left = self._left()
        return outcome

    def _left(self) -> dict[str, int]:
        left = leftovers(self.place.root)
        if self.scale.kernel == "docker":
            left["containers"] = len(containers_of(self._pids, self.place.docker_host))
        return left

    # The scenarios.

    def undisturbed(self) -> Outcome:
        """Nothing happens: what the others are measured by."""
        return self.end(self.start())

    def killed(self, kills: int, seed: int) -> Outcome:
        """The command is killed and given again, over and over, at moments of its whole life."""
        chance = random.Random(seed)
        early, late = max(kills // 10, 1), max(kills // 10, 1)
        start_seconds = 5.0
        tries = 0
        # Now and then it comes to its end before it is killed: that is no kill.
        while (number := self.outcome.events) < kills and tries < 3 * kills:
            tries += 1
            collecting = self.start()
            there = lines_in(self.place.run)
            before_first = number < early
            if number >= kills - late:
                # All, or all but a few, are in the log: it is about to close, or has begun to.
                self.until_lines(collecting, self.expected - chance.randrange(3))
                self._sleep(collecting, chance.uniform(0, 0.4))
            elif before_first or chance.random() < 0.25:
                self._sleep(collecting, chance.uniform(0.1, 1.2 * start_seconds))
            else:
                share = 2 * (self.expected - there) / max(kills - late - number, 1)
                self.until_lines(collecting, there + 1 + int(chance.uniform(0, share)))
                self._sleep(collecting, chance.uniform(0, 0.1))
            stage = self._stage(collecting, there)
            if collecting.kill():
                self.outcome.events += 1
                self.outcome.stages[stage] += 1
            else:
                self.outcome.stages["after its end"] += 1
            self.ledger.look()
        return self.end(self.start())

    def _stage(self, collecting: Collecting, there: int) -> str:
        lines = lines_in(self.place.run)
        if not (self.place.run / "run.json").exists():
            return "before the run's folder was made"
        if not self.ledger.has_begun(collecting.pid):
            return "while it started again"
        if lines >= self.expected:
            return "with all in the log, before its end"
        return "collecting" if lines > there else "collecting, before the first new trajectory"

    @staticmethod
    def _sleep(collecting: Collecting, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not collecting.is_over:
            time.sleep(0.005)

    def struck(self, strike: Callable[[Collecting], bool], times: int) -> Outcome:
        """The command goes on, and `strike` happens to something beside it; it says whether it did."""
        collecting = self.start()
        for number in range(times):
            self.until_lines(collecting, (number + 1) * self.expected // (times + 1))
            since = time.monotonic()
            if collecting.is_over or not strike(collecting):
                self.outcome.faults.append("there was nothing to strike")
                continue
            self.outcome.events += 1
            self.delayed(collecting, since)
        return self.end(collecting)

    def container_killed(self, times: int) -> Outcome:
        """`docker kill`, while kernels run in it."""
        return self.struck(lambda collecting: kill_container(collecting.pid), times)

    def fork_server_killed(self, times: int) -> Outcome:
        """The process of which all kernels and graders are children."""
        return self.struck(lambda collecting: kill_fork_server(collecting.pid), times)

    def model_server_killed(self, times: int, down: float = _DOWN_SECONDS) -> Outcome:
        """Killed with requests under way, and started again after a while, on the same port."""

        def strike(collecting: Collecting) -> bool:
            self.server.kill()
            time.sleep(down)
            self.server.start()
            return True

        return self.struck(strike, times)

    def engine_killed(self, times: int) -> Outcome:
        """A Docker daemon of its own and its containerd, killed and started again. Every second time the
        sandbox goes first, so that a new one is wanted while there is no engine."""
        engine = Engine(self.place.root / "e")
        strikes = 0

        def strike(collecting: Collecting) -> bool:
            nonlocal strikes
            strikes += 1
            found = strikes % 2 or kill_fork_server(collecting.pid, engine.host)
            engine.kill()
            time.sleep(_DOWN_SECONDS)
            engine.start()
            return bool(found)

        try:
            engine.start().load(tag())
            self.place.docker_host = engine.host
            self._began = time.monotonic()
            return self.struck(strike, times)
        finally:
            engine.close()

    def disk_full(self, size: str, larger: str) -> Outcome:
        """The run's folder lies on a disk that is full after a while, and is made larger later. For root."""
        disk = self.place.root / "disk"
        disk.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tir-full", str(disk)], check=True, timeout=20
        )
        try:
            self.place.run = self.ledger.run = disk / "run"
            collecting = self.start()
            until(lambda: collecting.is_over or os.statvfs(disk).f_bavail <= 1, _DEADLINE, "a full disk")
            since, lines = time.monotonic(), lines_in(self.place.run)
            self._sleep(collecting, _DOWN_SECONDS)
            self.outcome.notes.append(f"full at trajectory {lines}")
            self.outcome.events += 1
            if collecting.is_over:
                self.outcome.faults.append("it ended when the disk was full")
            subprocess.run(["mount", "-o", f"remount,size={larger}", str(disk)], check=True, timeout=20)
            self.delayed(collecting, since)
            return self.end(collecting)
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=False, timeout=20)

    def two_writers(self) -> Outcome:
        """The same command is given a second time while the first one works."""
        collecting = self.start()
        self.until_lines(collecting, 1)
        said = self.place.said.stat().st_size
        second = Collecting(self.place)
        self._pids.add(second.pid)
        status = second.wait(_DEADLINE)
        heard = self.place.said.read_bytes()[said:].decode("utf-8", "replace")
        self.outcome.events += 1
        if collecting.is_over:
            self.outcome.faults.append("the first was over before the second was refused")
        if status == 0 or f"is being written by process {collecting.pid}" not in heard:
            self.outcome.faults.append(f"the second was not refused by name (status {status})")
        else:
            self.outcome.notes.append(f'the second ended with status {status}: "process {collecting.pid}"')
        return self.end(collecting)

    def grader_killed(self) -> Outcome:
        """The last two problems keep the grader busy for ever; every other one of these graders is killed."""
        last = self.scale.problems
        hard = {last - 1: HARD, last: HARD}
        odd = frozenset(f"task-{number}" for number in hard)
        write_problems(self.place.problems, range(1, last + 1), odd=hard)
        # The check of the gold answers would leave them out.
        self.place.options = ("--no-check-golds",)
        collecting = self.start()
        self.until_lines(collecting, self.expected - len(hard) * self.scale.samples)
        met: set[int] = set()
        while not collecting.is_over and time.monotonic() - collecting.began < _DEADLINE:
            for pid in set(graders(collecting.pid)) - met:
                met.add(pid)
                if len(met) % 2:
                    os.kill(pid, signal.SIGKILL)
                    self.outcome.events += 1
            time.sleep(0.2)
        outcome = self.end(collecting, odd)
        deaths = self.ledger.verdicts(odd)
        outcome.notes.append(f"their trajectories, and no others, ended as {deaths}")
        if not outcome.events:
            outcome.faults.append("no grader was met")
        return outcome
