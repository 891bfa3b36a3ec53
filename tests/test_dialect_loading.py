"""Rows of every dialect in files, as `datasets` reads them: nothing is lost, and types do not depend on
which rows come first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tir_agent.preferences import Conversation, sides
from tir_agent.preferences.dialects import (
    Row,
    Writer,
    arrow_schema,
    conversations_of,
    dialect_for,
    hub_features,
)
from tir_agent.settings import Dialect, ExportKind

from dialect_examples import called, fenced, made, one_reply, one_text

PLAIN = [(fenced("42"), fenced("41")), (fenced("42", system=None), fenced("", system=None))]
CALLED = [(called("42"), called("41")), (called("42", call="2"), called("0", call="2"))]
STEP = [(one_reply("\\boxed{42}"), one_reply("不知道"))]
TEXT = [(one_text("42"), one_text("1"))]
SETS: list[tuple[Dialect, ExportKind, str | None, list[tuple[Conversation, Conversation]]]] = [
    *((Dialect.TRL, kind, None, PLAIN) for kind in ExportKind),
    (Dialect.TRL, ExportKind.DPO, "code", CALLED),
    (Dialect.TRL_TEXT, ExportKind.DPO, None, TEXT),
    (Dialect.TRL_TEXT, ExportKind.SFT, None, TEXT),
    (Dialect.LLAMA_FACTORY, ExportKind.SFT, "code", CALLED),
    (Dialect.LLAMA_FACTORY, ExportKind.KTO, None, PLAIN),
    (Dialect.LLAMA_FACTORY, ExportKind.STEPS, None, STEP),
    (Dialect.OPENRLHF, ExportKind.SFT, None, PLAIN),
    (Dialect.OPENRLHF, ExportKind.DPO, None, PLAIN),
    (Dialect.VERL, ExportKind.SFT, "code", CALLED),
    (Dialect.VERL, ExportKind.DPO, None, PLAIN),
    (Dialect.MESSAGES, ExportKind.KTO, "code", CALLED),
    (Dialect.MESSAGES, ExportKind.DPO, None, PLAIN),
    (Dialect.ATIF, ExportKind.SFT, "code", CALLED),
    (Dialect.ATIF, ExportKind.DPO, None, PLAIN),
]


@pytest.mark.parametrize(
    ("dialect", "kind", "argument", "conversations"),
    SETS,
    ids=lambda value: str(value) if isinstance(value, str | None) else "",
)
def test_parquet_and_jsonl_load_as_what_was_written(
    dialect: Dialect,
    kind: ExportKind,
    argument: str | None,
    conversations: list[tuple[Conversation, Conversation]],
    tmp_path: Path,
) -> None:
    writer = dialect_for(dialect, kind, argument=argument)
    rows = [writer.row(made(kind, *two)) for two in conversations]
    from_parquet = _loaded(_parquet(writer, rows, tmp_path / "parquet"), tmp_path)
    from_jsonl = _loaded(_jsonl(writer, rows, tmp_path / "jsonl"), tmp_path)
    assert from_parquet.to_list() == rows
    assert from_jsonl.to_list() == rows
    assert from_jsonl.features == from_parquet.features


@pytest.mark.parametrize("kind", ExportKind)
def test_rows_that_went_through_a_file_are_still_exactly_the_conversations(
    kind: ExportKind, tmp_path: Path
) -> None:
    writer = dialect_for(Dialect.TRL, kind, argument="code")
    examples = [made(kind, *two) for two in CALLED]
    loaded = _loaded(
        _parquet(writer, [writer.row(example) for example in examples], tmp_path / "set"), tmp_path
    )
    for example, row in zip(examples, loaded, strict=True):
        assert conversations_of(row) == tuple(side.conversation for side in sides(example))


def test_jsonl_without_a_card_keeps_what_the_rows_say(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    writer = dialect_for(Dialect.TRL, ExportKind.SFT, argument="code")
    rows = [writer.row(made(ExportKind.SFT, *two)) for two in CALLED]
    path = _jsonl(writer, rows, tmp_path / "set") / "train.jsonl"
    loaded = datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.to_list() == rows


def _parquet(writer: Writer, rows: list[Row], folder: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder.mkdir()
    table = pyarrow.Table.from_pylist(rows, schema=arrow_schema(writer.columns))
    parquet.write_table(table, folder / "train.parquet")
    return folder


def _jsonl(writer: Writer, rows: list[Row], folder: Path) -> Path:
    """With a card that says the types."""
    folder.mkdir()
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    head = yaml.safe_dump({"dataset_info": {"features": hub_features(writer.columns)}}, sort_keys=False)
    (folder / "README.md").write_text(f"---\n{head}---\n{writer.card()}\n", encoding="utf-8")
    return folder


def _loaded(folder: Path, tmp_path: Path) -> Any:
    datasets = pytest.importorskip("datasets")
    return datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
