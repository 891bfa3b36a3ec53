"""Which sandbox to use, and getting it ready."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path

import docker

from tir_agent.errors import SandboxUnavailable
from tir_agent.kernel import environment, image
from tir_agent.kernel.bubblewrap import BubblewrapLauncher, find_bwrap
from tir_agent.kernel.docker import DockerLauncher, sweep_containers
from tir_agent.kernel.local import LocalLauncher
from tir_agent.kernel.sandbox import JailSandbox, sweep_folders
from tir_agent.settings import KernelChoice, Limits

__all__ = ["open_sandbox"]

Say = Callable[[str], None]

_NEITHER = "Code cannot be run safely on this machine: there is neither a Docker engine nor bubblewrap"


async def open_sandbox(
    choice: KernelChoice,
    limits: Limits,
    *,
    progress: Say = lambda line: None,
    deviate: Say = lambda text: None,
    cache: Path | None = None,
) -> JailSandbox:
    """Start the sandbox that `choice` names; building what it needs takes minutes the first time.

    `progress` gets lines of the work under way, `deviate` a sentence for everything that is not done as
    asked (for the record). `cache` is where environments are kept, by default the user's cache folder.

    Raises:
        SandboxUnavailable: it cannot be started; says what to install.
    """
    await asyncio.to_thread(sweep_folders)
    match choice:
        case KernelChoice.DOCKER:
            return await _docker(limits, progress)
        case KernelChoice.BUBBLEWRAP:
            return await _bubblewrap(limits, progress, cache)
        case KernelChoice.LOCAL:
            deviate("The kernel runs on this machine without any isolation (--kernel local)")
            return await _local(limits, progress, cache)
        case KernelChoice.AUTO:
            return await _auto(limits, progress, deviate, cache)


async def _auto(limits: Limits, progress: Say, deviate: Say, cache: Path | None) -> JailSandbox:
    try:
        return await _docker(limits, progress)
    except SandboxUnavailable as error:
        no_docker = error
    try:
        find_bwrap()
    except SandboxUnavailable as error:
        raise SandboxUnavailable(
            f"{_NEITHER} ({no_docker.message.lower()})",
            hint=f"{no_docker.hint}; or {error.hint}" if no_docker.hint else error.hint,
        ) from None
    deviate(f"{no_docker.message}: the kernel runs under bubblewrap instead")
    return await _bubblewrap(limits, progress, cache)


async def _docker(limits: Limits, progress: Say) -> JailSandbox:
    client = await asyncio.to_thread(image.connect)
    try:
        await asyncio.to_thread(sweep_containers, client)
        found = await asyncio.to_thread(image.find, client)
        if found is None:
            progress("building the sandbox image (once, a few minutes)")
            found = await asyncio.to_thread(_build, client, progress)
    except BaseException:
        client.close()
        raise
    # The launcher closes the client together with the container.
    return await JailSandbox(functools.partial(DockerLauncher, client, found), limits).start()


def _build(client: docker.DockerClient, progress: Say) -> str:
    return image.build(client, progress=progress)


async def _bubblewrap(limits: Limits, progress: Say, cache: Path | None) -> JailSandbox:
    find_bwrap()
    python = await asyncio.to_thread(environment.ensure, cache, progress)
    return await JailSandbox(functools.partial(BubblewrapLauncher, python), limits).start()


async def _local(limits: Limits, progress: Say, cache: Path | None) -> JailSandbox:
    python = await asyncio.to_thread(environment.ensure, cache, progress)
    return await JailSandbox(functools.partial(LocalLauncher, python), limits).start()
