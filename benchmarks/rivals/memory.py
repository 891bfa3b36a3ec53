"""The measurements of memory: what an idle session has to itself (USS)."""

from __future__ import annotations

import asyncio
import re
import statistics
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.models.containers

from tir_agent.kernel.owner import Owner

from rivals.base import NotMeasured, Program
from rivals.host_kernel import HostKernelProgram, HostKernelRival
from rivals.image import EngineError
from rivals.problems import FIRST
from rivals.results import MemoryFigures
from rivals.tir import TirRival

__all__ = ["host_memory", "private_bytes", "tir_memory"]

_PRIVATE = re.compile(r"^Private_(?:Clean|Dirty):\s+(\d+) kB$", re.MULTILINE)
_SETTLE_SECONDS = 2.0
_AT_ONCE = 8


def private_bytes(pid: int) -> int:
    """Memory that is this process's alone.

    Raises:
        NotMeasured: this user may not know.
    """
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError as error:
        raise NotMeasured(f"the memory of process {pid} cannot be read: {error.strerror}") from None
    return 1024 * sum(int(kib) for kib in _PRIVATE.findall(text))


async def tir_memory(rival: TirRival, figures: MemoryFigures, *, cell: bool) -> None:
    """Of `figures.asked` sessions in a Docker sandbox; with `cell` each has run a SymPy cell.

    The rival must be the only Docker sandbox of this process: its container is found by its owner.
    """
    client = docker.from_env()
    programs: list[Program] = []
    try:
        (container,) = client.containers.list(filters={"label": f"tir-agent.owner={Owner.this().label()}"})
        pids, engine = _pids(container), _engine_bytes(container)
        figures.reason = await _open_many(programs, rival.open, figures.asked, cell=cell)
        figures.opened = len(programs)
        await asyncio.sleep(_SETTLE_SECONDS)
        figures.engine_total = _engine_bytes(container) - engine
        _count(figures, _pids(container) - pids)
    except (*EngineError, NotMeasured, ValueError) as error:
        figures.reason = str(error)
    finally:
        await asyncio.gather(*(program.close() for program in programs), return_exceptions=True)
        client.close()


async def host_memory(rival: HostKernelRival, figures: MemoryFigures, *, cell: bool) -> None:
    """Of ipykernels on the host, with SymPy imported; with `cell` each has run a SymPy cell."""
    programs: list[Program] = []
    try:
        figures.reason = await _open_many(programs, rival.open, figures.asked, cell=cell)
        figures.opened = len(programs)
        pids = set()
        for program in programs:
            assert isinstance(program, HostKernelProgram)
            await program.run("from sympy import *")
            pids.add(await program.pid())
        await asyncio.sleep(_SETTLE_SECONDS)
        _count(figures, pids)
    except NotMeasured as error:
        figures.reason = str(error)
    finally:
        await asyncio.gather(*(program.close() for program in programs), return_exceptions=True)


async def _open_many(
    programs: list[Program], opening: Callable[[], Awaitable[Program]], number: int, *, cell: bool
) -> str | None:
    """Open sessions until there are `number`, or one does not open: then return why."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one() -> None:
        async with gate:
            program = await opening()
            programs.append(program)
            if cell:
                await program.run(FIRST.code)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(number):
                group.create_task(one())
    except ExceptionGroup as errors:
        reason = str(errors.exceptions[0]) or type(errors.exceptions[0]).__name__
        return f"number {len(programs) + 1} did not open: {reason}"
    return None


def _count(figures: MemoryFigures, pids: set[int]) -> None:
    """Of the sessions that are still there: one that has too little memory ends."""
    if len(pids) < figures.opened:
        ended = f"{figures.opened - len(pids)} of {figures.opened} sessions ended before they were counted"
        figures.reason = f"{ended}; {figures.reason}" if figures.reason else ended
    figures.opened = len(pids)
    sizes = [private_bytes(pid) for pid in pids]
    if sizes:
        figures.per_session = statistics.median(sizes)
        figures.total = sum(sizes)


def _pids(container: docker.models.containers.Container) -> set[int]:
    """Process ids on this machine."""
    top = container.top()
    column = top["Titles"].index("PID")
    return {int(row[column]) for row in top["Processes"]}


def _engine_bytes(container: docker.models.containers.Container) -> int:
    """As `docker stats` counts: without the page cache that nobody uses."""
    stats = container.stats(stream=False)
    assert isinstance(stats, dict)
    memory: dict[str, Any] = stats["memory_stats"]
    details = memory.get("stats", {})
    return int(memory["usage"]) - int(details.get("total_inactive_file", details.get("inactive_file", 0)))
