"""Every protocol on every server: one real run of three problems for each pair.

    python benchmarks/protocols.py [--kernel docker] [--weights FILE]... [--write]

The servers are llama.cpp here, with the small model that is installed and every GGUF file named with
`--weights`, and the conformance server (`benchmarks/conformance`) as each of those it can be. The prompts
are the shipped ones, the agent, the client and the kernel the real ones, and nothing is assumed of a
server: each is probed first. The conformance server's model can solve the three problems in every
protocol, from the outputs it is shown: where one is lost, run twice or invented, its answer is wrong.
The real models are small, and are wrong often; what counts there is that code ran.

A cell says how many answers are right, and how many cells ran. A dash says that the server cannot do what
the prompt asks for, and that the run said so in one sentence; the notes below the table have it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tir_agent.agent import Agent
from tir_agent.errors import TirError
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.base import Model
from tir_agent.models.choice import EMBEDDED, open_model
from tir_agent.problems import problem_from_text
from tir_agent.prompts import Prompt, load_prompt
from tir_agent.settings import Budget, KernelChoice, Limits, RunSettings, Sampling
from tir_agent.trajectory import StopReason, Trajectory, Verdict

from able import able_solver
from conformance import PROBLEMS, PROFILES, ConformanceServer

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "protocols.md"
STYLES: Final = {
    "tir": "fences",
    "tir_fewshot": "fences",
    "qwen_math": "fences",
    "tags": "tags",
    "retool": "interpreter_tags",
    "mathcoder": "mathcoder",
    "tools": "tools",
    "tora": "rationale",
    "cosc": "rounds",
    "dotamath": "subtasks",
    "base_fewshot": "fences",
}
"""The conformance server's way of writing, for each prompt."""
BUDGET: Final = Budget(max_turns=5, max_seconds=120.0)
SMALL: Final = Sampling(max_tokens=192)
"""For the real models, which write on for as long as they may."""


@dataclass(frozen=True)
class Cell:
    """What became of three problems with one prompt on one server."""

    prompt: str
    server: str
    trajectories: tuple[Trajectory, ...]

    @property
    def right(self) -> int:
        return sum(
            one.grade is not None and one.grade.verdict is Verdict.CORRECT for one in self.trajectories
        )

    @property
    def cells(self) -> int:
        return sum(one.usage.cells for one in self.trajectories)

    @property
    def impossible(self) -> str | None:
        """Why the server cannot do it."""
        failures = {one.failure.message for one in self.trajectories if one.failure is not None}
        return "; ".join(sorted(failures)) or None

    @property
    def notes(self) -> set[str]:
        return {note for one in self.trajectories for note in one.notes}

    @property
    def text(self) -> str:
        if self.impossible is not None:
            return "-"
        return f"{self.right}/{len(self.trajectories)} ({self.cells})"


@asynccontextmanager
async def conformance_model(profile: str, prompt: str) -> AsyncIterator[Model]:
    """A model on the conformance server that writes as the prompt's models do."""
    async with ConformanceServer(PROFILES[profile], {"solver": able_solver(STYLES[prompt])}) as server:
        model = await open_model("solver", base_url=server.url)
        try:
            yield model
        finally:
            await model.close()


async def solve_all(model: Model, sandbox: Sandbox, prompt: Prompt, sampling: Sampling) -> list[Trajectory]:
    """The three problems, one after the other."""
    settings = RunSettings(model=model.name, budget=BUDGET, sampling=sampling)
    agent = Agent(model, sandbox, prompt, settings)
    return [await agent.solve(problem_from_text(one.text, gold=str(one.gold))) for one in PROBLEMS]


