"""Collecting on a real Ray cluster: several node processes on this machine, which are killed and join."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

import docker
import pytest
import pytest_asyncio

from tir_agent.collect.event_log import EVENT_LOG, read_events
from tir_agent.collect.events import Event, EventName, RunEnded, SampleDone, WorkerLost
from tir_agent.kernel.owner import Owner
from tir_agent.store import Key, RunReader

from conformance import VLLM, ConformanceServer, Pace, Record, scripted
from conftest import docker_is_here, missing
from model_server import is_question

HOST = Path(__file__).parent / "ray_host.py"
DEADLINE = 120.0
# Three sandboxes and a cluster are started on what may be two busy processors.
pytestmark = pytest.mark.timeout(400)
KEY = "sk-not-for-anybody"
PROMPT = Path(__file__).parent.parent / "prompts" / "tir.yaml"
WITHOUT_CODE = ("--prompt", "cot")
"""No problem has a gold answer then, and no node starts a sandbox: for what is about something else."""
MIND = scripted("Let me compute.\n```python\nprint(2 + 2)\n```\n", "So it is \\boxed{4}.")


def parents() -> dict[int, int]:
    """Of all processes."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return found


def command(pid: int) -> str:
    """Empty for one that has ended, whether or not its parent has heard of it."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def descendants(pids: list[int]) -> list[int]:
    """What these processes have started, directly or not."""
    found, above = list(pids), parents()
    for pid in found:
        found += [child for child, parent in above.items() if parent == pid]
    return found[len(pids) :]


@dataclass(frozen=True)
class Node:
    pid: int
    """Of its raylet."""
    id: str

    def workers(self) -> list[int]:
        """Processes of tir-agent's workers there."""
        children = [pid for pid, parent in parents().items() if parent == self.pid]
        return [pid for pid in children if command(pid).startswith("ray::RayWorker")]


class Host:
    """`ray_host.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.address = ""
        self.logs = Path()
        self.nodes: list[Node] = []

    async def begin(self) -> None:
        facts = await self._hear()
        self.address, self.logs = str(facts["address"]), Path(str(facts["logs"]))

    async def add(self) -> Node:
        facts = await self._ask("add")
        node = Node(int(str(facts["pid"])), str(facts["id"]))
        self.nodes.append(node)
        return node

    async def kill(self, node: Node) -> None:
        self.nodes.remove(node)
        await self._ask(f"kill {node.pid}")

    async def only(self, count: int) -> None:
        """So many, and no more."""
        await self.have(count)
        for node in self.nodes[count:]:
            await self.kill(node)

    async def have(self, count: int) -> list[Node]:
        """So many nodes, whatever other tests did to them."""
        while len(self.nodes) < count:
            await self.add()
        return self.nodes

    def workers(self) -> list[int]:
        return [pid for node in self.nodes for pid in node.workers()]

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), DEADLINE)

    async def _ask(self, line: str) -> dict[str, object]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self._hear()

    async def _hear(self) -> dict[str, object]:
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), DEADLINE)
            assert line, "the cluster's host has ended"
            # Ray prints there too.
            if line.startswith(b"{"):
                facts: dict[str, object] = json.loads(line)
                return facts


@pytest_asyncio.fixture(scope="module")
async def cluster() -> AsyncIterator[Host]:
    """A head, which takes no work; `have` adds the nodes."""
    if importlib.util.find_spec("ray") is None:
        missing("Ray is not installed")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HOST),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        start_new_session=True,
    )
    host = Host(process)
    try:
        await host.begin()
        yield host
        await host.end()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[ConformanceServer]:
    """One for all tests, so that only the first worker of all asks it what it can do."""
    async with ConformanceServer(VLLM, {"m": MIND}, key=KEY, pace=Pace(0.3)) as opened:
        yield opened


class Run:
    """A driver: the real command, in a process group of its own, as on a terminal."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self.folder = folder

    def events(self) -> list[Event]:
        log = self.folder / EVENT_LOG
        return list(read_events(log)) if log.exists() else []

    def done(self) -> list[SampleDone]:
        return [event for event in self.events() if isinstance(event, SampleDone)]

    def lost(self) -> list[WorkerLost]:
        return [event for event in self.events() if isinstance(event, WorkerLost)]

    def ended(self) -> RunEnded:
        event = self.events()[-1]
        assert isinstance(event, RunEnded)
        return event

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for it, while the driver is at work."""
        async with asyncio.timeout(DEADLINE):
            while not condition():
                assert self.process.returncode is None, await self.end()
                await asyncio.sleep(0.05)

    async def end(self) -> str:
        """What it said."""
        out, _ = await asyncio.wait_for(self.process.communicate(), DEADLINE)
        return out.decode()

    def check_once(self, problems: int | None) -> None:
        """Each sample is in the folder once; all of them, where `problems` says how many there are."""
        reader = RunReader.open(self.folder)
        assert not reader.faults()
        counts = Counter(
            Key(one.problem.id, one.sample.arm, one.sample.index)
            for one in reader.trajectories()
            if one.sample is not None
        )
        assert set(counts.values()) == {1}
        if problems is not None:
            assert len(counts) == 2 * problems
            assert {key.index for key in counts} == {0, 1}
            assert {key.problem for key in counts} == {problem.id for problem in reader.problems()}


@asynccontextmanager
async def driver(cluster: Host, server: ConformanceServer, folder: Path, *more: str) -> AsyncIterator[Run]:
    """`tir collect` of the problems in `folder`, two samples each; the run is beside them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tir_agent", "collect", "problems.jsonl"),
        *("--model", "m", "--samples", "2", "--out", "run", "--base-url", server.url),
        *("--engine", "ray", "--ray-address", cluster.address),
        *(more if "--kernel" in more else ("--kernel", "local", *more)),
        cwd=folder,
        env={**os.environ, "TIR_HOME": str(folder.parent / "home"), "OPENAI_API_KEY": KEY},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Run(process, folder / "run")
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


