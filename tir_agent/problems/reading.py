"""The rows of a source, whatever it is: a file, a saved folder, a name on the hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tir_agent.errors import DataError
from tir_agent.problems.files import Format, format_of, is_data_name, open_bytes
from tir_agent.problems.hub import hub_rows, is_hub_name, is_saved, saved_rows
from tir_agent.problems.json_rows import document_rows, line_rows
from tir_agent.problems.rows import Read
from tir_agent.problems.table_rows import csv_rows, parquet_rows
from tir_agent.settings import ProblemSource

__all__ = ["read_rows"]

_LISTED = 5


def read_rows(source: ProblemSource) -> Iterator[Read]:
    """Every row of a source with its place, and every line that is none.

    Raises:
        DataError: it is not there, cannot be read, or is not a data set; also while the rows are read.
    """
    path = Path(source.path).expanduser()
    try:
        folder = path.is_dir()
        there = folder or path.exists()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}") from None
    if folder:
        if not is_saved(path):
            raise DataError(
                f"{path} is a folder, and not one that datasets.save_to_disk made", hint=_listing(path)
            )
        return saved_rows(path, source.split)
    if there:
        if source.subset is not None:
            raise DataError(f"{path} is a file, and has no subsets", hint="Leave --subset out")
        return _file_rows(path, source.split)
    if is_hub_name(source.path) and not is_data_name(path):
        return hub_rows(source.path, source.subset, source.split)
    raise DataError(
        f"There is no file or folder {path}", hint="A data set on the Hugging Face hub is named owner/name"
    )


def _file_rows(path: Path, split: str | None) -> Iterator[Read]:
    with open_bytes(path) as stream:
        form = format_of(path, stream)
        if form is Format.JSON:
            yield from document_rows(stream, path.name, split)
            return
        if split is not None:
            raise DataError(
                f"{path} is a file, and has no splits",
                hint=f"Leave --split out, or, where a field says it: --filter split={split}",
            )
        if form is Format.JSONL:
            yield from line_rows(stream, path.name)
        elif form is Format.PARQUET:
            yield from parquet_rows(path)
        else:
            yield from csv_rows(stream, path.name, "," if form is Format.CSV else "\t")


def _listing(folder: Path) -> str:
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file() and is_data_name(entry))
    except OSError:
        names = []
    if not names:
        return "Give a file"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"Give a file in it: {', '.join(names[:_LISTED])}{more}"
