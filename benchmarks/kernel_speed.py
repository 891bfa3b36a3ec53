"""How fast are fresh, isolated kernels, beside what one would use instead?

    pip install -e '.[bench]' && tir sandbox build && tir sandbox build --kernel bubblewrap
    python benchmarks/kernel_speed.py [--sessions 30] [--at-once 8] [--idle 500] [--out docs/benchmarks]
        [--only docker gateway ...] [--base IMAGE] [--network host] [--ca-bundle FILE]

Measures in one run, round robin, so that noise hits all alike:

- latency, one session at a time: from asking for a session to the output of a first SymPy cell, and the round
  trip of `print(1)` in an open session;
- throughput: sessions of three small SymPy cells a second, opening and closing included, several at once. The
  first ones of a round are not counted, so that a pool that was full when it began is no head start;
- branching: `session.branch(1)` of a session with two million numbers, beside a fresh session's start;
- memory: what an idle session has to itself (USS), beside an ipykernel with SymPy imported. Root alone may
  read it of processes of other users. Page tables and the like are in the container's figure only.

Every output is compared with what it must be. What a system does once, ahead of all sessions, is not measured
(building an image, starting a server, filling a pool), nor are hundreds of sessions that compute at the same
time. The rivals in Docker get the sandbox's versions of SymPy and NumPy, those on the host its Python
environment. What cannot run here is reported as not measured, with the reason.

Writes `kernel_speed.json` (every single figure), `kernel_speed.md` and two plots into the folder `--out`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import resource
import signal
import sys
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tir_agent.kernel.image import DEFAULT_BASE
from tir_agent.settings import Isolation, KernelChoice

from rivals.base import NotMeasured, Rival
from rivals.docker_run import DockerRunRival
from rivals.fork import ForkRival
from rivals.host_kernel import HostKernelRival
from rivals.image import ImageOptions, remove_containers
from rivals.machine import describe_machine
from rivals.measure import branch_once, latency_once, throughput_once
from rivals.memory import host_memory, tir_memory
from rivals.plots import plot
from rivals.report import as_markdown, print_tables
from rivals.results import Branching, Figures, MemoryFigures, Results
from rivals.tir import TirRival

HERE = Path(__file__).parent
SYSTEMS = ("docker", "container", "bubblewrap", "fork", "ipykernel", "gateway", "docker-run")
PARTS = (*SYSTEMS, "branching", "memory")
FEW_IDLE, HOST_IDLE = 50, 5


def docker_sandbox(pool: int = 1) -> TirRival:
    told = "a user id of its own in one container"
    return TirRival("tir-agent docker", KernelChoice.DOCKER, told, pool=pool)


def make_rival(key: str, arguments: argparse.Namespace) -> Rival:
    """The system that `--only` calls `key`.

    Raises:
        NotMeasured: a package that it needs is not installed.
    """
    match key:
        case "docker":
            return docker_sandbox()
        case "container":
            return TirRival(
                "tir-agent docker, a container each",
                KernelChoice.DOCKER,
                "a container of its own, from a pool",
                isolation=Isolation.CONTAINER,
                pool=arguments.at_once,
            )
        case "bubblewrap":
            kept_apart = "a user id of its own in one jail"
            return TirRival("tir-agent bubblewrap", KernelChoice.BUBBLEWRAP, kept_apart)
        case "fork":
            return ForkRival()
        case "ipykernel":
            return HostKernelRival()
        case "docker-run":
            return DockerRunRival(arguments.image)
    try:
        from rivals.gateway import GatewayRival
    except ImportError as error:
        raise NotMeasured(f"{error.name} is not installed: pip install -e '.[bench]'") from None
    return GatewayRival(arguments.image)


class Benchmark:
    """One run."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        self._arguments = arguments
        self._console = console
        settings = {
            "latency": f"{arguments.sessions} sessions of each system, one at a time; medians",
            "at once": str(arguments.at_once),
            "throughput": f"{arguments.rounds} rounds of {arguments.seconds:g} seconds or more; medians",
        }
        self.results = Results(machine=describe_machine(), settings=settings)
        self._running: list[tuple[Rival, Figures]] = []

    async def run(self) -> Results:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await asyncio.to_thread(remove_containers, others=True)
        async with AsyncExitStack() as stack:
            for key in SYSTEMS:
                if key in self._arguments.only:
                    await self._start(key, stack)
            if self._running:
                with Progress(console=self._console) as progress:
                    await self._measure_speed(progress)
        async with AsyncExitStack() as stack:
            await self._measure_docker(stack)
        return self.results

    async def _start(self, key: str, stack: AsyncExitStack) -> None:
        self._console.print(f"starting {key}")
        figures = Figures(name=key, isolation="")
        self.results.systems.append(figures)
        try:
            rival = make_rival(key, self._arguments)
        except NotMeasured as error:
            figures.reason = str(error)
            return
        figures.name, figures.isolation = rival.name, rival.isolation
        stack.push_async_callback(rival.close)
        await self._attempt(figures, rival.start())
        if figures.reason is None:
            self._running.append((rival, figures))

    async def _measure_speed(self, progress: Progress) -> None:
        arguments, numbers = self._arguments, itertools.count()
        # The first session of each finds cold caches; it is not counted.
        for rival, figures in self._running:
            await self._attempt(figures, latency_once(rival, Figures(name="", isolation="")))
        for _ in progress.track(range(arguments.sessions), description="latency"):
            for rival, figures in self._alive():
                await self._attempt(figures, latency_once(rival, figures))
        for _ in progress.track(range(arguments.rounds), description="throughput"):
            for rival, figures in self._alive():
                window = throughput_once(rival, arguments.at_once, arguments.seconds, numbers, figures)
                await self._attempt(figures, window)

    def _alive(self) -> list[tuple[Rival, Figures]]:
        return [(rival, figures) for rival, figures in self._running if figures.reason is None]

    async def _measure_docker(self, stack: AsyncExitStack) -> None:
        """What is measured of tir-agent's Docker sandbox with nothing else running."""
        only = self._arguments.only
        if not {"branching", "memory"} & set(only):
            return
        # Without a pool: a fresh session's start is compared with.
        rival, host = docker_sandbox(pool=0), HostKernelRival()
        started = Branching()
        for one in (rival, host):
            stack.push_async_callback(one.close)
            await self._attempt(started, one.start())
        if "branching" in only:
            self.results.branching = started
            for _ in range(self._arguments.sessions):
                if started.reason is None:
                    await self._attempt(started, branch_once(rival, started))
        if "memory" in only:
            await self._measure_memory(rival, host)

    async def _measure_memory(self, rival: TirRival, host: HostKernelRival) -> None:
        for asked, cell in ((FEW_IDLE, False), (FEW_IDLE, True), (self._arguments.idle, False)):
            figures = self._memory(f"{rival.name}{', after a SymPy cell' if cell else ''}", asked)
            await self._attempt(figures, tir_memory(rival, figures, cell=cell))
        for cell in (False, True):
            name = f"ipykernel on the host, SymPy imported{', after a SymPy cell' if cell else ''}"
            figures = self._memory(name, HOST_IDLE)
            await self._attempt(figures, host_memory(host, figures, cell=cell))

    def _memory(self, name: str, asked: int) -> MemoryFigures:
        self._console.print(f"memory: {name}, {asked} sessions")
        figures = MemoryFigures(name=name, asked=asked)
        self.results.memory.append(figures)
        return figures

    async def _attempt(self, figures: Figures | Branching | MemoryFigures, work: Awaitable[None]) -> None:
        """Whatever goes wrong in a rival is a line of the report, and the others go on."""
        try:
            await work
        except Exception as error:
            figures.reason = str(error) or type(error).__name__
            self._console.print(f"not measured: {figures.reason}", markup=False)


