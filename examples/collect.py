"""A collection by hand: problems of one's own, one arm, a plan that wants a right and a wrong sample of each.

python examples/collect.py FOLDER [MODEL] [docker|bubblewrap|local|auto]

Run it again: it makes what is missing, and no more.
"""

import asyncio
import sys
from pathlib import Path

from tir_agent.collect.local import LocalCrew
from tir_agent.collect.session import draft_of, open_session
from tir_agent.models.choice import EMBEDDED
from tir_agent.problems import problem_from_text
from tir_agent.settings import Arm, KernelChoice, Operation, Pairs, ProblemSource, Recipe, Sampling

PROBLEMS = [
    problem_from_text("A train has 12 cars with 48 seats each. How many seats are there?", gold="576"),
    problem_from_text("Ann had 95 stamps and gave away 38. How many are left?", gold="57"),
]


async def main(folder: Path, model: str, kernel: str) -> None:
    recipe = Recipe(
        problems=ProblemSource(path="by hand"),
        arms=(Arm(name="small", model=model, sampling=Sampling(temperature=0.7, max_tokens=128)),),
        samples=Pairs(at_most=4),
    )
    operation = Operation(kernel=KernelChoice(kernel), at_once=4)
    crew = await LocalCrew.open(recipe, operation)
    try:
        session = await open_session(folder, draft_of(recipe, operation), PROBLEMS, crew)
        try:
            await session.collector.run()
            for key, outcome in session.writer.done.items():
                print(key, outcome.answer, outcome.verdict)
        finally:
            session.close()
    finally:
        await crew.close()


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *["runs/by-hand", EMBEDDED, "auto"][len(sys.argv) - 1 :]]
    asyncio.run(main(Path(arguments[0]), *arguments[1:]))
