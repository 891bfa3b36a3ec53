"""The measuring: a batch of real agents, a batch of bare sessions, and the model's server beside them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from tir_agent.agent import Agent, Observer
from tir_agent.kernel.base import Sandbox
from tir_agent.models.openai import OpenAIModel
from tir_agent.prompts import load_prompt
from tir_agent.protocols import Action
from tir_agent.settings import RunSettings
from tir_agent.trajectory import Cell, ExecutionStatus, Problem, StopReason, Trajectory

from orchestration_meter import Meter
from orchestration_results import Batch
from orchestration_task import Form, Task

__all__ = ["Server", "Wrong", "agents", "kernels", "model_server"]

_SECONDS = 300.0
"""Deadline of a batch and of every cell in it: far above all that is measured."""
_HERE = Path(__file__).parent

_T = TypeVar("_T")


class Wrong(Exception):
    """A trajectory or a cell did not end as it must: its time says nothing."""


class ServerStats(BaseModel):
    """What the server says of itself; see `orchestration_server.Stats`."""

    requests: int
    connections: int
    most_open: int
    late: float
    cpu: float


@dataclass(frozen=True)
class Server:
    """A running model server."""

    port: int
    latency: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def stats(self) -> ServerStats:
        """What it has done until now."""
        return ServerStats.model_validate(json.loads(await asyncio.to_thread(self._get)))

    def _get(self) -> bytes:
        # A proxy that the environment names does not know this machine's own addresses.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}/stats", timeout=_SECONDS) as answer:
            return bytes(answer.read())


@asynccontextmanager
async def model_server(latency: float, bursts: int) -> AsyncIterator[Server]:
    """Start the server in a process of its own; it ends with the block, or with this process."""
    program = str(_HERE / "orchestration_server.py")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, program, "--latency", str(latency), "--bursts", str(bursts)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_SECONDS):
            port = int(await process.stdout.readline())
        yield Server(port, latency)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class _Clock(Observer):
    """Times what lies between two executions of one run."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._since = time.perf_counter()
        self.added: list[float] = []

    def reply_started(self, turn: int) -> None:
        # Before the first one, its session was opened: that is the kernel's time.
        if turn == 1:
            self._since = time.perf_counter()

    def reply_ended(self, action: Action) -> None:
        if not action.blocks:
            self._turn_over()

    def cell_started(self, code: str, interrupt: Callable[[], Awaitable[None]]) -> None:
        self._turn_over()

    def cell_ended(self, cell: Cell) -> None:
        self._since = time.perf_counter()

    def _turn_over(self) -> None:
        now = time.perf_counter()
        self.added.append(now - self._since - self._latency)
        self._since = now


async def agents(server: Server, form: Form, sandbox: Sandbox | None, tasks: Sequence[Task]) -> Batch:
    """Solve all tasks at the same time, with one agent, as a program that collects trajectories does.

    Raises:
        Wrong: one of them has not ended with the right answer.
    """
    prompt = load_prompt("cot" if form is Form.PROSE else "tir")
    settings = RunSettings(model=form.value, base_url=server.url)
    model = OpenAIModel(form.value, base_url=server.url)
    try:
        # Done once, ahead of all trajectories: the client is imported, the server is asked what it can do.
        described = await model.describe()
        await model.capabilities()
        agent = Agent(model, sandbox, prompt, settings, model_server=described)
        clocks = [_Clock(server.latency) for _ in tasks]
        before = await server.stats()

        async def solve(task: Task, clock: _Clock) -> Trajectory:
            return await agent.solve(Problem(id=str(task.number), text=task.problem), observer=clock)

        batch, trajectories = await _timed(
            [solve(task, clock) for task, clock in zip(tasks, clocks, strict=True)]
        )
    finally:
        await model.close()
    after = await server.stats()
    for task, trajectory in zip(tasks, trajectories, strict=True):
        _check(task, form, trajectory)
    batch.added = [delay for clock in clocks for delay in clock.added]
    batch.server_cpu = after.cpu - before.cpu
    batch.requests = after.requests - before.requests
    batch.server_late = (after.late - before.late) / max(batch.requests, 1)
    return batch


async def kernels(sandbox: Sandbox, tasks: Sequence[Task]) -> Batch:
    """Run the cells of all tasks at the same time, each in a session of its own, and nothing else.

    Raises:
        Wrong: a cell printed something else.
    """

    async def run(task: Task) -> None:
        session = await sandbox.session()
        try:
            for step in task.steps:
                execution = await session.execute(step.code, timeout=_SECONDS)
                if execution.status is not ExecutionStatus.OK or execution.stdout.strip() != step.output:
                    raise Wrong(f"{step.code!r} printed {execution.stdout!r} ({execution.status})")
        finally:
            await session.close()

    batch, _ = await _timed([run(task) for task in tasks])
    return batch


async def _timed(work: Sequence[Awaitable[_T]]) -> tuple[Batch, list[_T]]:
    with Meter() as meter:
        async with asyncio.timeout(_SECONDS):
            done = await asyncio.gather(*work)
    return Batch.of(meter), list(done)


def _check(task: Task, form: Form, trajectory: Trajectory) -> None:
    if trajectory.failure is not None:
        raise Wrong(f"task {task.number} failed: {trajectory.failure.message}")
    if trajectory.stop is not StopReason.ANSWERED or trajectory.answer != task.answer:
        raise Wrong(f"task {task.number} ended with {trajectory.stop} and {trajectory.answer!r}")
    if len(trajectory.turns) != task.turns(form):
        raise Wrong(f"task {task.number} took {len(trajectory.turns)} turns")
