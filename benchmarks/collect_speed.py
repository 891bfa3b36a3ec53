"""What does collecting cost? Trajectories a minute, processor time and memory of `tir collect`.

    pip install -e '.[bench]' && tir sandbox build
    python benchmarks/collect_speed.py [--at-once 64 128 256 512] [--latency 0.05] [--rounds 2] [--long 50000]
        [--growth FILE] [--write]

The real command against a local server that answers every request after the same time and knows the
replies: problems with two or three dependent cells in real kernels, and problems that take prose alone. The
sessions with the same cells also run bare, without model and collector: what the kernels alone could do. Of
several short runs the best one counts, since other work on the machine only ever makes them slower.

Then a slower run under a profiler says which part of the program had the processor, and a long run of
prose says whether the memory grows (`--growth` takes one that was measured before, from the JSON).

Writes `docs/benchmarks/collect_speed.md` and `.json`, and two plots, with `--write`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console

from tir_agent.collect.event_log import EVENT_LOG, read_events
from tir_agent.collect.events import SampleDone, SampleStarted
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice, Limits

from collect_command import Collecting, Hung, ModelServer, Place, until, write_problems
from collect_jails import cpu_of, jail_cpu
from collect_memory import Growth, grow
from collect_memory import plot as plot_memory
from collect_profile import shares
from collect_results import Level, Profile, Results, Run
from collect_speed_report import as_markdown, plot, print_tables
from endurance_census import resident
from orchestration_run import kernels
from orchestration_task import Form, task
from rivals.machine import describe_machine

OUT = Path(__file__).parent.parent / "docs" / "benchmarks"
_SECONDS = 600.0
_SAMPLES = 4
_BARE = 128


class Benchmark:
    """One run of all of it."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        self._arguments = arguments
        self._console = console
        machine = describe_machine()
        if arguments.circumstances:
            machine["circumstances"] = arguments.circumstances
        self.results = Results(machine=machine, latency=arguments.latency)

    def run(self, done: Callable[[Results], None]) -> None:
        """All of it; `done` hears of what there is after each part."""
        arguments, results = self._arguments, self.results
        if arguments.growth:
            results.growth = Growth.model_validate_json(arguments.growth.read_bytes())
        for form in (Form.PROSE, Form.FENCES):
            results.profiles.append(self._profile(form))
            done(results)
            for at_once in arguments.at_once:
                results.levels.append(self._level(form, at_once))
                done(results)
        if arguments.long and not arguments.growth:
            self._console.print(f"{arguments.long} trajectories of prose")
            with _folder() as root:
                results.growth = grow(
                    root, arguments.long, latency=arguments.latency, at_once=64, seconds=arguments.patience
                )
            done(results)

    def _level(self, form: Form, at_once: int) -> Level:
        level = Level(form=form.value, at_once=at_once)
        count = max(at_once, 128) if form is Form.FENCES else max(2 * at_once, 600)
        for number in range(self._arguments.rounds):
            self._console.print(f"{form.value}, {at_once} at once, {count}: run {number + 1}")
            if form is Form.FENCES:
                level.bare.append(asyncio.run(self._bare(at_once)))
            with _folder() as root, ModelServer(self._arguments.latency) as server:
                level.runs.append(_measured(self._place(root, server, form, at_once, count), server, count))
        return level

    def _place(self, root: Path, server: ModelServer, form: Form, at_once: int, count: int) -> Place:
        place = Place(root, server.url, form, _SAMPLES, self._arguments.kernel, at_once)
        place.options = ("--no-check-golds",)
        if form is Form.PROSE:
            place.options += ("--prompt", "cot")
        write_problems(place.problems, range(1, count // _SAMPLES + 1), golds=form is not Form.PROSE)
        return place

    async def _bare(self, at_once: int) -> float:
        """Bare sessions a minute. More at once than `_BARE` take no less processor time."""
        at_once = min(at_once, _BARE)
        # Each sample of a problem has the same cells.
        tasks = [task(number // _SAMPLES + 1) for number in range(_BARE)]
        async with await open_sandbox(KernelChoice(self._arguments.kernel), Limits()) as sandbox:
            await kernels(sandbox, tasks[:2])
            began = time.monotonic()
            for at in range(0, len(tasks), at_once):
                await kernels(sandbox, tasks[at : at + at_once])
            return 60 * len(tasks) / (time.monotonic() - began)

    def _profile(self, form: Form) -> Profile:
        count = 100 if form is Form.FENCES else 600
        self._console.print(f"{form.value}: a profile")
        with _folder() as root, ModelServer(self._arguments.latency) as server:
            place = self._place(root, server, form, 64, count)
            stats = root / "stats"
            place.wrapper = (str(Path(__file__).parent / "collect_profiled.py"), str(stats))
            Collecting(place).wait(_SECONDS)
            return Profile(form=form.value, trajectories=count, seconds=shares(stats))


@contextmanager
def _folder() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="tcs-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _measured(place: Place, server: ModelServer, count: int) -> Run:
    """Processor times between the first sample's beginning and the last one's end.

    Raises:
        Hung: it did not collect them all.
    """
    log, shard = place.run / EVENT_LOG, place.run / "shards" / "00000.jsonl"
    collecting = Collecting(place)
    until(lambda: log.exists() or collecting.is_over, _SECONDS, "the first sample")
    pid = collecting.pid

    def times() -> tuple[float, float, float]:
        return cpu_of(pid), cpu_of(server.pid), jail_cpu(pid) if place.form is not Form.PROSE else 0.0

    before = after = times()
    used = 0
    while not collecting.is_over:
        after, used = times(), resident(pid) or used
        if shard.exists() and shard.read_bytes().count(b"\n") >= count:
            break
        time.sleep(0.1)
    load = os.getloadavg()[0]
    status = collecting.wait(_SECONDS)
    began: datetime | None = None
    ended: list[datetime] = []
    for event in read_events(log):
        if isinstance(event, SampleStarted) and began is None:
            began = event.time
        elif isinstance(event, SampleDone):
            ended.append(event.time)
    if status != 0 or len(ended) != count or began is None:
        raise Hung(f"{len(ended)} of {count} trajectories, status {status}: {place.said.read_text()[-1000:]}")
    cpu, server_cpu, jail = (max(late - early, 0.0) for early, late in zip(before, after, strict=True))
    return Run(
        trajectories=count,
        wall=(max(ended) - began).total_seconds(),
        cpu=cpu,
        server_cpu=server_cpu,
        jail_cpu=jail,
        resident=used,
        load=load,
    )


def write(results: Results, command: str) -> None:
    (OUT / "collect_speed.json").write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (OUT / "collect_speed.md").write_text(as_markdown(results, command), encoding="utf-8")
    plot(results, OUT / "collect_speed.png")
    if results.growth is not None:
        plot_memory(results.growth, OUT / "collect_memory.png")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--at-once", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--latency", type=float, default=0.05, help="of the model, in seconds")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each level, of which the best counts")
    parser.add_argument("--long", type=int, default=50_000, help="trajectories of the long run; 0: none")
    parser.add_argument("--patience", type=float, default=3600, help="seconds for the long run")
    parser.add_argument("--growth", type=Path, help="a long run that was measured before")
    parser.add_argument("--kernel", choices=["docker", "bubblewrap", "local"], default="docker")
    parser.add_argument("--circumstances", default="", help="a sentence about the machine, for the page")
    parser.add_argument("--write", action="store_true", help="write into docs/benchmarks")
    return parser.parse_args()


def main() -> int:
    arguments, console = parse(), Console(stderr=True)
    rounds, at_once = arguments.rounds, " ".join(map(str, arguments.at_once))
    command = f"python benchmarks/collect_speed.py --at-once {at_once} --rounds {rounds} --write"

    def save(results: Results) -> None:
        if arguments.write:
            write(results, command)

    benchmark = Benchmark(arguments, console)
    try:
        benchmark.run(save)
    except Hung as error:
        console.print(str(error), markup=False)
        return 1
    print_tables(benchmark.results, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
