"""The arms of a collection, opened: a model, a prompt and the agent of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tir_agent.agent import Agent
from tir_agent.collect.gates import Gates, Places
from tir_agent.costs import PriceTable
from tir_agent.errors import ConfigError
from tir_agent.kernel.base import Sandbox
from tir_agent.models.base import Model
from tir_agent.models.cache import CapabilityCache
from tir_agent.models.choice import is_embedded, open_model
from tir_agent.models.embedded import EmbeddedModel
from tir_agent.models.limiter import RateLimiter
from tir_agent.prompts import Prompt, load_prompt
from tir_agent.settings import Arm, Operation, Recipe, RunSettings, Server

__all__ = [
    "ArmSource",
    "OpenArm",
    "Opener",
    "Secrets",
    "check_arms",
    "prompt_of",
    "run_settings",
    "server_of",
]

Opener = Callable[[Arm, Server, RateLimiter], Awaitable[Model]]
"""Opens the model of an arm, in the place of `open_model`."""
Secrets = Callable[[str | None], str | None]
"""From the name of an environment variable (None: the usual one) to the key in it."""


def prompt_of(arm: Arm) -> Prompt:
    """The prompt that it uses. Raises PromptError."""
    return load_prompt(arm.prompt or ("tir_fewshot" if is_embedded(arm.model) else "tir"))


def server_of(arm: Arm, operation: Operation) -> Server:
    """Where it is served, by the operation's word or by default."""
    return next((one for one in operation.servers if one.arm == arm.name), Server(arm=arm.name))


def run_settings(arm: Arm, recipe: Recipe, operation: Operation) -> RunSettings:
    """What each of its runs is told."""
    return RunSettings(
        model=arm.model,
        base_url=None if is_embedded(arm.model) else server_of(arm, operation).base_url,
        tokens=recipe.tokens,
        kernel=operation.kernel,
        isolation=operation.isolation,
        runtime=operation.runtime,
        sampling=arm.sampling,
        budget=recipe.budget,
        limits=recipe.limits,
        stages=recipe.stages,
    )


@dataclass
class ArmSource:
    """What all arms are opened from."""

    recipe: Recipe
    operation: Operation
    secrets: Secrets
    prices: PriceTable
    cache: CapabilityCache | None
    kernels: Places
    cells: Places
    sandbox: Sandbox | None
    opener: Opener | None = None


class OpenArm:
    """One arm at work. Opens its model again where that was this program's own and has died."""

    def __init__(self, arm: Arm, source: ArmSource, limiter: RateLimiter, requests: Places) -> None:
        self.arm = arm
        self.settings = run_settings(arm, source.recipe, source.operation)
        """What its runs are told."""
        self._source = source
        self._limiter = limiter
        self._prompt = prompt_of(arm)
        self._gates = Gates(requests, source.kernels, source.cells)
        self._model: Model | None = None
        self._agent: Agent | None = None
        self._opening = asyncio.Lock()

    async def agent(self) -> Agent:
        """The agent, with a model that lives as far as is known.

        Raises:
            UsageError: the model cannot be what the arm says.
            ModelUnavailable: it cannot be started.
        """
        async with self._opening:
            if self._agent is None or self._is_dead():
                await self._close_model()
                self._agent = await self._open()
            return self._agent

    async def close(self) -> None:
        """Idempotent."""
        async with self._opening:
            await self._close_model()

    def _is_dead(self) -> bool:
        return isinstance(self._model, EmbeddedModel) and not self._model.is_alive

    async def _close_model(self) -> None:
        model, self._model, self._agent = self._model, None, None
        if model is not None:
            await model.close()

    async def _open(self) -> Agent:
        source, arm = self._source, self.arm
        model = self._model = await self._open_model()
        return Agent(
            model,
            source.sandbox,
            self._prompt,
            self.settings.model_copy(update={"base_url": model.base_url}),
            model_server=await model.describe(),
            price=source.prices.price_of(arm.model, model.base_url),
            gate=self._gates,
        )

    async def _open_model(self) -> Model:
        source, arm = self._source, self.arm
        server = server_of(arm, source.operation)
        if source.opener is not None:
            return await source.opener(arm, server, self._limiter)
        embedded = is_embedded(arm.model)
        return await open_model(
            arm.model,
            base_url=None if embedded else server.base_url,
            api_key=None if embedded else source.secrets(server.api_key_env),
            limiter=self._limiter,
            tokens=source.recipe.tokens,
            cache=source.cache,
            at_once=server.limits.concurrent,
        )


def check_arms(recipe: Recipe, operation: Operation) -> None:
    """Raises ConfigError where a server is given for an arm that is not there."""
    names = [arm.name for arm in recipe.arms]
    for server in operation.servers:
        if server.arm not in names:
            raise ConfigError(
                f"There is a server for the arm {server.arm!r}, and no such arm",
                hint=f"The arms are {', '.join(names)}",
            )
