"""What does the runtime itself cost, with a model that takes no processor time?

    pip install -e '.[bench]' && tir sandbox build
    python benchmarks/orchestration.py [--at-once 1 16 64 256] [--kernel docker] [--latency 0.2] [--quick]
        [--profile] [--only-own] [--python smolagents=PATH ...] [--out docs/benchmarks]

A local server stands for the model: it answers every request after the same time, and knows the replies. Real
agents solve problems of three and four turns, all at once, through real HTTP and in real sessions of the
sandbox. The same sessions and cells run in turn without agent, model and HTTP; their time and the model's
are the ideal, with which the agents' time is compared. A batch in which any trajectory ends without the
right answer is no figure: the benchmark stops.

Also: the loop and the client alone, without a kernel; and the same problems in other runtimes, for each of
which an environment is made in the user's cache folder, once, unless `--python` names an interpreter that
has it.

Writes `orchestration.json` (every figure), `orchestration.md` and a plot into the folder `--out`.
Exit status: 0; 1 if there is no sandbox or a trajectory was wrong; 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import io
import pstats
import resource
import sys
from pathlib import Path

from rich.console import Console

from tir_agent.errors import TirError
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice, Limits

from orchestration_report import as_markdown, plot, print_tables
from orchestration_results import Level, Results
from orchestration_rivals import RIVALS, measure, own_figures
from orchestration_run import Server, Wrong, agents, kernels, model_server
from orchestration_task import Form, task
from rivals.machine import describe_machine
from rivals.measure import quiet

HERE = Path(__file__).parent
_MEDIAN_OF = 48
"""So many trajectories at least make up a level, in batches; but never more than `--rounds` batches."""
_PROFILED = 30


class Benchmark:
    """One run."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        self._arguments = arguments
        self._console = console
        reply = (
            f"{arguments.latency:g} s, streamed in {arguments.bursts} bursts, an event for four characters"
        )
        settings = {"reply": reply, "sandbox": arguments.kernel.value}
        settings["batches"] = f"{arguments.rounds} at most of each level; medians"
        self.results = Results(machine=describe_machine(), settings=settings)

    async def run(self) -> Results:
        arguments = self._arguments
        async with model_server(arguments.latency, arguments.bursts) as server:
            async with await open_sandbox(arguments.kernel, Limits()) as sandbox:
                # The first ones find cold caches; they are not counted.
                await kernels(sandbox, [task(0)])
                await agents(server, Form.FENCES, sandbox, [task(0)])
                for at_once in arguments.at_once:
                    self.results.levels.append(await self._level(server, sandbox, at_once))
                if arguments.profile:
                    await self._profile(server, sandbox)
            self.results.no_kernel = await self._level(server, None, max(arguments.at_once))
            if not arguments.only_own:
                await self._others(server)
        return self.results

    async def _level(self, server: Server, sandbox: Sandbox | None, at_once: int) -> Level:
        form = Form.FENCES if sandbox is not None else Form.PROSE
        tasks = [task(number) for number in range(1, at_once + 1)]
        name = str(at_once) if sandbox is not None else f"{at_once}, no kernel"
        turns = max(one.turns(form) for one in tasks)
        level = Level(name=name, at_once=at_once, turns=turns, latency=server.latency)
        rounds = min(max(2, -(-_MEDIAN_OF // at_once)), self._arguments.rounds)
        for number in range(rounds):
            self._console.print(f"{name} at once: batch {number + 1} of {rounds}")
            if sandbox is not None:
                level.kernels.append(await kernels(sandbox, tasks))
                await quiet()
            level.agents.append(await agents(server, form, sandbox, tasks))
            await quiet()
        return level

    async def _profile(self, server: Server, sandbox: Sandbox) -> None:
        """One more batch under cProfile, which makes everything slower: its time is not counted."""
        self._console.print("profile")
        tasks = [task(number) for number in range(1, max(self._arguments.at_once) + 1)]
        profile, text = cProfile.Profile(), io.StringIO()
        profile.enable()
        try:
            await agents(server, Form.FENCES, sandbox, tasks)
        finally:
            profile.disable()
        pstats.Stats(profile, stream=text).strip_dirs().sort_stats("tottime").print_stats(_PROFILED)
        self.results.profile = [line for line in text.getvalue().splitlines() if line.strip()]

    async def _others(self, server: Server) -> None:
        arguments, rivals = self._arguments, self.results.rivals
        rivals.append(own_figures(self.results.levels[-1]))
        for rival in RIVALS:
            self._console.print(f"beside: {rival.name}")
            python = arguments.python.get(rival.name)
            count = max(max(arguments.at_once) // (1 if arguments.whole else rival.share), 1)
            rivals.append(
                await measure(rival, server, count, arguments.patience, python, self._console.print)
            )
            await quiet()


def write(results: Results, folder: Path, console: Console) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orchestration.json").write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / "orchestration.md").write_text(as_markdown(results), encoding="utf-8")
    try:
        plot(results, folder)
    except ImportError:
        console.print("no plot: matplotlib is not installed: pip install -e '.[bench]'", markup=False)
    console.print(f"written to {folder}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 16, 64, 256], help="trajectories")
    parser.add_argument(
        "--kernel", type=KernelChoice, choices=list(KernelChoice), default=KernelChoice.DOCKER
    )
    parser.add_argument(
        "--latency", type=float, default=0.2, help="seconds from a request to its reply's end"
    )
    parser.add_argument("--bursts", type=int, default=4, help="in which a streamed reply comes")
    parser.add_argument("--rounds", type=int, default=3, help="batches of each level, at most")
    parser.add_argument("--quick", action="store_true", help="8 at once, two batches, no others")
    parser.add_argument("--profile", action="store_true", help="also show where the time of one batch goes")
    parser.add_argument("--only-own", action="store_true", help="leave the other runtimes out")
    parser.add_argument("--whole", action="store_true", help="give the slow ones of them no smaller share")
    parser.add_argument("--patience", type=float, default=150.0, help="seconds for each of the others")
    parser.add_argument("--python", nargs="+", default=[], help="NAME=PATH: an interpreter that has NAME")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.at_once, arguments.rounds, arguments.only_own = [8], 2, True
    arguments.at_once = sorted(arguments.at_once)
    if min(*arguments.at_once, arguments.bursts, arguments.rounds) < 1 or arguments.latency <= 0:
        parser.error("--at-once, --bursts and --rounds are at least 1, and --latency is above 0")
    names = {rival.name for rival in RIVALS}
    pairs = [pair.partition("=") for pair in arguments.python]
    if not all(name in names and path for name, _, path in pairs):
        parser.error(f"--python wants NAME=PATH with one of the names {', '.join(sorted(names))}")
    arguments.python = {name: Path(path) for name, _, path in pairs}
    return arguments


def main() -> int:
    arguments, console = parse_arguments(), Console(stderr=True)
    # Hundreds of sessions have some thousand sockets.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        results = asyncio.run(Benchmark(arguments, console).run())
    except (TirError, Wrong) as error:
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    write(results, arguments.out, console)
    print_tables(results, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
