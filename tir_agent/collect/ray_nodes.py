"""The Ray cluster as the driver sees it: its nodes, a worker on one of them. Ray is imported here alone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tir_agent.collect.crew import CrewLoad, WorkerLost
from tir_agent.collect.ray_wire import Outcome, Report
from tir_agent.collect.ray_worker import RayWorker
from tir_agent.errors import MachineryError, UsageError

__all__ = ["Member", "Node", "RayCluster"]

Say = Callable[[str], None]

_STORE: Final = 100 * 2**20
"""Bytes of shared memory of a cluster of this machine alone: trajectories on their way need little."""
_OTHER_CALLS: Final = 1000
"""Calls that a worker takes beside its runs: gradings, reports."""
_ENVIRONMENT: Final = {"RAY_kill_child_processes_on_worker_exit": "false"}
"""Else Ray kills what a dead worker had started, a fork server before it can end its kernels. All that a crew
starts ends by itself when the crew is gone."""
_SECONDS: Final = 30.0
"""For a call that is answered at once, or to end."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, or what stands for one."""

    id: str
    host: str

    @property
    def name(self) -> str:
        """For people. Several nodes may be on one host."""
        return f"{self.host} ({self.id[:8]})"


class RayCluster:
    """A connection to a cluster. Made by `connect`."""

    def __init__(self, ray: Any, *, own: bool) -> None:
        self._ray = ray
        self._own = own

    @classmethod
    def connect(cls, address: str | None, note: Say) -> RayCluster:
        """Join the cluster at `address`; without one the cluster of this machine, and where there is none,
        a new one of this machine alone, which `note` hears of. Blocks. Call it in a thread that is not the
        main one: there Ray would take over SIGTERM.

        Raises:
            UsageError: Ray is not installed.
            MachineryError: there is no such cluster, or it is of another version.
        """
        try:
            import ray
        except ImportError:
            raise UsageError(
                "Collecting on a cluster needs Ray, which is not installed",
                hint="pip install 'tir-agent[ray]'",
            ) from None
        if ray.is_initialized():
            return cls(ray, own=False)
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        try:
            try:
                ray.init(address=address or "auto", **quiet)
            except ConnectionError:
                if address not in {None, "auto"}:
                    raise
                note("There is no Ray cluster to be found: one of this machine alone is started")
                ray.init(address="local", include_dashboard=False, object_store_memory=_STORE, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            where = f"the Ray cluster at {address}" if address else "a Ray cluster"
            raise MachineryError(
                f"Cannot join {where}: {_first_line(error)}", hint="ray start --head, and then its address"
            ) from None
        _silence()
        return cls(ray, own=True)

    def nodes(self) -> list[Node]:
        """Those that live and take work: a node that was started with `--num-cpus 0` does not. Blocks.

        Raises:
            MachineryError: the cluster does not answer.
        """
        try:
            found = self._ray.nodes()
        except Exception as error:
            raise MachineryError(f"The Ray cluster does not answer: {_first_line(error)}") from None
        return [
            Node(node["NodeID"], node["NodeManagerHostname"])
            for node in found
            if node["Alive"] and node["Resources"].get("CPU", 0) > 0
        ]

    def start(self, node: Node, at_once: int) -> Member:
        """A new worker on a node. Returns before it is there; its first call says whether it is."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # It takes none of the processors that Ray counts: how many cells run at a time is the crew's to say.
        worker = self._ray.remote(RayWorker).options(
            num_cpus=0,
            runtime_env={"env_vars": _ENVIRONMENT},
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=at_once + _OTHER_CALLS,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        return Member(node, worker.remote(), self._ray)

    def leave(self) -> None:
        """End the connection, and the cluster if it was started for it. Blocks. Idempotent."""
        if self._own:
            self._own = False
            self._ray.shutdown()


class Member:
    """A worker, from the driver's side."""

    def __init__(self, node: Node, actor: Any, ray: Any) -> None:
        self.node = node
        self.began = False
        """Whether it was ever ready; for its owner to say."""
        self.tasks = 0
        """Runs that it has."""
        self.gradings = 0
        self.load = CrewLoad()
        """As it last said."""
        self._actor = actor
        self._ray = ray
        self._numbers = itertools.count()
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def lost(self) -> str | None:
        """Why it is no more; None while it is."""
        return self._gone.result() if self._gone.done() else None

    @property
    def ready(self) -> bool:
        """Whether it can be given tasks."""
        return self.began and self.lost is None

    async def open(self, outfit: bytes, crews: int) -> Outcome:
        """See `RayWorker.open`. Raises WorkerLost."""
        return await self._ask(self._actor.open, outfit, crews)

    async def solve(self, task: bytes) -> Outcome:
        """See `RayWorker.solve`. Cancelled, it has the worker drop the task. Raises WorkerLost."""
        return await self._ask(self._actor.solve, task)

    async def grade(self, question: bytes) -> Outcome:
        """See `RayWorker.grade`. Raises WorkerLost."""
        return await self._ask(self._actor.grade, question)

    async def share(self, crews: int) -> None:
        """See `RayWorker.share`. Raises WorkerLost, TimeoutError."""
        await asyncio.wait_for(self._answer(self._actor.share.remote(crews)), _SECONDS)

    async def report(self, within: float) -> Report:
        """How it stands. Raises WorkerLost, TimeoutError after `within` seconds."""
        data = await asyncio.wait_for(self._answer(self._actor.report.remote()), within)
        report = Report.model_validate_json(data)
        self.load = CrewLoad(report.waiting_model, report.in_model, report.waiting_kernel, report.in_kernel)
        return report

    async def close(self) -> None:
        """Let it end what it has, and then end it."""
        if self.lost is None:
            with contextlib.suppress(WorkerLost, TimeoutError):
                await asyncio.wait_for(self._answer(self._actor.close.remote()), _SECONDS)
        self.end("it was closed")

    def end(self, reason: str) -> None:
        """Kill it: whoever waits for it hears WorkerLost. Idempotent."""
        if not self._gone.done():
            self._gone.set_result(reason)
            self.load = CrewLoad()
            # Ray may have lost its own connection by now.
            with contextlib.suppress(Exception):
                self._ray.kill(self._actor)

    async def _ask(self, method: Any, *arguments: bytes | int) -> Outcome:
        number = next(self._numbers)
        answer = method.remote(number, *arguments)
        try:
            return Outcome.model_validate_json(await self._answer(answer))
        except asyncio.CancelledError:
            if self.lost is None:
                with contextlib.suppress(self._ray.exceptions.RayError):
                    self._actor.drop.remote(number)
            raise

    async def _answer(self, answer: Any) -> Any:
        """Wait for what a call returns, or for the end of the worker."""
        if (reason := self.lost) is not None:
            raise self._loss(reason)
        waiting = asyncio.wrap_future(answer.future())
        # Nobody may be here any more when it ends.
        waiting.add_done_callback(lambda future: future.cancelled() or future.exception())
        # Ray says so itself when a worker has died, but not of one that was given up for its silence.
        done, _ = await asyncio.wait({waiting, self._gone}, return_when=asyncio.FIRST_COMPLETED)
        if waiting not in done:
            raise self._loss(self._gone.result())
        exceptions = self._ray.exceptions
        try:
            return waiting.result()
        except exceptions.RayTaskError as error:
            raise MachineryError(f"{_last_line(error)} (on {self.node.name})") from None
        except exceptions.ActorUnavailableError:
            raise self._loss("it cannot be reached") from None
        except exceptions.RayError as error:
            raise self._loss(_first_line(error).rstrip(".")) from None

    def _loss(self, reason: str) -> WorkerLost:
        self.end(reason)
        return WorkerLost(f"{self.node.name} is gone: {reason}")


def _silence() -> None:
    """What Ray has to say of lost nodes it would print amidst the display; `Surroundings.lost` says it too.

    There is no public way: `log_to_driver` is about the workers' own output alone.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private import worker

        worker._worker_logs_enabled = False


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]


def _last_line(error: Exception) -> str:
    return next(reversed(str(error).strip().splitlines()), type(error).__name__)[:300]
