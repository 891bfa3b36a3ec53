"""verifiers with the problems of `orchestration.py`: run by that, with the Python of its own environment.

    python benchmarks/orchestration_verifiers.py URL COUNT

Its default program, the `bash` harness, in its subprocess runtime: a process for each trajectory, in which
the model's programs are shell commands without state, so each cell brings the code before it along. Prints
the figures as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import verifiers
import verifiers.v1 as vf

from orchestration_meter import Meter
from orchestration_task import Form, Task, task


async def solve(agent: vf.Agent, problem: Task) -> bool:
    """Whether it finds the answer."""
    trace = await agent.run(vf.Task(vf.TaskData(idx=problem.number, prompt=problem.problem)))
    replies = trace.assistant_messages
    return bool(replies) and f"\\boxed{{{problem.answer}}}" in str(replies[-1].content)


async def run(url: str, count: int) -> dict[str, object]:
    """Solve them all at once, after one that makes ready what is made ready once."""
    config = vf.AgentConfig(
        model=Form.SHELL.value,
        client=vf.EvalClientConfig(base_url=url, api_key_var="BENCHMARK_KEY"),
        runtime=vf.SubprocessConfig(),
    )
    async with vf.make_agent(config) as agent:
        await solve(agent, task(0))
        with Meter() as meter:
            right = sum(await asyncio.gather(*(solve(agent, task(number)) for number in range(count))))
    return {"version": verifiers.__version__, "right": right, **meter.figures()}


def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    # The commands call `python3`, and the harness calls `uv`.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ["BENCHMARK_KEY"] = "none"
    print(json.dumps(asyncio.run(run(url, count))))


if __name__ == "__main__":
    main()
