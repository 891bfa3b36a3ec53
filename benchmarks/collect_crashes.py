"""Does `tir collect` lose anything, whatever is killed?

    python benchmarks/collect_crashes.py [--problems 150] [--kills 50] [--seed 1] [--kernel docker]
        [--only killed container ...] [--write]

The real command, in a process of its own, collects four samples of each problem from a data set with
garbage in it, with real kernels, against a local server that knows the replies. It is killed with -9 at
random moments of its whole life and given again, until it comes to its end. Then, in smaller collections,
what it hangs on is killed instead: the sandbox's container, the fork server in it, a Docker daemon (one of
the benchmark's own), the model's server, a grader; the disk fills up; a second writer comes. For the daemon
and the disk it takes root.

After every kill the log is read, and every whole line in it is remembered; so is every sample of which
the event log says that it is done. In the end there must be each sample exactly once, and every line that
was remembered, byte for byte; every trajectory must have the right answer; failures of the machinery lie
apart; no process, container, folder or socket is left.

Prints a table and what else is to be known; exit status 3 if anything is otherwise. Writes
`docs/benchmarks/collect_crashes.md` and `.json` with `--write`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from collect_command import Hung, ModelServer
from collect_scenarios import Outcome, Scale, Stage
from rivals.machine import describe_machine

PAGE: Final = Path(__file__).parent.parent / "docs" / "benchmarks" / "collect_crashes.md"
_HEAD: Final = (
    *("what happens", "times", "given again", "expected", "found", "missing", "twice", "torn", "changed"),
    *("wrong", "failures kept apart", "begun", "left behind", "seconds", "until the next one"),
)
_TEXT: Final = """\
- **expected, found**: samples; **missing**, **twice**, **torn** (lines of the shards that are no
  trajectory), **changed** (trajectories that had been in the log when something was killed, and are not
  there byte for byte), **wrong** (not graded as they must be) and **left behind** (processes, containers,
  folders, sockets) must be 0.
- **failures kept apart**: runs that the machinery failed, in `failures/`; they were begun again. **begun**:
  all runs that were begun, so what is above *expected* was under way when something was killed.
- **until the next one**: the longest time from an event to the next new trajectory, with the time that the
  thing was away.
