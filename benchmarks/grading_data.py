"""Recorded answers of others: gold answers of benchmarks, ToRA's predictions, samples to vote on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tir_agent.answers import extract_answer

__all__ = ["Recorded", "golds", "perturbed", "tora", "votes"]


@dataclass(frozen=True)
class Recorded:
    """An answer and the gold one; `label` is what its source says, where it says something."""

    source: str
    answer: str | None
    gold: str
    label: bool | None = None


def golds(data: Path) -> Iterator[tuple[str, str]]:
    """The gold answers of all benchmark files, each with its file's name."""
    for file in sorted((data / "benchmarks").glob("*.jsonl")):
        for row in _rows(file):
            if (gold := _gold(row)) is not None:
                yield file.stem, gold


def _gold(row: dict[str, Any]) -> str | None:
    for key in ("answer", "Answer", "target"):
        if key in row:
            return str(row[key]).rpartition("#### ")[2]
    return extract_answer(row["solution"])


def perturbed(gold: str) -> str:
    """A wrong answer that looks like the gold one: another number, sign, letter or word.

    >>> perturbed("\\\\frac{1}{12}"), perturbed("x"), perturbed("(C)")
    ('\\\\frac{1}{13}', 'z', '(D)')
    """
    found = list(re.finditer(r"\d+", gold))
    if found:
        last = found[-1]
        return gold[: last.start()] + str(int(last[0]) + 1) + gold[last.end() :]
    if match := re.search(r"(?<![\\A-Za-z])[A-Z](?![A-Za-z])", gold):
        return gold[: match.start()] + chr(ord(match[0]) % 90 + 1 or 65) + gold[match.end() :]
    if match := re.search(r"(?<![\\A-Za-z])[a-y](?![A-Za-z])", gold):
        return gold[: match.start()] + "z" + gold[match.end() :]
    return f"-{gold}" if gold.startswith("\\\\") and "text" not in gold else "not this"


def tora(data: Path) -> Iterator[Recorded]:
    """What ToRA read from its models' texts."""
    for row in _rows(data / "replay" / "tora.jsonl"):
        yield Recorded("tora", None if row["pred"] is None else str(row["pred"]), str(row["gold"]))


def votes(data: Path) -> Iterator[Recorded]:
    """Eight samples a problem, with the reference's labels."""
    for row in _rows(data / "voting" / "qwen25_math_cot.jsonl"):
        for response, score in zip(row["responses"], row["reference_score"], strict=True):
            yield Recorded(str(row["id"]), extract_answer(response), str(row["gold"]), bool(score))


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)
