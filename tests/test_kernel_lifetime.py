"""How sandboxes begin and end: choice, loss, and what a killed host leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import docker
import docker.errors
import docker.models.containers
import pytest

from tir_agent.agent import Agent, Observer
from tir_agent.errors import (
    BaseImageUnavailable,
    SandboxError,
    SandboxLost,
    SandboxUnavailable,
    UsageError,
)
from tir_agent.kernel import choice, image
from tir_agent.kernel.choice import open_sandbox
from tir_agent.kernel.docker import sweep_containers
from tir_agent.kernel.owner import Owner
from tir_agent.kernel.sandbox import JailSandbox
from tir_agent.models.scripted import ScriptedModel
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.protocols import Action
from tir_agent.settings import Isolation, KernelChoice, RunSettings
from tir_agent.trajectory import ExecutionStatus, StopReason, Verdict

from conftest import (
    BACKENDS,
    BUBBLEWRAP,
    CONTAINER,
    DOCKER,
    LIMITS,
    LOCAL,
    NAMES,
    Backend,
    missing,
    open_backend,
)

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


def own_containers(client: docker.DockerClient) -> list[docker.models.containers.Container]:
    """Of this process, the newest first."""
    own = [
        container
        for container in client.containers.list(filters={"label": "tir-agent.owner"})
        if container.labels["tir-agent.owner"] == Owner.this().label()
    ]
    return sorted(own, key=lambda container: str(container.attrs["Created"]), reverse=True)


async def test_a_killed_container_loses_its_sessions_and_is_replaced() -> None:
    said: list[str] = []
    await (await open_backend(DOCKER)).close()
    async with await open_sandbox(KernelChoice.DOCKER, LIMITS, deviate=said.append) as sandbox:
        session = await sandbox.session()
        running = asyncio.create_task(session.execute("import time; time.sleep(60)", timeout=60))
        await asyncio.sleep(0.5)
        with contextlib.closing(docker.from_env()) as client:
            own_containers(client)[0].kill()
        with pytest.raises(SandboxLost):
            await running
        with pytest.raises(SandboxLost):
            await session.execute("1", timeout=20)
        await session.close()
        fresh = await sandbox.session()
        assert (await fresh.execute("6 * 7", timeout=60)).result == "42"
        assert said == ["The sandbox had ended by itself and was started again"]
        assert (await sandbox.load()).restarts == 1
        assert (await sandbox.grade("1", "1", timeout=30)).verdict is Verdict.CORRECT


async def test_a_run_whose_sandbox_dies_over_its_answer_keeps_the_answer() -> None:
    with contextlib.closing(docker.from_env()) as client:
        others = {container.id for container in own_containers(client)}
    async with await open_backend(DOCKER) as sandbox:

        async def kill_while_grading() -> None:
            while (await sandbox.load()).sessions:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.02)
            # The comparison begins when the session has gone, and goes on for ten seconds.
            await asyncio.sleep(2)
            with contextlib.closing(docker.from_env()) as client:
                for container in own_containers(client):
                    if container.id not in others:
                        container.kill()

        class Killer(Observer):
            def reply_ended(self, action: Action) -> None:
                self.killing = asyncio.create_task(kill_while_grading())

        model = ScriptedModel([r"So it is \boxed{\int_0^\infty x^{x^x} dx}."])
        agent = Agent(model, sandbox, load_prompt("tir"), RunSettings(model="scripted"))
        killer = Killer()
        trajectory = await agent.solve(problem_from_text("What is it?", gold="5"), observer=killer)
        await killer.killing
    assert (trajectory.stop, trajectory.answer) == (StopReason.ANSWERED, r"\int_0^\infty x^{x^x} dx")
    assert (trajectory.grade, trajectory.failure) == (None, None)
    assert trajectory.notes[-1].startswith("The answer was not graded: The sandbox is gone")


@pytest.mark.parametrize("backend", [DOCKER, BUBBLEWRAP, LOCAL], ids=NAMES.get)
@pytest.mark.parametrize("victim", ["forkserver", "janitor"])
async def test_a_dead_fork_server_is_noticed_and_replaced(backend: Backend, victim: str) -> None:
    others = fork_servers()
    async with await open_backend(backend) as sandbox:
        await (await sandbox.session()).close()
        # The janitor is forked from the server, and so comes after it.
        server, janitor = sorted(fork_servers() - others)
        os.kill(server if victim == "forkserver" else janitor, signal.SIGKILL)
        await asyncio.sleep(0.5)
        session = await sandbox.session()
        assert (await session.execute("6 * 7", timeout=60)).result == "42"
        assert (await sandbox.load()).restarts == 1


def fork_servers() -> set[int]:
    """Processes of root that run the fork server's program: the server itself, and its janitor."""
    found = set()
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().split(b"\0")
            program = b"/".join(command[1:2]).endswith(b"forkserver.py")
            if program and folder.stat().st_uid == os.getuid():
                found.add(int(folder.name))
    return found