"""

Scenario = Callable[[Stage], Outcome]
_OUTCOMES: Final = TypeAdapter(list[Outcome])


def scenarios(arguments: argparse.Namespace) -> dict[str, tuple[str, int, Scenario]]:
    """By a short name: what happens, problems, and how it is done."""
    few, times = arguments.few, arguments.times
    size, larger = f"{few * 16}k", "256m"
    all_of_them: dict[str, tuple[str, int, Scenario]] = {
        "undisturbed": ("nothing", few, Stage.undisturbed),
        "killed": (
            "the command is killed",
            arguments.problems,
            lambda stage: stage.killed(arguments.kills, arguments.seed),
        ),
        "container": ("the container is killed", few, lambda stage: stage.container_killed(times)),
        "fork-server": ("the fork server is killed", few, lambda stage: stage.fork_server_killed(times)),
        "engine": ("the Docker daemon is killed", few, lambda stage: stage.engine_killed(2)),
        "model": ("the model's server is killed", few, lambda stage: stage.model_server_killed(times)),
        "disk": ("the disk is full", few, lambda stage: stage.disk_full(size, larger)),
        "writers": ("a second writer comes", few, Stage.two_writers),
        "grader": ("graders are killed", few, Stage.grader_killed),
    }
    wanted = arguments.only or list(all_of_them)
    impossible = set() if arguments.kernel == "docker" else {"container", "engine"}
    if os.geteuid() != 0:
        impossible |= {"engine", "disk"}
    return {name: all_of_them[name] for name in wanted if name not in impossible}


def carry_out(
    arguments: argparse.Namespace, console: Console, done: Callable[[list[Outcome]], None]
) -> list[Outcome]:
    """All scenarios, one after the other; `done` hears of all so far after each."""
    outcomes = []
    for name, (title, problems, scenario) in scenarios(arguments).items():
        console.print(f"{title} ...")
        root = Path(tempfile.mkdtemp(prefix="tcc-"))
        scale = Scale(problems, latency=arguments.latency, kernel=arguments.kernel)
        stage = None
        try:
            with ModelServer(arguments.latency) as server:
                stage = Stage(title, root, scale, server)
                outcomes.append(scenario(stage))
        except Hung as error:
            outcome = stage.outcome if stage else Outcome(title)
            outcome.faults.append(str(error))
            outcomes.append(outcome)
        for complaint in outcomes[-1].complaints():
            console.print(f"  {complaint}", style="red")
        if outcomes[-1].complaints():
            console.print(f"  {name}: everything is kept in {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
        done(outcomes)
    return outcomes


def row(outcome: Outcome) -> list[str]:
    found = outcome.findings
    numbers = [outcome.events, outcome.resumed, found.expected, found.found, found.missing, found.twice]
    numbers += [found.torn, found.lost, found.wrong, found.failures, found.begun, sum(outcome.left.values())]
    longest = f"{max(outcome.delays):.1f} s" if outcome.delays else "-"
    return [outcome.name, *map(str, numbers), f"{outcome.seconds:.0f}", longest]


def remarks(outcomes: Sequence[Outcome]) -> list[str]:
    """What the table has no room for, a line each."""
    lines = []
    for outcome in outcomes:
        found = outcome.findings
        if found.late:
            lines.append(
                f"{outcome.name}: {found.late} right answers were graded `timeout`: the machine was so busy "
                "that a grader did not get to its end within ten seconds"
            )
        if outcome.stages:
            where = ", ".join(f"{number} {stage}" for stage, number in outcome.stages.most_common())
            lines.append(f"{outcome.name}: {where}")
            lines.append(
                f"{outcome.name}: {found.acknowledged} trajectories were seen in the log after a kill; "
                f"{found.tails} torn tails were set aside on resuming; {found.begun - found.expected} runs "
                "were begun in vain"
            )
        lines += [f"{outcome.name}: {note}" for note in outcome.notes]
        lines += [f"{outcome.name}: NOT AS IT MUST BE: {one}" for one in outcome.complaints()]
    return lines


def page(outcomes: Sequence[Outcome], command: str, machine: dict[str, str]) -> str:
    intro, account = (__doc__ or "").split("\n\n")[2:4]
    lines = ["# What a collection loses when something is killed", ""]
    lines += [f"`{command}` wrote this page.", "", intro, "", account, ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    lines += ["", f"| {' | '.join(_HEAD)} |", "|---|" + "---:|" * (len(_HEAD) - 1)]
    lines += [f"| {' | '.join(row(outcome))} |" for outcome in outcomes]
    lines += ["", _TEXT, *(f"- {line}" for line in remarks(outcomes))]
    return "\n".join(lines) + "\n"


def write(outcomes: Sequence[Outcome], command: str, machine: dict[str, str]) -> None:
    """Write page and figures; rows of scenarios that were not run again are kept."""
    results = PAGE.with_suffix(".json")
    kept: dict[str, Outcome] = {}
    if results.exists():
        kept = {
            one.name: one for one in _OUTCOMES.validate_python(json.loads(results.read_bytes())["outcomes"])
        }
    merged = list((kept | {one.name: one for one in outcomes}).values())
    PAGE.write_text(page(merged, command, machine), encoding="utf-8")
    figures = {"machine": machine, "outcomes": _OUTCOMES.dump_python(merged, mode="json")}
    results.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--problems", type=int, default=150, help="of the collection that is killed")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="decides the moments")
    parser.add_argument("--few", type=int, default=40, help="problems of the other collections")
    parser.add_argument("--times", type=int, default=3, help="that something else is killed, each")
    parser.add_argument("--latency", type=float, default=0.05, help="of the model, in seconds")
    parser.add_argument("--kernel", choices=["docker", "bubblewrap", "local"], default="docker")
    parser.add_argument("--only", nargs="*", default=[], help="scenarios, by name")
    parser.add_argument("--circumstances", default="", help="a sentence about the machine, for the page")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(PAGE.parents[2])}")
    arguments = parser.parse_args()
    names = (
        "undisturbed",
        "killed",
        "container",
        "fork-server",
        "engine",
        "model",
        "disk",
        "writers",
        "grader",
    )
    if unknown := set(arguments.only) - set(names):
        parser.error(f"there is no scenario {min(unknown)}; there are {', '.join(names)}")
    return arguments


def main() -> int:
    arguments = parse()
    machine = describe_machine()
    if arguments.circumstances:
        machine["circumstances"] = arguments.circumstances
    command = (
        f"python benchmarks/collect_crashes.py --problems {arguments.problems} --kills {arguments.kills} "
        f"--seed {arguments.seed} --kernel {arguments.kernel} --write"
    )

    def save(outcomes: list[Outcome]) -> None:
        if arguments.write:
            write(outcomes, command, machine)

    outcomes = carry_out(arguments, Console(stderr=True), save)
    console = Console() if sys.stdout.isatty() else Console(width=220)
    table = Table(*_HEAD)
    for outcome in outcomes:
        table.add_row(*row(outcome))
    console.print(table)
    for line in remarks(outcomes):
        console.print(line, markup=False)
    return 3 if any(outcome.complaints() for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
