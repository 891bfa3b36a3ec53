"""Which sandbox to use, and getting it ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker

from tir_agent.errors import SandboxUnavailable, UsageError
from tir_agent.kernel import environment, image
from tir_agent.kernel.bubblewrap import BubblewrapLauncher, find_bwrap
from tir_agent.kernel.docker import DockerLauncher, sweep_containers
from tir_agent.kernel.jail import Launcher, sweep_folders
from tir_agent.kernel.local import LocalLauncher
from tir_agent.kernel.sandbox import JailSandbox
from tir_agent.settings import Isolation, KernelChoice, Limits

__all__ = ["open_sandbox"]

Say = Callable[[str], None]

_NEITHER = "Code cannot be run safely on this machine: there is neither a Docker engine nor bubblewrap"


@dataclass(frozen=True)
class _Plan:
    """How the sandbox shall be; see `open_sandbox`."""

    limits: Limits
    isolation: Isolation
    runtime: str | None
    pool: int
    progress: Say
    deviate: Say
    cache: Path | None


async def open_sandbox(
    choice: KernelChoice,
    limits: Limits,
    *,
    isolation: Isolation = Isolation.SESSION,
    runtime: str | None = None,
    pool: int = 1,
    progress: Say = lambda line: None,
    deviate: Say = lambda text: None,
    cache: Path | None = None,
) -> JailSandbox:
    """Start the sandbox that `choice` names; building what it needs takes minutes the first time.

    `isolation` says whether sessions share a jail, `runtime` which OCI runtime Docker starts containers
    with (by default its own choice), `pool` how many sessions are kept ready ahead of demand. `progress`
    gets lines of the work under way, `deviate` a sentence for everything that is not done as asked (for
    the record). `cache` is where environments are kept, by default the user's cache folder.

    Raises:
        SandboxUnavailable: it cannot be started; says what to install.
        UsageError: this combination does not exist.
    """
    choice, isolation = KernelChoice(choice), Isolation(isolation)
    if runtime is not None and choice in {KernelChoice.BUBBLEWRAP, KernelChoice.LOCAL}:
        raise UsageError(f"A runtime is an option of Docker's, and the kernel is {choice}")
    if isolation is Isolation.CONTAINER and choice is KernelChoice.LOCAL:
        raise UsageError(
            "The local kernel isolates nothing, so it has no containers",
            hint="Use --kernel docker or bubblewrap",
        )
    await asyncio.to_thread(sweep_folders)
    plan = _Plan(limits, isolation, runtime, pool, progress, deviate, cache)
    match choice:
        case KernelChoice.DOCKER:
            return await _docker(plan)
        case KernelChoice.BUBBLEWRAP:
            return await _bubblewrap(plan)
        case KernelChoice.LOCAL:
            deviate("The kernel runs on this machine without any isolation (--kernel local)")
            return await _local(plan)
        case KernelChoice.AUTO:
            return await _docker(plan) if runtime is not None else await _auto(plan)


async def _auto(plan: _Plan) -> JailSandbox:
    try:
        return await _docker(plan)
    except SandboxUnavailable as error:
        no_docker = error
    try:
        find_bwrap()
    except SandboxUnavailable as error:
        raise SandboxUnavailable(
            f"{_NEITHER} ({no_docker.message.lower()})",
            hint=f"{no_docker.hint}; or {error.hint}" if no_docker.hint else error.hint,
        ) from None
    plan.deviate(f"{no_docker.message}: the kernel runs under bubblewrap instead")
    return await _bubblewrap(plan)


async def _docker(plan: _Plan) -> JailSandbox:
    client = await asyncio.to_thread(image.connect)
    try:
        await asyncio.to_thread(sweep_containers, client)
        found = await asyncio.to_thread(image.find, client)
        if found is None:
            plan.progress("building the sandbox image (once, a few minutes)")
            found = await asyncio.to_thread(_build, client, plan.progress)
    except BaseException:
        client.close()
        raise

    def launcher() -> DockerLauncher:
        return DockerLauncher(client, found, plan.limits, isolation=plan.isolation, runtime=plan.runtime)

    return await _start(plan, launcher, on_close=client.close)


def _build(client: docker.DockerClient, progress: Say) -> str:
    return image.build(client, progress=progress)


async def _bubblewrap(plan: _Plan) -> JailSandbox:
    find_bwrap()
    python = await asyncio.to_thread(environment.ensure, plan.cache, plan.progress)
    return await _start(plan, lambda: BubblewrapLauncher(python, plan.limits, isolation=plan.isolation))


async def _local(plan: _Plan) -> JailSandbox:
    python = await asyncio.to_thread(environment.ensure, plan.cache, plan.progress)
    return await _start(plan, lambda: LocalLauncher(python))


async def _start(
    plan: _Plan, launcher: Callable[[], Launcher], on_close: Callable[[], None] = lambda: None
) -> JailSandbox:
    sandbox = JailSandbox(launcher, plan.limits, pool=plan.pool, say=plan.deviate, on_close=on_close)
    return await sandbox.start()
