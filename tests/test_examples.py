"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tir_agent.errors import TirError
from tir_agent.models.gguf import installed_gguf, require_llamacpp
from tir_agent.trajectory import Trajectory

from conftest import missing

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)


@pytest.mark.usefixtures("local_sandbox")
def test_scripted() -> None:
    done = run("scripted.py", "local")
    assert "NameError" in done.stdout
    assert done.stdout.endswith("ANSWERED: 1060 after 3 turns\n")


@pytest.mark.usefixtures("local_sandbox")
def test_many() -> None:
    try:
        require_llamacpp()
        installed_gguf()
    except TirError as error:
        missing(error.message)
    done = run("many.py", "embedded", "local")
    trajectories = [Trajectory.model_validate_json(line) for line in done.stdout.splitlines()]
    assert len(trajectories) == 2
    assert all(trajectory.usage.turns > 0 for trajectory in trajectories)


@pytest.mark.usefixtures("local_sandbox")
def test_branching() -> None:
    done = run("branching.py", "--kernel", "local")
    assert done.stdout == "left:  5\nright: []\norigin: [2, 3]\nforked after 1 cell\n"


@pytest.mark.usefixtures("local_sandbox")
def test_evaluate(tmp_path: Path) -> None:
    done = run("evaluate.py", "local", str(tmp_path))
    assert "careful: pass@4 1.000 (0.722 to 1.000)" in done.stdout
    assert done.stdout.splitlines()[-1] == "careful - hasty: +0.350 (+0.124 to +0.576)"
    lines = (tmp_path / "hasty.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([Trajectory.model_validate_json(line) for line in lines]) == 40
