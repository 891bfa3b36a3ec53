"""Small exports for tests: folders as `tir export` writes them, with rows that a test says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow
from pyarrow import parquet
from pydantic import JsonValue

from tir_agent.export.card import card
from tir_agent.export.manifest import (
    DataFile,
    ExportManifest,
    ProblemCounts,
    Source,
    Split,
    SplitCounts,
    Stage,
    Unit,
    Waterfall,
)
from tir_agent.settings import ExportKind, ExportRecipe
from tir_agent.trajectory import PromptIdentity

Row = dict[str, JsonValue]

DIALECT_LINES = "`messages` are the conversation."
FALL = Waterfall(
    read=12,
    right=7,
    stages=(
        Stage(name="failures", unit=Unit.TRAJECTORIES, dropped=2, left=10),
        Stage(name="guess_after_error", unit=Unit.TRAJECTORIES, dropped=3, right=2, left=7),
        Stage(name="pairing", unit=Unit.EXAMPLES, dropped=1, left=4),
    ),
)


def message(role: str, content: str) -> JsonValue:
    return {"role": role, "content": content}


def _side(prefix: str, name: str, **values: JsonValue) -> Row:
    row: Row = {
        "trajectory": name,
        "arm": "base",
        "answer": "7",
        "verdict": "correct",
        "cells": 1,
        "errors": 0,
        "tokens": 100,
        "model_tokens": 60,
        "reward": None,
    }
    return {f"{prefix}{key}": value for key, value in (row | values).items()}


def _head(example: str, problem: str) -> Row:
    return {"id": example, "problem_id": problem, "problem": f"What is {problem}?", "gold": "7"}


def solution(example: str, problem: str = "p0", **values: JsonValue) -> Row:
    """A row of SFT."""
    messages: JsonValue = [message("user", f"What is {problem}?"), message("assistant", "\\boxed{7}")]
    return {"messages": messages, **_head(example, problem), **_side("", f"t-{example}", **values)}


def labelled(example: str, label: bool, problem: str = "p0", **values: JsonValue) -> Row:
    """A row of KTO."""
    row: Row = {
        "prompt": [message("user", f"What is {problem}?")],
        "completion": [message("assistant", "\\boxed{7}")],
    }
    verdict = "correct" if label else "wrong"
    side = _side("", f"t-{example}", **{"verdict": verdict, **values})
    return {**row, **_head(example, problem), **side, "label": label}


def pair(
    example: str,
    problem: str = "p0",
    *,
    chosen: Mapping[str, JsonValue] | None = None,
    rejected: Mapping[str, JsonValue] | None = None,
    margin: float | None = None,
    prefix_turns: int = 0,
) -> Row:
    """A row of DPO."""
    row: Row = {
        "prompt": [message("user", f"What is {problem}?")],
        "chosen": [message("assistant", "\\boxed{7}")],
        "rejected": [message("assistant", "\\boxed{8}")],
    }
    return {
        **row,
        **_head(example, problem),
        **_side("chosen_", f"c-{example}", **(chosen or {})),
        **_side("rejected_", f"r-{example}", **({"verdict": "wrong", "answer": "8"} | dict(rejected or {}))),
        "margin": margin,
        "prefix_turns": prefix_turns,
    }


def source(**changes: object) -> Source:
    """A run."""
    content: dict[str, object] = {
        "name": "night",
        "run": "0123456789abcdef",
        "trajectories": 12,
        "failures": 2,
        "models": ("small-7b",),
        "prompts": (PromptIdentity(name="tir", sha256="ab" * 32),),
        "sandboxes": ("sha256:" + "cd" * 32,),
        "graders": ("math-verify 0.9",),
    }
    return Source.model_validate(content | changes)


def write_export(
    folder: Path,
    rows: Mapping[Split, Sequence[Row]],
    *,
    recipe: ExportRecipe | None = None,
    tables: bool = True,
    problems: Sequence[Row] = (),
    **changes: object,
) -> Path:
    """Write an export; `changes` are fields of its account. Splits without rows have an account alone."""
    recipe = recipe or ExportRecipe(kind=ExportKind.SFT)
    files = []
    for split, content in rows.items():
        if not content:
            continue
        if tables:
            path = folder / "data" / f"{split.value}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            parquet.write_table(pyarrow.Table.from_pylist(list(content)), path)
            files.append(_file(folder, path))
        files.append(_lines(folder, f"jsonl/{split.value}.jsonl", content))
    files.append(_lines(folder, "problems/train.jsonl", problems))
    manifest = ExportManifest.model_validate(
        {
            "tir_agent": "1.2.3",
            "recipe": recipe,
            "sources": (source(),),
            "waterfall": FALL,
            "problems": ProblemCounts(read=6, both=3, all_right=1, all_wrong=1, undecided=1, left=2),
            "splits": tuple(_counts(split, content, recipe.kind) for split, content in rows.items()),
            "files": tuple(files),
            "token_count": "server",
        }
        | changes
    )
    (folder / "README.md").write_text(card(manifest, DIALECT_LINES), "utf-8")
    text = json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False, indent=1)
    (folder / "export.json").write_text(text + "\n", "utf-8")
    return folder


def _counts(split: Split, rows: Sequence[Row], kind: ExportKind) -> SplitCounts:
    def total(name: str) -> int:
        found = (row.get(f"{side}{name}", 0) for row in rows for side in ("", "chosen_", "rejected_"))
        return sum(value for value in found if isinstance(value, int))

    return SplitCounts(
        split=split,
        examples=len(rows),
        problems=len({str(row.get("problem_id")) for row in rows}),
        tokens=total("tokens"),
        model_tokens=total("model_tokens"),
        desirable=sum(row.get("label") is True for row in rows) if kind is ExportKind.KTO else None,
    )


def _lines(folder: Path, name: str, rows: Sequence[Row]) -> DataFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return _file(folder, path)


def _file(folder: Path, path: Path) -> DataFile:
    data = path.read_bytes()
    name = path.relative_to(folder).as_posix()
    return DataFile(path=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
