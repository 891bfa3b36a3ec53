"""docs/dialects.md shows rows as they are written, and names the kinds that a dialect has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tir_agent.errors import UsageError
from tir_agent.preferences.dialects import Row, dialect_for
from tir_agent.settings import Dialect, ExportKind

from dialect_examples import made, short

PAGE = (Path(__file__).parent.parent / "docs" / "dialects.md").read_text(encoding="utf-8")
KINDS = {
    Dialect.TRL: ExportKind.DPO,
    Dialect.TRL_TEXT: ExportKind.SFT,
    Dialect.LLAMA_FACTORY: ExportKind.KTO,
    Dialect.OPENRLHF: ExportKind.DPO,
    Dialect.VERL: ExportKind.SFT,
    Dialect.MESSAGES: ExportKind.SFT,
    Dialect.ATIF: ExportKind.SFT,
}


def chatml(messages: list[Row], tools: list[Row] | None, *, add_generation_prompt: bool) -> str:
    text = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in messages)
    return text + ("<|im_start|>assistant\n" if add_generation_prompt else "")


@pytest.mark.parametrize("dialect", Dialect)
def test_the_row_on_the_page_is_the_row_that_is_written(dialect: Dialect) -> None:
    section = PAGE.partition(f"\n## `{dialect.value}`\n")[2].partition("\n## ")[0]
    block = re.search(r"^    \{\n.*?^    \}$", section, re.MULTILINE | re.DOTALL)
    assert block is not None
    shown = json.loads(block[0])
    kind = KINDS[dialect]
    row = dialect_for(dialect, kind, render=chatml).row(made(kind, short("42"), short("41")))
    assert shown == {name: value for name, value in row.items() if name in shown}
    assert len(shown) >= 1


@pytest.mark.parametrize("dialect", Dialect)
def test_the_table_names_the_kinds_that_a_dialect_has(dialect: Dialect) -> None:
    line = re.search(rf"^\| `{dialect.value}` \| (?P<kinds>[^|]*) \|", PAGE, re.MULTILINE)
    assert line is not None
    assert re.findall("`(.*?)`", line["kinds"]) == [kind.value for kind in ExportKind if _has(dialect, kind)]


@pytest.mark.parametrize("dialect", Dialect)
def test_the_page_names_every_column_that_a_trainer_reads(dialect: Dialect) -> None:
    for kind in ExportKind:
        if _has(dialect, kind):
            for column in dialect_for(dialect, kind, argument=None).columns:
                name = re.sub("^(chosen|rejected|prompt|completion)_(?=[a-z])", "", column.name)
                assert f"`{name}`" in PAGE or f"`*_{name}`" in PAGE or f'"{name}"' in PAGE, column.name


def _has(dialect: Dialect, kind: ExportKind) -> bool:
    try:
        dialect_for(dialect, kind)
    except UsageError:
        return False
    return True
