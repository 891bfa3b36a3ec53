"""smolagents with the problems of `orchestration.py`: run by that, with the Python of its own environment.

    python benchmarks/orchestration_smolagents.py URL COUNT

A `CodeAgent` for each problem, each in a thread, as its `run` blocks; code runs in its own interpreter of
Python's syntax tree, inside this process, which is its default. Prints the figures as JSON.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import smolagents
from smolagents import CodeAgent, LogLevel, OpenAIServerModel

from orchestration_meter import Meter
from orchestration_task import Form, Task, task


def solve(model: OpenAIServerModel, problem: Task) -> bool:
    """Whether it finds the answer."""
    agent = CodeAgent(
        tools=[], model=model, additional_authorized_imports=["sympy"], verbosity_level=LogLevel.OFF
    )
    return str(agent.run(problem.problem)) == problem.answer


def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    model = OpenAIServerModel(Form.TAGS.value, api_base=url, api_key="none")
    solve(model, task(0))  # Imports what it imports late.
    with ThreadPoolExecutor(count) as pool, Meter() as meter:
        right = sum(pool.map(lambda number: solve(model, task(number)), range(count)))
    print(json.dumps({"version": smolagents.__version__, "right": right, **meter.figures()}))


if __name__ == "__main__":
    main()
