"""inspect_ai with the problems of `orchestration.py`: run by that, with the Python of its own environment.

    python benchmarks/orchestration_inspect.py URL COUNT

Its `react` agent with its `python` tool in its local sandbox. Every call of that tool is a new process
without state, so each cell brings the code before it along. Prints the figures as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import inspect_ai
from inspect_ai import Task as Evaluation
from inspect_ai import eval as evaluate
from inspect_ai.agent import react
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import includes
from inspect_ai.tool import python

from orchestration_meter import Meter
from orchestration_task import Form, task


def run(url: str, count: int, logs: str) -> int:
    """How many are right."""
    samples = [Sample(input=task(number).problem, target=task(number).answer) for number in range(count)]
    evaluation = Evaluation(
        dataset=MemoryDataset(samples),
        solver=react(tools=[python()], submit=False),
        scorer=includes(),
        sandbox="local",
    )
    model = get_model(f"openai-api/bench/{Form.SCRIPTS.value}", base_url=url, api_key="none")
    (log,) = evaluate(
        evaluation,
        model=model,
        display="none",
        log_dir=logs,
        max_samples=count,
        max_connections=count,
    )
    return sum(score.value == "C" for sample in log.samples or [] for score in (sample.scores or {}).values())


def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        # Its tool calls `python3` in a login shell, which forgets the PATH of this environment.
        Path(folder, ".profile").write_text(f'export PATH="{Path(sys.executable).parent}:$PATH"\n')
        os.environ["HOME"] = folder
        run(url, 1, folder)
        with Meter() as meter:
            right = run(url, count, folder)
    print(json.dumps({"version": inspect_ai.__version__, "right": right, **meter.figures()}))


if __name__ == "__main__":
    main()