def write_problems(folder: Path, count: int, *, golds: bool = False) -> None:
    gold = {"answer": "4"} if golds else {}
    rows = ({"problem": f"What is {number} + {4 - number}?", **gold} for number in range(count))
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


async def gone(pids: list[int]) -> None:
    """Wait until none of these processes is there."""
    async with asyncio.timeout(DEADLINE):
        while any(command(pid) for pid in pids):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def most_at_once(records: list[Record]) -> int:
    """The most requests that the server had at a time, without those of probes, which no limit is about."""
    runs = [record for record in records if not is_question(dict(record.body))]
    return max(sum(one.started <= record.started < (one.ended or inf) for one in runs) for record in runs)


async def test_all_nodes_work_and_every_trajectory_arrives_once(
    cluster: Host, server: ConformanceServer, tmp_path: Path
) -> None:
    await cluster.have(3)
    write_problems(tmp_path, 30, golds=True)
    # A file that the workers do not find under this name: it has to come to them by its content.
    (tmp_path / "mine.yaml").write_bytes(PROMPT.read_bytes() + b"# mine\n")
    more = ("--prompt", "mine.yaml", "--at-once", "18", "--concurrent", "6")
    async with driver(cluster, server, tmp_path, *more) as run:
        said = await run.end()
        assert run.process.returncode == 0, said
        assert most_at_once(server.log.records) <= 6
    run.check_once(30)
    assert len({event.worker for event in run.done()}) == 3
    assert not run.lost()
    (prompt,) = {one.prompt for one in RunReader.open(run.folder).trajectories()}
    assert prompt.name == "mine"
    # What is not done as asked is heard of here, and so is who said it; Ray itself is quiet.
    assert said.count("without any isolation") == 3
    assert "raylet" not in said
    assert "[33m" not in said
    for place in (cluster.logs, run.folder):
        files = [path for path in place.rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if KEY.encode() in path.read_bytes()]
    await gone(cluster.workers())


async def test_a_worker_and_then_a_node_are_killed_and_nothing_is_missing_or_twice(
    cluster: Host, server: ConformanceServer, tmp_path: Path
) -> None:
    nodes = await cluster.have(3)
    write_problems(tmp_path, 30)
    victim, other = nodes[0], nodes[1]
    async with driver(cluster, server, tmp_path, "--at-once", "6", *WITHOUT_CODE) as run:
        await run.until(lambda: len({event.worker for event in run.done()}) == 3)
        (worker,) = victim.workers()
        os.kill(worker, signal.SIGKILL)
        await run.until(run.lost)
        await cluster.kill(other)
        said = await run.end()
        assert run.process.returncode == 0, said
    run.check_once(30)
    first, second = run.lost()
    assert victim.id[:8] in first.worker
    assert other.id[:8] in second.worker
    assert first.running + second.running >= 1
    assert said.count("is gone") == 2
    assert "raylet" not in said
    assert run.ended().given_up == 0


async def test_a_node_that_joins_gets_work_and_one_that_loses_its_worker_a_new_one(
    cluster: Host, server: ConformanceServer, tmp_path: Path
) -> None:
    await cluster.have(2)
    write_problems(tmp_path, 2000)
    async with driver(cluster, server, tmp_path, "--at-once", "6", *WITHOUT_CODE) as run:
        await run.until(run.done)
        new = await cluster.add()

        def with_new() -> int:
            return sum(new.id[:8] in (event.worker or "") for event in run.done())

        await run.until(with_new)
        (worker,) = new.workers()
        os.kill(worker, signal.SIGKILL)
        await run.until(run.lost)
        before = with_new()
        await run.until(lambda: with_new() > before)
        # Once: what is under way comes to its end, and is kept.
        run.signal(signal.SIGINT)
        said = await run.end()
        assert run.process.returncode == 130, said
    run.check_once(None)
    started = Counter(event.event for event in run.events())
    assert started[EventName.SAMPLE_STARTED] == (
        started[EventName.SAMPLE_DONE] + started[EventName.SAMPLE_FAILED]
    )
    await gone(cluster.workers())