async def test_what_a_dead_host_left_is_swept_and_nothing_else() -> None:
    await (await open_backend(DOCKER)).close()
    client = docker.from_env()
    this = Owner.this()
    owners = {
        "of nobody": Owner(this.boot, this.pid, this.started - 1).label(),
        "of another machine": Owner("elsewhere", this.pid, this.started - 1).label(),
        "of a live process": this.label(),
        "of something else": "not ours",
    }
    made = {
        name: client.containers.create(
            image.tag(), labels={"tir-agent.owner": label}, name=f"tir-test-{os.getpid()}-{number}"
        )
        for number, (name, label) in enumerate(owners.items())
    }
    try:
        sweep_containers(client)
        left = {container.id for container in client.containers.list(all=True)}
        assert {name for name, container in made.items() if container.id in left} == {
            "of another machine",
            "of a live process",
            "of something else",
        }
    finally:
        for container in made.values():
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True)
        client.close()


async def test_sessions_are_kept_ready_and_no_more_than_asked_for() -> None:
    await (await open_backend(DOCKER)).close()
    async with await open_sandbox(KernelChoice.DOCKER, LIMITS, pool=3) as sandbox:
        assert await settled(sandbox) == (3, 3)
        sessions = [await sandbox.session() for _ in range(2)]
        assert await settled(sandbox) == (5, 3)
        for session in sessions:
            await session.execute("a = 1", timeout=20)
            await session.close()
        assert (await (await sandbox.session()).execute("a", timeout=20)).status is ExecutionStatus.ERROR
        assert await settled(sandbox) == (4, 3)


async def settled(sandbox: JailSandbox) -> tuple[int, int]:
    """How many sessions there are, and how many are ready, when the pool is full again."""
    for _ in range(100):
        load = await sandbox.load()
        if load.ready == 3:
            break
        await asyncio.sleep(0.1)
    return load.sessions, load.ready


async def test_a_container_each_ends_with_its_session() -> None:
    client = docker.from_env()
    # Sandboxes of other tests may be open in this process.
    before = {container.id for container in own_containers(client)}
    async with await open_backend(CONTAINER) as sandbox:
        session = await sandbox.session()
        (born,) = await session.branch()
        count = len(own_containers(client))
        await session.close()
        assert (await born.execute("6 * 7", timeout=30)).result == "42"
        await born.close()
        await asyncio.sleep(0.2)
        assert len(own_containers(client)) <= count
        load = await sandbox.load()
        assert load.jails <= 1 + 2
    assert {container.id for container in own_containers(client)} <= before
    client.close()


async def test_a_runtime_that_the_engine_does_not_know_is_a_sentence() -> None:
    await (await open_backend(DOCKER)).close()
    with pytest.raises(SandboxUnavailable, match="no-such-runtime") as caught:
        await open_sandbox(KernelChoice.DOCKER, LIMITS, runtime="no-such-runtime")
    assert "\n" not in caught.value.message
    async with await open_sandbox(KernelChoice.DOCKER, LIMITS, runtime="runc") as sandbox:
        assert (await (await sandbox.session()).execute("6 * 7", timeout=30)).result == "42"


@pytest.mark.parametrize("kernel", [KernelChoice.BUBBLEWRAP, KernelChoice.LOCAL])
async def test_a_runtime_is_an_option_of_dockers(kernel: KernelChoice) -> None:
    with pytest.raises(UsageError, match="runtime"):
        await open_sandbox(kernel, LIMITS, runtime="runc")
    with pytest.raises(UsageError, match="isolates nothing"):
        await open_sandbox(KernelChoice.LOCAL, LIMITS, isolation=Isolation.CONTAINER)


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