def write(results: Results, folder: Path, console: Console) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel_speed.json").write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / "kernel_speed.md").write_text(as_markdown(results, "Kernel speed"), encoding="utf-8")
    try:
        plot(results, folder)
    except ImportError:
        console.print("no plots: matplotlib is not installed: pip install -e '.[bench]'", markup=False)
    console.print(f"written to {folder}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sessions", type=int, default=30, help="of each system, for the latency")
    parser.add_argument("--at-once", type=int, default=8, help="sessions, for the throughput")
    parser.add_argument("--rounds", type=int, default=3, help="of the throughput")
    parser.add_argument("--seconds", type=float, default=8.0, help="of one round, for each system")
    parser.add_argument("--idle", type=int, default=500, help="sessions, for the memory")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--base", default=DEFAULT_BASE, help="image on which that of the rivals is built")
    parser.add_argument("--network", help="network of that build, such as 'host'")
    parser.add_argument("--ca-bundle", type=Path, help="certificates (PEM) that pip trusts during that build")
    arguments = parser.parse_args()
    if arguments.ca_bundle is not None and not arguments.ca_bundle.is_file():
        parser.error(f"there is no file {arguments.ca_bundle}")
    if min(arguments.sessions, arguments.at_once, arguments.rounds, arguments.idle) < 1:
        parser.error("--sessions, --at-once, --rounds and --idle are at least 1")
    arguments.image = ImageOptions(arguments.base, arguments.network, arguments.ca_bundle)
    return arguments


def main() -> int:
    arguments, console = parse_arguments(), Console(stderr=True)
    # Hundreds of sessions have some thousand sockets.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        results = asyncio.run(Benchmark(arguments, console).run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    finally:
        # After the last thread that might still have started one.
        remove_containers()
    write(results, arguments.out, console)
    print_tables(results, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
