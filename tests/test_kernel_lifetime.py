"""How sandboxes begin and end: choice, loss, and what a killed host leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import docker
import pytest

from tir_agent.errors import BaseImageUnavailable, SandboxError, SandboxLost, SandboxUnavailable
from tir_agent.kernel import choice, image
from tir_agent.kernel.choice import open_sandbox
from tir_agent.kernel.owner import Owner
from tir_agent.settings import KernelChoice

from conftest import BACKENDS, BUBBLEWRAP, DOCKER, LIMITS, NAMES, Backend, missing, open_backend

HOST = Path(__file__).parent / "sandbox_host.py"


def processes(text: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and text.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def until_none(text: str) -> list[int]:
    for _ in range(100):
        if not processes(text):
            return []
        await asyncio.sleep(0.1)
    return processes(text)


@pytest.mark.parametrize("kind", BACKENDS, ids=NAMES.get)
async def test_a_host_killed_with_9_leaves_no_process_behind(kind: Backend) -> None:
    await (await open_backend(kind)).close()
    marker = f"97{os.getpid()}"
    host = await asyncio.create_subprocess_exec(
        *[sys.executable, str(HOST), *kind, marker], stdout=asyncio.subprocess.PIPE
    )
    assert host.stdout is not None
    assert await asyncio.wait_for(host.stdout.readline(), 60) == b"running\n"
    assert processes(f"sleep\0{marker}")
    host.send_signal(signal.SIGKILL)
    await host.wait()
    assert await until_none(f"sleep\0{marker}") == []
    await (await open_backend(kind)).close()  # starting one sweeps
    for folder in Path("/tmp").glob("tir-*"):
        owner = folder / "owner"
        assert not owner.exists() or not _owner_of(owner).is_gone()


def _owner_of(path: Path) -> Owner:
    owner = Owner.parse(path.read_text())
    assert owner is not None
    return owner


async def test_a_killed_container_is_a_lost_sandbox() -> None:
    sandbox = await open_backend(DOCKER)
    session = await sandbox.session()
    running = asyncio.create_task(session.execute("import time; time.sleep(60)", timeout=60))
    await asyncio.sleep(0.5)
    client = docker.from_env()
    own = [
        container
        for container in client.containers.list(filters={"label": "tir-agent.owner"})
        if container.labels["tir-agent.owner"] == Owner.this().label()
    ]
    newest = max(own, key=lambda container: container.attrs["Created"])
    newest.kill()
    client.close()
    with pytest.raises(SandboxLost):
        await running
    with pytest.raises(SandboxLost):
        await sandbox.session()
    await session.close()
    await sandbox.close()


async def test_a_container_is_hardened() -> None:
    sandbox = await open_backend(DOCKER)
    client = docker.from_env()
    containers = client.containers.list(filters={"label": "tir-agent.owner"})
    (settings,) = [
        container.attrs["HostConfig"]
        for container in containers
        if container.labels["tir-agent.owner"] == Owner.this().label()
    ][:1]
    client.close()
    await sandbox.close()
    assert settings["NetworkMode"] == "none"
    assert settings["ReadonlyRootfs"] is True
    assert settings["CapDrop"] == ["ALL"]
    assert sorted(settings["CapAdd"]) == ["CHOWN", "KILL", "SETGID", "SETUID"]
    assert settings["SecurityOpt"] == ["no-new-privileges"]
    assert settings["PidsLimit"] > 0
    assert 0 < settings["Memory"] == settings["MemorySwap"]
    assert settings["Init"] is True
    assert settings["Privileged"] is False


async def test_without_an_engine_auto_goes_on_under_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    await (await open_backend(BUBBLEWRAP)).close()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    said: list[str] = []
    async with await open_sandbox(KernelChoice.AUTO, LIMITS, deviate=said.append) as sandbox:
        assert sandbox.info.backend == "bubblewrap"
    assert said == ["No Docker engine answers: the kernel runs under bubblewrap instead"]


async def test_with_an_engine_auto_takes_docker() -> None:
    await (await open_backend(DOCKER)).close()
    said: list[str] = []
    async with await open_sandbox(KernelChoice.AUTO, LIMITS, deviate=said.append) as sandbox:
        assert sandbox.info.backend == "docker"
    assert said == []


async def test_a_base_image_that_cannot_be_had_is_a_sentence_and_auto_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await (await open_backend(DOCKER)).close()
    await (await open_backend(BUBBLEWRAP)).close()

    def build(client: docker.DockerClient, progress: object) -> str:
        return image.build(client, base="tir-agent.invalid/none:none")

    monkeypatch.setattr(image, "find", lambda client: None)
    monkeypatch.setattr(choice, "_build", build)
    with pytest.raises(BaseImageUnavailable) as caught:
        await open_sandbox(KernelChoice.DOCKER, LIMITS)
    assert "base-image.sh" in (caught.value.hint or "")
    said: list[str] = []
    async with await open_sandbox(KernelChoice.AUTO, LIMITS, deviate=said.append) as sandbox:
        assert sandbox.info.backend == "bubblewrap"
    assert "cannot be pulled" in said[0]


def test_no_permission_for_the_engine_is_told_from_no_engine() -> None:
    """As an ordinary user, asked in a process of its own."""
    if os.getuid() != 0:
        missing("only root can become another user")
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            image.connect()
        except SandboxUnavailable as error:
            code = 0 if "may not use" in error.message and "usermod" in (error.hint or "") else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


async def test_local_is_never_chosen_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="neither a Docker engine nor bubblewrap") as caught:
        await open_sandbox(KernelChoice.AUTO, LIMITS)
    assert "apt install bubblewrap" in (caught.value.hint or "")


async def test_local_says_that_it_is_not_safe() -> None:
    said: list[str] = []
    try:
        sandbox = await open_sandbox(KernelChoice.LOCAL, LIMITS, deviate=said.append)
    except SandboxError as error:
        missing(error.message)
    await sandbox.close()
    assert "without any isolation" in said[0]


def test_an_owner_is_told_from_a_later_process_with_its_number() -> None:
    this = Owner.this()
    assert not this.is_gone()
    assert Owner.parse(this.label()) == this
    assert Owner(this.boot, this.pid, this.started - 1).is_gone()
    assert not Owner("another machine", this.pid, 1).is_gone()
    for label in ("", "x", "a:b:c", "a:1", "a:1:"):
        assert Owner.parse(label) is None
