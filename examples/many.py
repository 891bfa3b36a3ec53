"""Several problems at once with one model and one sandbox; one trajectory a line on standard output.

python examples/many.py [MODEL] [docker|bubblewrap|local|auto] > trajectories.jsonl
"""

import asyncio
import sys

from tir_agent.agent import Agent
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.choice import EMBEDDED, open_model
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import Budget, KernelChoice, Limits, RunSettings

PROBLEMS = [
    problem_from_text("A train has 12 cars with 48 seats each. How many seats are there?", gold="576"),
    problem_from_text("Ann had 95 stamps and gave away 38. How many are left?", gold="57"),
]


async def main(model_name: str, kernel: str) -> None:
    model = await open_model(model_name)
    try:
        async with await open_sandbox(KernelChoice(kernel), Limits()) as sandbox:
            settings = RunSettings(model=model_name, budget=Budget(max_turns=4))
            agent = Agent(model, sandbox, load_prompt("tir_fewshot"), settings)
            for trajectory in await asyncio.gather(*map(agent.solve, PROBLEMS)):
                print(trajectory.model_dump_json())
                grade = trajectory.grade.verdict if trajectory.grade else "not graded"
                print(f"{trajectory.problem.text} {trajectory.answer} ({grade})", file=sys.stderr)
    finally:
        await model.close()


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *[EMBEDDED, "auto"][len(sys.argv) - 1 :]]
    asyncio.run(main(*arguments))
