"""The rows of an exported training set, as they stand in its files."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from tir_agent.errors import DataError, UsageError
from tir_agent.settings.export import Dialect, ExportKind, ExportRecipe

__all__ = ["TRAIN", "VALIDATION", "Row", "read_rows"]

Row: TypeAlias = dict[str, Any]

TRAIN: Final = "train"
VALIDATION: Final = "validation"
_MANIFEST: Final = "export.json"


def read_rows(folder: Path, split: str, kinds: Collection[ExportKind]) -> list[Row]:
    """All rows of a split of the set in `folder`; an empty list where it has no such split.

    Raises:
        UsageError: it is no set, or one for another purpose than `kinds`, or of another dialect.
        DataError: its files cannot be read.
    """
    recipe = _recipe(folder)
    if recipe.kind not in kinds:
        wanted = " or ".join(kind.value for kind in kinds)
        raise UsageError(
            f"{folder} is a set for {recipe.kind.value}, and {wanted} is wanted",
            hint=f"tir export RUN --format {next(iter(kinds)).value} --out DIR",
        )
    if recipe.dialect is not Dialect.TRL:
        raise UsageError(
            f"{folder} is in the dialect {recipe.dialect.value}, which does not say who wrote what",
            hint=f"Export it with --dialect {Dialect.TRL.value}",
        )
    table = folder / "data" / f"{split}.parquet"
    lines = folder / "jsonl" / f"{split}.jsonl"
    try:
        if table.is_file():
            return _table(table)
        if lines.is_file():
            with lines.open(encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read the {split} split of {folder}: {error}") from None
    if split == TRAIN:
        raise DataError(f"{folder} has neither {table.name} nor {lines.name}")
    return []


def _recipe(folder: Path) -> ExportRecipe:
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        return ExportRecipe.model_validate(manifest["recipe"])
    except OSError:
        raise UsageError(
            f"{folder} is not an exported set: it has no {_MANIFEST}",
            hint="tir export RUN --out DIR makes one",
        ) from None
    except (ValueError, KeyError, TypeError, ValidationError):
        raise DataError(f"{path} does not say how the set was made") from None


def _table(path: Path) -> list[Row]:
    import pyarrow.parquet

    rows: list[Row] = pyarrow.parquet.read_table(path).to_pylist()
    return rows
