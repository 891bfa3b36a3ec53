"""Whether each kind of sandbox can be used on this machine: by running a cell in it where it is built."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tir_agent.checks import Check
from tir_agent.errors import SandboxError, SandboxUnavailable
from tir_agent.kernel import environment, image
from tir_agent.kernel.bubblewrap import find_bwrap
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice, Limits

__all__ = ["check_kernels"]

_CODE = "6 * 7"


async def check_kernels(cache: Path | None = None) -> AsyncIterator[tuple[KernelChoice, Check]]:
    """Look at Docker, then at bubblewrap; builds nothing. A later step of a kind is left out after one
    that fails."""
    for check in await asyncio.to_thread(_docker):
        yield KernelChoice.DOCKER, check
    if check.passed:
        yield KernelChoice.DOCKER, await _cell(KernelChoice.DOCKER, cache)
    for check in await asyncio.to_thread(_bubblewrap, cache):
        yield KernelChoice.BUBBLEWRAP, check
    if check.passed:
        yield KernelChoice.BUBBLEWRAP, await _cell(KernelChoice.BUBBLEWRAP, cache)


def _docker() -> list[Check]:
    try:
        client = image.connect()
    except SandboxUnavailable as error:
        return [Check("Docker engine", passed=False, detail=error.message, remedy=error.hint)]
    try:
        version = client.version().get("Version", "?")
        checks = [Check("Docker engine", passed=True, detail=f"version {version}")]
        found = image.find(client)
        if found is None:
            detail = f"{image.tag()} has not been built"
            return [*checks, Check("sandbox image", passed=False, detail=detail, remedy="tir sandbox build")]
        return [*checks, Check("sandbox image", passed=True, detail=image.tag())]
    finally:
        client.close()


def _bubblewrap(cache: Path | None) -> list[Check]:
    try:
        checks = [Check("bubblewrap", passed=True, detail=find_bwrap())]
    except SandboxUnavailable as error:
        return [Check("bubblewrap", passed=False, detail=error.message, remedy=error.hint)]
    python = environment.location(cache)
    if environment.is_ready(python):
        return [*checks, Check("Python environment", passed=True, detail=str(python.folder))]
    return [
        *checks,
        Check(
            "Python environment",
            passed=False,
            detail=f"{python.folder} has not been made",
            remedy="It is made on first use, or now: tir sandbox build --kernel bubblewrap",
        ),
    ]


async def _cell(choice: KernelChoice, cache: Path | None) -> Check:
    start = time.monotonic()
    try:
        async with await open_sandbox(choice, Limits(), pool=0, cache=cache) as sandbox:
            session = await sandbox.session()
            execution = await session.execute(_CODE, timeout=30)
            await session.close()
    except SandboxError as error:
        return Check("a cell", passed=False, detail=error.message, remedy=error.hint)
    if execution.result != "42":
        return Check("a cell", passed=False, detail=f"{_CODE} gave {execution.result!r}")
    return Check("a cell", passed=True, detail=f"ran in {time.monotonic() - start:.1f} s, start included")
