"""Does a sandbox hold out, and does it give back all that it took?

    python benchmarks/endurance.py [--sessions 20000] [--hostile-seconds 600] [--kernel docker] [--out FOLDER]

Two phases in one sandbox. The first opens a session, runs a small SymPy cell, and closes it, again and again.
The second mixes honest programs of three cells with the hostile ones in `benchmarks/hostile/`, under load.
Before, between and after them, with all sessions closed, a census counts what is held on the host and in
the jail; what grew by more than its allowance is a LEAK.

Exit status: 0 if nothing is wrong; 3 if something leaked, an honest session was wrong or lost, or a call
raised or hung; 1 if there is no sandbox; 2 for wrong arguments.

Covered: answers, exceptions, hangs, leaks. Not covered: breaking out (`tests/test_kernel_contract.py` has
that), the time an honest cell takes under load, and the host's end by `kill -9`
(`tests/test_kernel_lifetime.py`).
As an ordinary user less of the jail can be seen. The hostile programs may exhaust a machine's memory where
no cgroup limits the jail, as under bubblewrap: run them on a machine that you can lose.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from tir_agent.errors import TirError
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice, Limits

import endurance_census as census
from endurance_load import (
    Tally,
    Visitor,
    honest_among_hostile,
    hostile_programs,
    many_sessions,
    small_program,
)
from endurance_report import Run, Sample, plot, show, write

LIMITS = Limits(grace_seconds=0.5, memory_bytes=2**30)
# Processes are still being ended, and memory is still being given back, when the last session is closed.
SETTLE_SECONDS = 6.0
_SAMPLE_SECONDS = 1.0
_LINE_SECONDS = 10.0


class Watch:
    """Takes samples while a phase runs, and tells how far it is: a bar on a terminal, or plain lines."""

    def __init__(self, run: Run, progress: Progress, server: int | None) -> None:
        self._run = run
        self._progress = progress
        self._server = server
        self._start = time.monotonic()

    @asynccontextmanager
    async def phase(self, name: str, total: float, done: Callable[[Tally], float]) -> AsyncIterator[Tally]:
        """`done` tells from the phase's tally how much of `total` is behind it."""
        tally = self._run.phases[name] = Tally()
        task = self._progress.add_task(name, total=total)
        watching = asyncio.create_task(self._watch(name, tally, task, done))
        try:
            yield tally
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            self._sample(name)
            self._progress.update(task, completed=total)

    async def _watch(self, name: str, tally: Tally, task: TaskID, done: Callable[[Tally], float]) -> None:
        start = said = time.monotonic()
        while True:
            self._sample(name)
            now = time.monotonic()
            rate = f"{tally.sessions / max(now - start, 1e-9):.1f} a second"
            self._progress.update(task, completed=done(tally), description=f"{name}, {rate}")
            if not self._progress.console.is_terminal and now - said >= _LINE_SECONDS:
                said = now
                words = f"{name}: {now - start:.0f} s, {tally.sessions} sessions, {rate}"
                print(f"{words}, {tally.undeserved} lost, {tally.failures.total()} raised", file=sys.stderr)
            await asyncio.sleep(_SAMPLE_SECONDS)

    def _sample(self, phase: str) -> None:
        sample = Sample(
            seconds=round(time.monotonic() - self._start, 2),
            phase=phase,
            sessions=sum(tally.sessions for tally in self._run.phases.values()),
            host_bytes=census.resident(os.getpid()),
            server_bytes=census.resident(self._server) if self._server else None,
        )
        self._run.samples.append(sample)


async def endure(arguments: argparse.Namespace, run: Run, progress: Progress) -> None:
    """Both phases in one sandbox, and the censuses."""
    kernel = KernelChoice(arguments.kernel)
    # What is imported and opened once, and stays, is no leak: one sandbox comes and goes before the count.
    async with await open_sandbox(kernel, LIMITS, progress=_say) as sandbox:
        await _warm_up(sandbox)
    run.around["before opening"] = await census.settled_census(kernel, SETTLE_SECONDS)
    async with await open_sandbox(kernel, LIMITS) as sandbox:
        await _warm_up(sandbox)
        run.info = sandbox.info
        run.censuses["before"] = await census.settled_census(kernel, SETTLE_SECONDS)
        watch = Watch(run, progress, await asyncio.to_thread(census.jail_server, kernel))
        await _phases(arguments, run, watch, sandbox)
    run.around["after closing"] = await census.settled_census(kernel, SETTLE_SECONDS)


async def _phases(arguments: argparse.Namespace, run: Run, watch: Watch, sandbox: Sandbox) -> None:
    if arguments.sessions:
        async with watch.phase("sessions", arguments.sessions, lambda tally: tally.sessions) as tally:
            await many_sessions(sandbox, tally, arguments.sessions, arguments.at_once)
        run.censuses["after sessions"] = await census.settled_census(arguments.kernel, SETTLE_SECONDS)
        if arguments.out:
            write(run, arguments.out)
    if arguments.hostile_seconds:
        end = time.monotonic() + arguments.hostile_seconds
        total = arguments.hostile_seconds
        async with watch.phase("hostile", total, lambda tally: total - (end - time.monotonic())) as tally:
            await honest_among_hostile(
                sandbox, tally, total, arguments.hostile_at_once, arguments.seed, arguments.programs
            )
        run.censuses["after hostile"] = await census.settled_census(arguments.kernel, SETTLE_SECONDS)


async def _warm_up(sandbox: Sandbox) -> None:
    tally = Tally()
    await asyncio.gather(*(Visitor(sandbox, tally).honest(small_program(number)) for number in range(4)))


def _plot(arguments: argparse.Namespace, run: Run) -> None:
    """Last of all: matplotlib is large, and would count as growth of this process."""
    try:
        plot(run, arguments.out / "endurance.png")
    except ImportError:
        _say("endurance.png is not drawn: matplotlib is missing (pip install matplotlib)")


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20_000, help="of the first phase; 0 leaves it out")
    parser.add_argument("--at-once", type=int, default=4, help="sessions at once in the first phase")
    parser.add_argument("--hostile-seconds", type=float, default=600, help="second phase; 0 leaves it out")
    parser.add_argument("--hostile-at-once", type=int, default=8, help="sessions at once in the second phase")
    parser.add_argument("--programs", nargs="*", default=[], help="hostile programs, by name; default: all")
    parser.add_argument("--seed", type=int, default=0, help="decides the order of the second phase")
    parser.add_argument("--kernel", choices=["docker", "bubblewrap", "local"], default="docker")
    parser.add_argument("--out", type=Path, help="write endurance.json, .md and .png into this folder")
    arguments = parser.parse_args()
    if arguments.kernel == "local" and arguments.hostile_seconds:
        parser.error("hostile programs are not run without a jail; add --hostile-seconds 0")
    if unknown := set(arguments.programs) - {path.stem for path in hostile_programs([])}:
        parser.error(f"there is no hostile program {min(unknown)}")
    return arguments


def main() -> int:
    arguments = parse()
    settings = {name: value for name, value in vars(arguments).items() if name != "out"}
    run = Run({"command": "endurance.py", **settings, "limits": LIMITS.model_dump()})
    errors = Console(stderr=True)
    try:
        with (
            contextlib.suppress(KeyboardInterrupt),
            Progress(console=errors, disable=not errors.is_terminal) as bar,
        ):
            asyncio.run(endure(arguments, run, bar))
    except TirError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    show(run, console)
    if arguments.out:
        write(run, arguments.out)
        _plot(arguments, run)
    return 3 if run.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
