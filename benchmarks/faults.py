"""Every fault that a model server can have, at random, and what becomes of a thousand trajectories.

    python benchmarks/faults.py [--count 1000] [--rate 0.3] [--seed 1] [--kernel docker] [--jobs 64]

The real agent, client and kernel against the conformance server (`benchmarks/conformance`), which meets
each request with a fault at the given rate: streams cut at any byte, bursts of 5xx and 429, stalls, resets,
truncated JSON, errors in mid-stream, web pages, full contexts. The server's own log says what each
trajectory met; from it follows how it must have ended, and its turns must be the replies that were sent
to their end, each once and in order.

Prints a table of the faults, one of the ends, and every trajectory that ended otherwise; exit status 3 if
there is one. Writes `docs/benchmarks/faults.md` with `--write`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tir_agent.agent import Agent
from tir_agent.errors import TirError
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.capabilities import Capabilities
from tir_agent.models.openai import OpenAIModel, Patience
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import KernelChoice, Limits, RunSettings
from tir_agent.trajectory import FinishReason, StopReason, Trajectory

from conformance import PASSING, PROBLEMS, PROFILES, UNHARMFUL, ConformanceServer, Outcome, at_random, solver
from conformance.faults import Context, ErrorEvent, Fault, FinishMissing, Hangs, HtmlPage, Stall
from conformance.records import Record

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "faults.md"
MODEL: Final = "solver"
# Short, so that a stall costs no minute; long enough for a machine under load.
PATIENCE: Final = Patience(first_chunk=3.0, stall=3.0, first_wait=0.01, longest_wait=0.1, attempts=5)
FAULTS: Final[tuple[Fault, ...]] = (
    *PASSING,
    *UNHARMFUL,
    FinishMissing(),
    Hangs(),
    Stall(1),
    ErrorEvent(400, 1),
    HtmlPage(),
    Context(),
)
DEADLINE: Final = 120.0
"""Seconds that one trajectory may take; more is a hang."""


@dataclass
class Story:
    """What one trajectory met, by the server's log, and how it must end."""

    records: list[Record] = field(default_factory=list)

    @property
    def replies(self) -> list[str]:
        """Texts that were sent to their end and that a correct client takes."""
        return [record.texts[0] for record in self.records if self._taken(record)]

    @property
    def end(self) -> StopReason:
        """The right stop reason."""
        last = self.records[-1]
        if self._taken(last):
            return StopReason.ANSWERED
        overflow = last.fault is not None and last.fault.outcome is Outcome.OVERFLOW
        return StopReason.CONTEXT_FULL if overflow else StopReason.ERROR

    @property
    def may_end(self) -> bool:
        """Whether the last failure is one after which no other request must come."""
        last = self.records[-1]
        if self._taken(last) or last.fault is None or last.fault.outcome is not Outcome.RETRIED:
            return True
        # As many attempts as the client has, none of them taken.
        tries = self.records[-PATIENCE.attempts :]
        return len(tries) == PATIENCE.attempts and not any(map(self._taken, tries))

    @staticmethod
    def _taken(record: Record) -> bool:
        unharmed = record.fault is None or record.fault.outcome is Outcome.UNAFFECTED
        return unharmed and record.completed


def number_of(record: Record) -> int:
    """Which trajectory asked: its number stands in the problem."""
    text = json.dumps(record.body)
    start = text.rindex("[No. ") + len("[No. ")
    return int(text[start : text.index("]", start)])


def complaint(trajectory: Trajectory | None, story: Story, gold: int) -> str | None:
    """What is wrong with a trajectory, or None."""
    if trajectory is None:
        return "lost"
    if not story.may_end:
        return f"gave up after {story.records[-1].fault}"
    if trajectory.stop is not story.end:
        return f"ended as {trajectory.stop} instead of {story.end}: {trajectory.failure}"
    texts = [turn.completion.text for turn in trajectory.turns]
    if len(texts) != len(story.replies):
        return f"has {len(texts)} turns, and {len(story.replies)} replies were sent to it"
    for text, sent in zip(texts, story.replies, strict=True):
        if not sent.startswith(text) or not text:
            return f"has {text!r} where {sent!r} was sent"
    if trajectory.stop is StopReason.ANSWERED and trajectory.answer != str(gold):
        return f"answered {trajectory.answer} instead of {gold}"
    if any(turn.completion.finish_reason is not FinishReason.STOP for turn in trajectory.turns):
        return "has a turn that did not end"
    return None


@dataclass(frozen=True)
class Outcomes:
    """Everything that was seen."""

    trajectories: dict[int, list[Trajectory]]
    stories: dict[int, Story]
    seconds: float

    def complaints(self, count: int) -> dict[int, str]:
        """Trajectories that are not as they must be, by number."""
        found: dict[int, str] = {}
        for number in range(count):
            saved = self.trajectories.get(number, [])
            if len(saved) > 1:
                found[number] = f"saved {len(saved)} times"
                continue
            said = complaint(saved[0] if saved else None, self.stories[number], gold_of(number))
            if said is not None:
                found[number] = said
        return found


