"""Fixtures: real sandboxes. What is missing on a user's machine is skipped; in CI it is a failure."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest
import pytest_asyncio

from tir_agent.errors import SandboxUnavailable
from tir_agent.kernel.base import Sandbox, Session
from tir_agent.kernel.choice import open_sandbox
from tir_agent.kernel.sandbox import JailSandbox
from tir_agent.settings import Isolation, KernelChoice, Limits

Backend = tuple[KernelChoice, Isolation]
DOCKER: Backend = (KernelChoice.DOCKER, Isolation.SESSION)
CONTAINER: Backend = (KernelChoice.DOCKER, Isolation.CONTAINER)
BUBBLEWRAP: Backend = (KernelChoice.BUBBLEWRAP, Isolation.SESSION)
LOCAL: Backend = (KernelChoice.LOCAL, Isolation.SESSION)
BACKENDS = [DOCKER, CONTAINER, BUBBLEWRAP, LOCAL]
JAILS = [DOCKER, CONTAINER, BUBBLEWRAP]
NAMES = {DOCKER: "docker", CONTAINER: "container", BUBBLEWRAP: "bubblewrap", LOCAL: "local"}
SECRET = "TIR_TEST_API_KEY"
LIMITS = Limits(grace_seconds=1.0, memory_bytes=2 * 2**30, file_bytes=4 * 2**20)


def missing(reason: str) -> NoReturn:
    """A test cannot run: skip it, but not in CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; CI must provide it")
    pytest.skip(reason)


async def open_backend(backend: Backend) -> JailSandbox:
    """Start a kind of sandbox, or skip the test; in CI, fail it."""
    os.environ[SECRET] = "not for programs of a model's"
    choice, isolation = backend
    # A container takes a second to start, on one processor: so many ahead that the others are used too.
    pool = 2 if isolation is Isolation.CONTAINER else 0
    try:
        return await open_sandbox(choice, LIMITS, isolation=isolation, pool=pool)
    except SandboxUnavailable as error:
        missing(f"no {NAMES[backend]} sandbox here: {error.message}")


async def docker_is_here() -> None:
    """Skip the test where there is no Docker sandbox; in CI, fail it."""
    async with await open_backend(DOCKER):
        pass


@pytest_asyncio.fixture(scope="session", params=BACKENDS, ids=NAMES.get)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """Each kind of sandbox, started once."""
    async with await open_backend(request.param) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", params=JAILS, ids=NAMES.get)
async def jail(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """Each kind of sandbox that isolates."""
    async with await open_backend(request.param) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session")
async def local_sandbox() -> AsyncIterator[Sandbox]:
    """The sandbox that every machine can start, for tests that are about something else."""
    async with await open_backend(LOCAL) as opened:
        yield opened


@pytest_asyncio.fixture
async def session(sandbox: Sandbox) -> AsyncIterator[Session]:
    """A fresh session in each kind of sandbox."""
    opened = await sandbox.session()
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def jailed(jail: Sandbox) -> AsyncIterator[Session]:
    """A fresh session in each kind of sandbox that isolates."""
    opened = await jail.session()
    yield opened
    await opened.close()


@pytest.fixture
def shared_data() -> Path:
    """Recorded trajectories and benchmark sets that are not part of this repository."""
    folder = Path(os.environ.get("TIR_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"there is no recorded data in {folder}; set TIR_DATA")
    return folder
