"""The crew on this machine: one sandbox, the arms' models, and gates in front of both."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from tir_agent.agent import Observer
from tir_agent.collect.arms import ArmSource, OpenArm, Opener, Secrets, prompt_of, server_of
from tir_agent.collect.crew import CrewLoad
from tir_agent.collect.gates import Places
from tir_agent.collect.tasks import Task
from tir_agent.costs import PriceTable
from tir_agent.errors import SandboxUnavailable
from tir_agent.grading import grade_answer
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.cache import CapabilityCache
from tir_agent.models.choice import is_embedded
from tir_agent.models.limiter import RateLimiter
from tir_agent.settings import Operation, RateLimits, Recipe, RunSettings
from tir_agent.trajectory import Grade, GradingRule, Trajectory

__all__ = ["LocalCrew", "Surroundings"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Surroundings:
    """What a crew is given beside the recipe and the operation."""

    secrets: Secrets = lambda variable: None
    prices: PriceTable | None = None
    cache: CapabilityCache | None = None
    progress: Say = lambda line: None
    """Hears of slow work under way."""
    deviate: Say = lambda sentence: None
    """Hears of everything that is not done as asked."""
    observer: Callable[[Task, RunSettings], Observer] | None = None
    """Who is to hear of a task's steps."""
    opener: Opener | None = None
    """Opens the models, in the place of `open_model`."""
    crews: int = 1
    """Those that share what the servers' limits allow, this one included; see `LocalCrew.share`."""
    given: Callable[[Task, str], None] = lambda task, worker: None
    """Hears which worker has a task, where there are workers."""
    lost: Callable[[str, str, int], None] = lambda worker, reason, running: None
    """Hears once of each worker that is gone: its name, why, and how many tasks it had."""
    grades: bool = True
    """Whether some problem has a gold answer, so that a sandbox is needed even for prompts without code."""


class LocalCrew:
    """Runs tasks in this process. Made by `open`."""

    def __init__(self, surroundings: Surroundings, source: ArmSource, stack: AsyncExitStack) -> None:
        self._surroundings = surroundings
        self._kernels = source.kernels
        self._cells = source.cells
        self._sandbox = source.sandbox
        self._stack = stack
        self._arms: dict[str, OpenArm] = {}
        self._requests: list[Places] = []
        self._parted: list[tuple[RateLimits, RateLimiter, Places]] = []
        """Of the servers that other crews may ask too."""

    @classmethod
    async def open(
        cls,
        recipe: Recipe,
        operation: Operation,
        surroundings: Surroundings | None = None,
        *,
        sandbox: Sandbox | None = None,
    ) -> Self:
        """Start the sandbox, unless one is given, and the models.

        Raises:
            UsageError: a prompt, a model or an address is not what it should be.
            MachineryError: something cannot be started.
        """
        surroundings = surroundings or Surroundings()
        stack = AsyncExitStack()
        try:
            if sandbox is None and (
                surroundings.grades or any(prompt_of(arm).uses_tool for arm in recipe.arms)
            ):
                sandbox = await open_sandbox(
                    operation.kernel,
                    recipe.limits,
                    isolation=operation.isolation,
                    runtime=operation.runtime,
                    progress=surroundings.progress,
                    deviate=surroundings.deviate,
                )
                stack.push_async_callback(sandbox.close)
            source = ArmSource(
                recipe=recipe,
                operation=operation,
                secrets=surroundings.secrets,
                prices=surroundings.prices or PriceTable.load(None),
                cache=surroundings.cache,
                kernels=Places(operation.kernels),
                cells=Places(operation.cells or 2 * (os.cpu_count() or 1)),
                sandbox=sandbox,
                opener=surroundings.opener,
            )
            crew = cls(surroundings, source, stack)
            await crew._open_arms(recipe, operation, source)
        except BaseException:
            await stack.aclose()
            raise
        return crew

    async def _open_arms(self, recipe: Recipe, operation: Operation, source: ArmSource) -> None:
        """Arms of one server share its limiter and its places; those with models of their own do not."""
        shared: dict[str, tuple[RateLimiter, Places]] = {}
        for arm in recipe.arms:
            server = server_of(arm, operation)
            address = server.base_url or f"arm {arm.name}"
            if address not in shared:
                places = Places(server.limits.concurrent)
                shared[address] = (RateLimiter(server.limits), places)
                self._requests.append(places)
                if not is_embedded(arm.model):
                    self._parted.append((server.limits, *shared[address]))
            opened = OpenArm(arm, source, *shared[address])
            self._stack.push_async_callback(opened.close)
            self._arms[arm.name] = opened
        self.share(self._surroundings.crews)
        # Now, so that a mistake is found before the first task.
        await asyncio.gather(*(arm.agent() for arm in self._arms.values()))

    def share(self, crews: int) -> None:
        """Ask each server for no more than one of `crews` equal parts of what its limits allow; of each
        limit at least one. A model in this crew's own care is its own."""
        for limits, limiter, places in self._parted:
            part = _part(limits, crews)
            limiter.change(part)
            places.resize(part.concurrent)

    @property
    def load(self) -> CrewLoad:
        """What is going on."""
        return CrewLoad(
            waiting_model=sum(places.waiting for places in self._requests),
            in_model=sum(places.inside for places in self._requests),
            waiting_kernel=self._kernels.waiting + self._cells.waiting,
            in_kernel=self._cells.inside,
        )

    async def solve(self, task: Task) -> Trajectory:
        """See `Crew.solve`."""
        made: list[Trajectory] = []
        arm = self._arms[task.sample.arm]
        agent = await arm.agent()
        watch = self._surroundings.observer
        try:
            return await agent.solve(
                task.problem,
                observer=watch(task, arm.settings) if watch is not None else None,
                save=made.append,
                sample=task.sample,
                seed=task.seed,
            )
        except Exception:
            # An error of this program's own: recorded like any other, and the other runs go on.
            if not made:
                raise
            return made[0]

    async def grade(self, answer: str, gold: str, rule: GradingRule) -> Grade:
        """See `Crew.grade`."""
        if self._sandbox is None:
            raise SandboxUnavailable("No sandbox was started, so nothing can be graded")
        return await grade_answer(self._sandbox, answer, gold, rule=rule)

    async def close(self) -> None:
        """End the models and the sandbox. Idempotent."""
        await self._stack.aclose()


def _part(limits: RateLimits, crews: int) -> RateLimits:
    requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
    return limits.model_copy(
        update={
            "concurrent": max(limits.concurrent // crews, 1),
            "requests_per_minute": requests and max(requests // crews, 1),
            "tokens_per_minute": tokens and max(tokens // crews, 1),
        }
    )
