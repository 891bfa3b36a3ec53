"""The benchmark of votes: the reference's figures come out of the reference's answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tir_agent.kernel.base import Sandbox

import voting


def row(identity: int, texts: list[str], right: list[bool]) -> dict[str, Any]:
    return {
        "id": identity,
        "problem": "What?",
        "gold": "7",
        "responses": [rf"It is \boxed{{{text}}}." if text else "I do not know." for text in texts],
        "reference_pred": texts,
        "reference_score": right,
        "reward": [0.1 * n for n in range(len(texts))],
    }


async def test_the_references_figures_are_reproduced_exactly(shared_data: Path) -> None:
    path = shared_data / "voting" / "qwen25_math_cot.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    figures = (await voting.theirs(rows)).figures()
    assert {name: round(value, 4) for name, value in figures.items()} == voting.REFERENCE


async def test_every_difference_is_listed_with_its_reason(local_sandbox: Sandbox) -> None:
    rows = [row(1, ["7", "7.0", "8", ""] * 2, [True, False, False, False] * 2), row(2, ["7"] * 8, [True] * 8)]
    there, here = await voting.theirs(rows), await voting.ours(rows, local_sandbox)
    assert there.figures()["pass@1"] == pytest.approx(0.625)
    assert here.figures()["pass@1"] == pytest.approx(0.75)
    (line,) = voting.differences(rows, there, here)
    assert "problem 1, samples [1, 5]" in line
    assert "`7.0` was wrong there; `7.0` is right here" in line
    (groups,) = voting.split_votes(there, here)
    assert "[2, 2, 2] there, [4, 2] here" in groups
    page = voting.page(rows, [there, here], "local")
    assert "| reported by the reference | 0.9245 | 0.9623 | 0.9434 |" in page
    assert line in page
