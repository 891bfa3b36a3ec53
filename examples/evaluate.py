"""Two scripted models, one better than the other, and what evaluation makes of it.

python examples/evaluate.py [docker|bubblewrap|local|auto] [FOLDER]

With a folder, the trajectories are kept in it: `tir eval FOLDER/careful.jsonl FOLDER/hasty.jsonl --compare`.
"""

import asyncio
import random
import sys
from pathlib import Path

from tir_agent.agent import Agent
from tir_agent.evaluate.paired import compare
from tir_agent.evaluate.passing import tallies
from tir_agent.evaluate.report import evaluate
from tir_agent.evaluate.results import reduce
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.scripted import ScriptedModel
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import KernelChoice, Limits, RunSettings
from tir_agent.trajectory import Sample, Trajectory

CODE = "```python\n{}print(sum(primerange({})))\n```\n"
IMPORT = "from sympy import primerange\n"
PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]
SAMPLES = 4


def replies(below: int, right: int, forgetful: float, chance: random.Random) -> list[str]:
    """Code that may lack its import, the same again with it, and an answer that may be read wrongly."""
    first = [CODE.format("", below)] if chance.random() < forgetful else []
    answer = right if chance.random() > forgetful else right - chance.choice([1, 2])
    written = f"{answer}.0" if chance.random() < 0.3 else str(answer)
    return [*first, CODE.format(IMPORT, below), f"The sum is $\\boxed{{{written}}}$."]


async def collect(name: str, forgetful: float, sandbox: Sandbox) -> list[Trajectory]:
    chance = random.Random(name)  # noqa: S311 - no secret
    found = []
    for below in range(10, 50, 4):
        right = sum(prime for prime in PRIMES if prime < below)
        problem = problem_from_text(f"What is the sum of the primes below {below}?", gold=str(right))
        for index in range(SAMPLES):
            model = ScriptedModel(replies(below, right, forgetful, chance))
            agent = Agent(model, sandbox, load_prompt("tir"), RunSettings(model=name))
            solved = await agent.solve(problem)
            found.append(solved.model_copy(update={"sample": Sample(arm=name, index=index)}))
    return found


async def main(kernel: str, folder: Path | None) -> None:
    async with await open_sandbox(KernelChoice(kernel), Limits()) as sandbox:
        careful = await collect("careful", 0.15, sandbox)
        hasty = await collect("hasty", 0.45, sandbox)
    for name, run in (("careful", careful), ("hasty", hasty)):
        evaluation = evaluate(name, [reduce(one) for one in run], ks=[1, 2, 4])
        for at in evaluation.passes:
            assert at.rate is not None
            print(f"{name}: pass@{at.k} {at.rate.value:.3f} ({at.rate.low:.3f} to {at.rate.high:.3f})")
        if folder is not None:
            lines = "".join(f"{one.model_dump_json()}\n" for one in run)
            (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    a, b = (tallies(map(reduce, run)) for run in (careful, hasty))
    compared = compare(("careful", a), ("hasty", b))
    assert compared is not None
    print(f"careful - hasty: {compared.difference:+.3f} ({compared.low:+.3f} to {compared.high:+.3f})")


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    asyncio.run(main(given.get(1, "auto"), Path(given[2]) if 2 in given else None))