async def run(
    sandbox: Sandbox,
    prompts: Sequence[str],
    profiles: Sequence[str],
    weights: Sequence[str],
    progress: Progress,
) -> list[Cell]:
    """Every prompt on every server."""
    cells: list[Cell] = []
    task = progress.add_task("solving", total=len(prompts) * (len(profiles) + len(weights)))

    def done(prompt: str, server: str, trajectories: list[Trajectory]) -> None:
        cells.append(Cell(prompt, server, tuple(trajectories)))
        progress.advance(task)

    async with AsyncExitStack() as stack:
        for name in weights:
            model = await open_model(name)
            stack.push_async_callback(model.close)
            for prompt in prompts:
                done(prompt, shown(name), await solve_all(model, sandbox, load_prompt(prompt), SMALL))
    for profile in profiles:
        for prompt in prompts:
            async with conformance_model(profile, prompt) as other:
                done(prompt, profile, await solve_all(other, sandbox, load_prompt(prompt), Sampling()))
    return cells


def shown(weights: str) -> str:
    return "llama.cpp, SmolLM2" if weights == EMBEDDED else f"llama.cpp, {Path(weights).stem.split('-q')[0]}"


def rows(cells: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table: a row for each server."""
    prompts = list(dict.fromkeys(cell.prompt for cell in cells))
    servers = list(dict.fromkeys(cell.server for cell in cells))
    by_pair = {(cell.server, cell.prompt): cell.text for cell in cells}
    return ["server", *prompts], [
        [server, *(by_pair[server, prompt] for prompt in prompts)] for server in servers
    ]


def remarks(cells: Sequence[Cell]) -> list[str]:
    """What could not be done, and what was done otherwise; one line each."""
    lines: dict[str, list[str]] = {}
    for cell in cells:
        for said in [cell.impossible] if cell.impossible else sorted(cell.notes):
            lines.setdefault(said, []).append(f"{cell.prompt} on {cell.server}")
    return [f"{said}: {', '.join(where)}" for said, where in lines.items()]


def page(cells: Sequence[Cell], command: str) -> str:
    heads, body = rows(cells)
    intro = (__doc__ or "").split("\n\n")
    lines = ["# Protocols on servers", "", f"`{command}` wrote this page.", ""]
    lines += ["\n\n".join(intro[2:]).rstrip(), "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(row)} |" for row in body]
    lines += ["", "## Notes", "", *(f"- {line}" for line in remarks(cells))]
    return "\n".join(lines).rstrip() + "\n"


async def measure(arguments: argparse.Namespace, progress: Progress) -> list[Cell]:
    async with await open_sandbox(KernelChoice(arguments.kernel), Limits(), pool=2) as sandbox:
        weights = [EMBEDDED, *arguments.weights]
        return await run(sandbox, list(STYLES), list(PROFILES), weights, progress)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kernel", default="docker")
    parser.add_argument("--weights", action="append", default=[], help="another GGUF file; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(PAGE.parents[2])}")
    arguments = parser.parse_args()
    try:
        with Progress(console=Console(stderr=True)) as progress:
            cells = asyncio.run(measure(arguments, progress))
    except TirError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    heads, body = rows(cells)
    table = Table(*heads, title="right answers of three (cells that ran)")
    for row in body:
        table.add_row(*row)
    # A narrower table would not say which column is which.
    Console(width=max(Console().width, 132)).print(table)
    for line in remarks(cells):
        print(line)
    if arguments.write:
        files = "".join(f" --weights {Path(name).name}" for name in arguments.weights)
        command = f"python benchmarks/protocols.py{files} --write"
        PAGE.write_text(page(cells, command), encoding="utf-8")
    # The conformance server's model knows the answers: a wrong one is ours.
    wrong = [cell for cell in cells if cell.server in PROFILES and not cell.impossible and cell.right < 3]
    failed = [
        cell
        for cell in cells
        for one in cell.trajectories
        if one.stop is StopReason.ERROR and one.failure is not None and one.failure.kind != "ModelRejected"
    ]
    return 3 if wrong or failed else 0


if __name__ == "__main__":
    sys.exit(main())
