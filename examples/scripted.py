"""A scripted model in the real agent and a real kernel: for tests, and to see what an agent does.

python examples/scripted.py [docker|bubblewrap|local|auto]
"""

import asyncio
import sys

from rich.console import Console

from tir_agent.agent import Agent
from tir_agent.console import RunView
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.scripted import ScriptedModel
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import KernelChoice, Limits, RunSettings

PROBLEM = problem_from_text("What is the sum of the primes below 100?", gold="1060")
REPLIES = [
    "SymPy knows primes.\n\n```python\nprint(sum(primerange(100)))\n```\n",
    "I forgot the import.\n\n```python\nfrom sympy import primerange\nprint(sum(primerange(100)))\n```\n",
    "The sum is $\\boxed{1060}$.",
]


async def main(kernel: str) -> None:
    view = RunView(Console())
    view.problem(PROBLEM.text)
    async with await open_sandbox(KernelChoice(kernel), Limits()) as sandbox:
        agent = Agent(ScriptedModel(REPLIES), sandbox, load_prompt("tir"), RunSettings(model="scripted"))
        trajectory = await agent.solve(PROBLEM, observer=view)
    print(f"{trajectory.stop}: {trajectory.answer} after {trajectory.usage.turns} turns")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "auto"))