def gold_of(number: int) -> int:
    return PROBLEMS[number % len(PROBLEMS)].gold


async def run(
    sandbox: Sandbox, *, count: int, rate: float, seed: int, jobs: int, profile: str, progress: Progress
) -> Outcomes:
    """Solve `count` problems, `jobs` at once, against a server that fails."""
    saved: dict[int, list[Trajectory]] = defaultdict(list)
    task = progress.add_task("solving", total=count)
    places = asyncio.Semaphore(jobs)
    started = time.monotonic()
    faults = at_random(seed, rate, FAULTS)
    async with ConformanceServer(PROFILES[profile], {MODEL: solver("fences")}, faults=faults) as server:
        model = OpenAIModel(
            MODEL, base_url=server.url, patience=PATIENCE, capabilities=Capabilities(stream_usage=True)
        )
        agent = Agent(model, sandbox, load_prompt("tir"), RunSettings(model=MODEL))

        async def one(number: int) -> None:
            problem = PROBLEMS[number % len(PROBLEMS)]
            async with places:
                async with asyncio.timeout(DEADLINE):
                    await agent.solve(
                        problem_from_text(f"[No. {number}] {problem.text}"), save=saved[number].append
                    )
                progress.advance(task)

        await asyncio.gather(*map(one, range(count)), return_exceptions=True)
        await model.close()
        stories: dict[int, Story] = defaultdict(Story)
        for record in server.log.records:
            stories[number_of(record)].records.append(record)
    return Outcomes(saved, stories, time.monotonic() - started)


def tables(outcomes: Outcomes, count: int) -> list[Table]:
    """The faults that were met, and the ends."""
    faults: Counter[str] = Counter()
    names: dict[str, Outcome] = {}
    for story in outcomes.stories.values():
        for record in story.records:
            if record.fault is not None:
                name = f"{type(record.fault).__name__} {getattr(record.fault, 'status', '')}".strip()
                faults[name] += 1
                names[name] = record.fault.outcome
    met = Table("fault", "times", "what a client must do", title="Faults, by the server's log")
    meanings = {
        Outcome.UNAFFECTED: "not notice it",
        Outcome.RETRIED: "ask again",
        Outcome.REFUSED: "end the run as ERROR",
        Outcome.OVERFLOW: "ask for a shorter reply, make room, or end as CONTEXT_FULL",
    }
    for name, times in sorted(faults.items()):
        met.add_row(name, str(times), meanings[names[name]])
    ends: Counter[str] = Counter()
    for saved in outcomes.trajectories.values():
        for trajectory in saved:
            kind = f" ({trajectory.failure.kind})" if trajectory.failure else ""
            ends[f"{trajectory.stop}{kind}"] += 1
    requests = sum(len(story.records) for story in outcomes.stories.values())
    complaints = outcomes.complaints(count)
    result = Table("", "", title=f"{count} trajectories, {requests} requests, {outcomes.seconds:.0f} s")
    for end, times in sorted(ends.items()):
        result.add_row(f"ended as {end}", str(times))
    result.add_row("lost", str(sum(said == "lost" for said in complaints.values())))
    result.add_row("saved twice", str(sum(len(saved) > 1 for saved in outcomes.trajectories.values())))
    result.add_row("not as they must be", str(len(complaints)))
    return [met, result]


def page(shown: Sequence[Table], arguments: argparse.Namespace) -> str:
    """The tables as a page."""
    lines = [
        "# Faults",
        "",
        f"`python benchmarks/faults.py --count {arguments.count} --rate {arguments.rate} "
        f"--seed {arguments.seed} --write` wrote this page.",
        "",
        (__doc__ or "").split("\n\n")[2],
    ]
    for table in shown:
        lines += ["", f"## {table.title}", ""]
        cells = [list(column.cells) for column in table.columns]
        heads = [str(column.header) for column in table.columns]
        lines += [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        lines += [f"| {' | '.join(map(str, row))} |" for row in zip(*cells, strict=True)]
    return "\n".join(lines) + "\n"


async def measure(arguments: argparse.Namespace, progress: Progress) -> Outcomes:
    async with await open_sandbox(KernelChoice(arguments.kernel), Limits(), pool=8) as sandbox:
        return await run(
            sandbox,
            count=arguments.count,
            rate=arguments.rate,
            seed=arguments.seed,
            jobs=arguments.jobs,
            profile=arguments.profile,
            progress=progress,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.3, help="share of the requests that meet a fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=64, help="trajectories at once")
    parser.add_argument("--kernel", default="docker")
    parser.add_argument("--profile", default="vllm", choices=sorted(PROFILES))
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(PAGE.parents[2])}")
    arguments = parser.parse_args()
    try:
        with Progress(console=Console(stderr=True)) as progress:
            outcomes = asyncio.run(measure(arguments, progress))
    except TirError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    shown = tables(outcomes, arguments.count)
    for table in shown:
        Console().print(table)
    complaints = outcomes.complaints(arguments.count)
    for number, said in complaints.items():
        print(f"No. {number} {said}")
    if arguments.write:
        PAGE.write_text(page(shown, arguments), encoding="utf-8")
    return 3 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
