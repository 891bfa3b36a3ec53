"""How many one-step word problems does a model solve by running code?

    python benchmarks/word_problems.py [--data FOLDER] [--first 0] [--count 40] [--model embedded]

Reads `benchmarks/mawps_singleop.jsonl` in the data folder: one object a line with `input` and `target`.
A problem counts only if the final answer is right *and* an executed cell printed it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tir_agent.agent import Agent
from tir_agent.errors import TirError
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.choice import open_model
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import Budget, KernelChoice, Limits, RunSettings, Sampling
from tir_agent.trajectory import ExecutionStatus, Problem, Trajectory, Verdict

SAMPLING = Sampling(temperature=0.0, max_tokens=256)
BUDGET = Budget(max_turns=6, max_seconds=120)
DATA = Path(__file__).parent.parent.parent / "shared" / "data"


def read_problems(folder: Path, first: int, count: int) -> list[Problem]:
    """Some problems of the set, the gold answer as text."""
    lines = (folder / "benchmarks" / "mawps_singleop.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[first : first + count]]
    return [problem_from_text(row["input"], gold=f"{row['target']:g}") for row in rows]


def outcome(trajectory: Trajectory) -> str:
    """One word for how a run went."""
    if trajectory.answer is None:
        return f"no answer ({trajectory.stop})"
    right = trajectory.grade is not None and trajectory.grade.verdict is Verdict.CORRECT
    if not right:
        return "wrong"
    return "right, by running code" if _printed(trajectory) else "right, without code"


def _printed(trajectory: Trajectory) -> bool:
    """Whether a cell that succeeded showed the answer."""
    answer = (trajectory.answer or "").replace(",", "").strip("$ ")
    return any(
        cell.execution.status is ExecutionStatus.OK and answer in cell.shown.replace(",", "")
        for turn in trajectory.turns
        for cell in turn.cells
    )


async def run(arguments: argparse.Namespace, console: Console) -> list[Trajectory]:
    problems = read_problems(arguments.data, arguments.first, arguments.count)
    model = await open_model(arguments.model)
    trajectories = []
    try:
        async with await open_sandbox(KernelChoice(arguments.kernel), Limits()) as sandbox:
            settings = RunSettings(model=arguments.model, sampling=SAMPLING, budget=BUDGET)
            agent = Agent(model, sandbox, load_prompt(arguments.prompt), settings)
            for problem in track(problems, "solving", console=console):
                trajectories.append(await agent.solve(problem))
                if not console.is_terminal:
                    console.print(f"{len(trajectories)}/{len(problems)} {outcome(trajectories[-1])}")
    finally:
        await model.close()
    return trajectories


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--prompt", default="tir_fewshot")
    parser.add_argument("--kernel", default="auto")
    parser.add_argument("--out", type=Path, help="write the trajectories here, one a line")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        print(f"there is no data in {arguments.data}; name its folder with --data", file=sys.stderr)
        return 2
    try:
        trajectories = asyncio.run(run(arguments, Console(stderr=True)))
    except TirError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    if arguments.out:
        lines = (trajectory.model_dump_json() for trajectory in trajectories)
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report(trajectories)
    return 0


def report(trajectories: list[Trajectory]) -> None:
    table = Table(
        "outcome", "problems", title=f"{trajectories[0].settings.model}, {trajectories[0].prompt.name}"
    )
    for name, number in Counter(map(outcome, trajectories)).most_common():
        table.add_row(name, str(number))
    Console().print(table)
    right = sum(outcome(trajectory) == "right, by running code" for trajectory in trajectories)
    share = 100 * right / len(trajectories)
    print(f"{right} of {len(trajectories)} answered correctly by running code ({share:.1f} %)")


if __name__ == "__main__":
    sys.exit(main())
