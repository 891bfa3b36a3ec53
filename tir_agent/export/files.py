"""The files of a set: rows by split, and the problems of each split to evaluate on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pydantic import TypeAdapter

from tir_agent.export.chance import split_of
from tir_agent.export.manifest import DataFile, Split
from tir_agent.export.spool import Spool
from tir_agent.export.writing import Row, data_file, write_lines, write_rows
from tir_agent.preferences import Example
from tir_agent.preferences.dialects import Writer, arrow_schema
from tir_agent.settings import ExportRecipe

__all__ = ["EXAMPLE", "write_files"]

EXAMPLE: TypeAdapter[Example] = TypeAdapter(Example)
"""How examples lie in a spool."""


def write_files(
    spool: Spool, recipe: ExportRecipe, writer: Writer, folder: Path, step: Callable[[str], None]
) -> Iterator[DataFile]:
    """Write all of them; `step` hears of each split. A split without examples has no rows' files.

    Raises:
        OSError: the disk failed.
    """
    schema = arrow_schema(writer.columns)
    for split in Split:
        if not spool.totals(split)[0]:
            continue
        step(f"writing the {split.value} split")
        rows: Iterable[Row] = (writer.row(EXAMPLE.validate_json(one)) for one in spool.rows(split))
        lines = folder / "jsonl" / f"{split.value}.jsonl"
        table = folder / "data" / f"{split.value}.parquet"
        write_rows(rows, schema, lines, table)
        yield from (data_file(folder, path) for path in (table, lines))
    for split in Split:
        if split is Split.TRAIN or recipe.validation:
            path = folder / "problems" / f"{split.value}.jsonl"
            write_lines(_problems(spool, recipe, split), path)
            yield data_file(folder, path)


def _problems(spool: Spool, recipe: ExportRecipe, split: Split) -> Iterator[Row]:
    for counted in spool.problems():
        problem = counted.problem
        if split_of(problem.text, recipe.seed, recipe.validation) is split:
            yield {
                "id": problem.id,
                "problem": problem.text,
                "answer": problem.gold,
                "subject": problem.subject,
                "level": problem.level,
                "right": counted.right,
                "wrong": counted.wrong,
            }