async def test_a_driver_that_was_killed_leaves_nothing_behind_and_goes_on_where_it_stopped(
    cluster: Host, server: ConformanceServer, tmp_path: Path
) -> None:
    await cluster.only(2)
    write_problems(tmp_path, 30)
    async with driver(cluster, server, tmp_path, "--at-once", "9") as run:
        await run.until(lambda: len(run.done()) >= 9)
        workers = cluster.workers()
        assert len(workers) == 2
        started = descendants(workers)
        assert started
        os.kill(run.process.pid, signal.SIGKILL)
        await run.end()
        kept = {Key(one.problem, one.arm, one.index) for one in run.done()}
        await gone([*workers, *started])
    async with driver(cluster, server, tmp_path, "--at-once", "18") as again:
        said = await again.end()
        assert again.process.returncode == 0, said
    again.check_once(30)
    after = again.events()
    begun = max(number for number, event in enumerate(after) if event.event == "run_started")
    made = [Key(one.problem, one.arm, one.index) for one in after[begun:] if isinstance(one, SampleDone)]
    assert len(made) == len(set(made)) <= 60 - len(kept)
    assert kept.isdisjoint(made)


async def test_ctrl_c_twice_ends_the_containers_on_all_nodes(
    cluster: Host, server: ConformanceServer, tmp_path: Path
) -> None:
    await docker_is_here()
    await cluster.only(2)
    write_problems(tmp_path, 2000)
    client = docker.from_env()
    pace, at_once = server.pace, 6

    def owned(pids: list[int]) -> list[str]:
        labels = {
            str(one.id): one.labels.get("tir-agent.owner", "") for one in client.containers.list(all=True)
        }
        owners = {name: Owner.parse(label) for name, label in labels.items()}
        return [name for name, owner in owners.items() if owner is not None and owner.pid in pids]

    try:
        more = ("--kernel", "docker", "--at-once", str(at_once))
        async with driver(cluster, server, tmp_path, *more) as run:
            await run.until(lambda: len({event.worker for event in run.done()}) == len(cluster.nodes))
            workers = cluster.workers()
            assert len(owned(workers)) == len(cluster.nodes)
            # From now on nothing comes to its end by itself between the two signals.
            before = len(server.log.records)
            server.pace = Pace(DEADLINE)
            await run.until(
                lambda: sum(record.ended is None for record in server.log.records[before:]) == at_once
            )
            run.signal(signal.SIGINT)
            await run.until(lambda: "stopping" in [event.event for event in run.events()])
            run.signal(signal.SIGINT)
            said = await run.end()
            assert run.process.returncode == 130, said
            assert owned(workers) == []
        await gone(workers)
        assert run.ended().ending == "cancelled"
        run.check_once(None)
    finally:
        server.pace = pace
        client.close()


async def test_with_all_nodes_gone_it_gives_up_and_can_be_resumed(
    cluster: Host, server: ConformanceServer, tmp_path: Path
) -> None:
    nodes = await cluster.have(1)
    write_problems(tmp_path, 10)
    more = ("--at-once", "4", *WITHOUT_CODE, "--set", "operation.patience=3")
    async with driver(cluster, server, tmp_path, *more) as run:
        await run.until(run.done)
        for node in list(nodes):
            await cluster.kill(node)
        said = await run.end()
        assert run.process.returncode == 1, said
        assert "Nothing has worked" in said
    await cluster.have(1)
    async with driver(cluster, server, tmp_path, *more) as again:
        said = await again.end()
        assert again.process.returncode == 0, said
    again.check_once(10)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--engine", "ray"), "pip install 'tir-agent[ray]'"),
        (("--ray-address", "here:1"), "--engine ray"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    write_problems(tmp_path, 1)
    (tmp_path / "ray.py").write_text("raise ImportError\n")
    done = subprocess.run(
        [sys.executable, "-m", "tir_agent", "collect", "problems.jsonl", "--model", "m", *arguments],
        cwd=tmp_path,
        env={**os.environ, "TIR_HOME": str(tmp_path), "OPENAI_BASE_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_engine_nothing_of_ray_is_imported() -> None:
    code = "import sys, tir_agent.cli.collect, tir_agent.collect.ray_crew; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout == "False\n"
