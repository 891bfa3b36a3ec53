"""A recipe as TOML, as `tir export --config` reads it."""

from __future__ import annotations

import json
import re
from typing import Final

from pydantic import JsonValue

from tir_agent.export.plain import without_folders
from tir_agent.settings import Balance, ExportRecipe

__all__ = ["recipe_toml"]

_CONTROL: Final = re.compile("[\x7f\ud800-\udfff]")


def recipe_toml(recipe: ExportRecipe) -> str:
    """All of it, so that later defaults change nothing. Paths on the machine are cut to their last part.

    TOML has no null: a field without a value is left out, which gives its default; and a balance of `all`
    stands for none.
    """
    table = recipe.model_dump(mode="json")
    table["contamination"]["against"] = [
        source | {"path": without_folders(source["path"])} for source in table["contamination"]["against"]
    ]
    for name in ("prompt", "tokenizer", "rewards"):
        if isinstance(table[name], str):
            table[name] = without_folders(table[name])
    if recipe.balance.ratio is None:
        table["balance"]["ratio"] = Balance.ALL
    return "\n".join(_lines(table, ""))


def _lines(table: dict[str, JsonValue], name: str) -> list[str]:
    lines = [f"[{name}]"] if name else []
    tables = []
    for key, value in table.items():
        if isinstance(value, dict):
            tables.append((f"{name}.{key}" if name else key, value))
        elif value is not None:
            lines.append(f"{key} = {_value(value)}")
    for below, content in tables:
        lines += ["", *_lines(content, below)]
    return lines


def _value(value: JsonValue) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(one)}' for key, one in value.items() if one is not None)} }}"
    # What JSON says of texts, numbers and truth is TOML too, but for these few characters.
    text = json.dumps(value, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{_valid(ord(found[0])):04x}", text)


def _valid(code: int) -> int:
    """Half of a pair of surrogates is no character, and cannot be written: it is replaced."""
    return 0xFFFD if 0xD800 <= code <= 0xDFFF else code
