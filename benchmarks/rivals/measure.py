"""The measurements of time: latency, round trip, throughput, branching."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from rivals.base import NotMeasured, Program, Rival
from rivals.problems import FIRST, PRINT, Cell, small_problem
from rivals.results import Branching, Figures
from rivals.tir import TirProgram, TirRival

__all__ = ["branch_once", "latency_once", "quiet", "throughput_once"]

ROUND_TRIPS = 5
_PAUSE_SECONDS = 0.1
BIG_LIST = Cell("data = list(range(2_000_000)); print(len(data))", "2000000\n")
LENGTH = Cell("print(len(data))", "2000000\n")
_WINDOW_CAP_SECONDS = 120.0
_QUIET_SHARE = 0.15
_QUIET_LOOK_SECONDS = 0.2
_QUIET_CAP_SECONDS = 6.0


async def check(program: Program, cell: Cell) -> None:
    """Run a cell. Raises NotMeasured if it prints anything but what it must."""
    printed = await program.run(cell.code)
    if printed != cell.output:
        raise NotMeasured(f"{cell.code!r} printed {printed[:200]!r} instead of {cell.output!r}")


@asynccontextmanager
async def opened(rival: Rival) -> AsyncIterator[Program]:
    program = await rival.open()
    try:
        yield program
    finally:
        await program.close()


async def latency_once(rival: Rival, figures: Figures) -> None:
    """One session, alone: from asking for it to its first output, then some round trips."""
    start = time.perf_counter()
    async with opened(rival) as program:
        ready = time.perf_counter()
        await check(program, FIRST)
        end = time.perf_counter()
        figures.first_output.append(end - start)
        if rival.keeps_state:
            figures.ready.append(ready - start)
            # By then a pool has made up for the session that was taken from it.
            await asyncio.sleep(_PAUSE_SECONDS)
            for _ in range(ROUND_TRIPS):
                start = time.perf_counter()
                await check(program, PRINT)
                figures.round_trip.append(time.perf_counter() - start)
    if rival.refills:
        await quiet()


async def throughput_once(
    rival: Rival, at_once: int, seconds: float, numbers: Iterator[int], figures: Figures
) -> None:
    """Sessions of three cells, `at_once` at a time, for `seconds` and until each worker has had two.

    The first `at_once` that end are not counted: a pool was full when they began.
    """
    start = time.perf_counter()
    ended: list[float] = []

    def enough() -> bool:
        passed = time.perf_counter() - start
        return passed > _WINDOW_CAP_SECONDS or (passed > seconds and len(ended) >= 2 * at_once)

    async def work() -> None:
        while not enough():
            await _solve(rival, small_problem(next(numbers)))
            ended.append(time.perf_counter())

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    counted = len(ended) - at_once
    if counted < 1:
        raise NotMeasured(f"fewer than {at_once + 1} sessions ended within {_WINDOW_CAP_SECONDS:g} seconds")
    figures.sessions_per_second.append(counted / (ended[-1] - ended[at_once - 1]))
    if rival.refills:
        await quiet()


async def _solve(rival: Rival, cells: tuple[Cell, ...]) -> None:
    if not rival.keeps_state:
        code, output = "\n".join(cell.code for cell in cells), "".join(cell.output for cell in cells)
        cells = (Cell(code, output),)
    async with opened(rival) as program:
        for cell in cells:
            await check(program, cell)


async def branch_once(rival: TirRival, figures: Branching) -> None:
    """Copy a session that holds a long list, beside starting a fresh one."""
    async with opened(rival) as program:
        assert isinstance(program, TirProgram)
        await check(program, BIG_LIST)
        start = time.perf_counter()
        branch = await program.branch()
        try:
            figures.branch.append(time.perf_counter() - start)
            await check(branch, LENGTH)
        finally:
            await branch.close()
    start = time.perf_counter()
    async with opened(rival):
        figures.fresh.append(time.perf_counter() - start)


async def quiet() -> None:
    """Wait, not for long, until the machine is idle: a pool that refills must not slow the next rival."""
    deadline = time.perf_counter() + _QUIET_CAP_SECONDS
    before = _cpu_times()
    while time.perf_counter() < deadline:
        await asyncio.sleep(_QUIET_LOOK_SECONDS)
        now = _cpu_times()
        busy, total = (later - earlier for later, earlier in zip(now, before, strict=True))
        if total and busy / total < _QUIET_SHARE:
            return
        before = now


def _cpu_times() -> tuple[int, int]:
    """Ticks that the machine was busy, and all ticks (proc(5))."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)
