"""The files of a set: the same rows as JSONL and as Parquet, written once, in constant memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Final, TypeAlias

from pydantic import JsonValue

from tir_agent.errors import StorageError
from tir_agent.export.manifest import DataFile

__all__ = ["Row", "data_file", "need_parquet", "write_lines", "write_rows"]

Row: TypeAlias = dict[str, JsonValue]

_GROUP: Final = 256
"""Rows in a row group, which is what is in memory at a time."""
_PIECE: Final = 2**20


def need_parquet() -> tuple[ModuleType, ModuleType]:
    """`pyarrow` and its Parquet module.

    Raises:
        StorageError: they are not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise StorageError(
            "A training set is written by the package pyarrow, which is not installed",
            hint='pip install "tir-agent[collect]"',
        ) from None
    return pyarrow, parquet


def write_rows(rows: Iterable[Row], schema: object, lines: Path, table: Path) -> None:
    """Write `rows` to the JSONL file `lines` and to the Parquet file `table`, whose schema is given.

    Raises:
        OSError: the disk failed.
    """
    pyarrow, parquet = need_parquet()
    for path in (lines, table):
        path.parent.mkdir(parents=True, exist_ok=True)
    source = iter(rows)
    with lines.open("wb") as file, parquet.ParquetWriter(table, schema, compression="zstd") as writer:
        while group := list(islice(source, _GROUP)):
            file.writelines(map(_line, group))
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


def write_lines(rows: Iterable[Row], path: Path) -> None:
    """Write `rows` to a JSONL file.

    Raises:
        OSError: the disk failed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.writelines(map(_line, rows))


def data_file(folder: Path, path: Path) -> DataFile:
    """What the account says of a file in the set's folder.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    for piece in _pieces(path):
        digest.update(piece)
        size += len(piece)
    return DataFile(path=path.relative_to(folder).as_posix(), sha256=digest.hexdigest(), bytes=size)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _line(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
