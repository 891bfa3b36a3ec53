"""Rows from tables: CSV and TSV (RFC 4180, with a line of names at the head), and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from tir_agent.errors import DataError
from tir_agent.problems.files import MAX_LINE, lines_of
from tir_agent.problems.rows import Fault, Read, Row

__all__ = ["csv_rows", "parquet_rows"]

_BATCH = 256
"""Rows of a Parquet file that are in memory at the same time, beside the column pages they lie in."""


def csv_rows(stream: io.BufferedReader, name: str, delimiter: str) -> Iterator[Read]:
    """A row names the line on which it begins; quoted fields may go over several.

    Raises:
        DataError: there is no line of names.
    """
    # The limit is the process's, and its default is shorter than problems may be.
    csv.field_size_limit(MAX_LINE)
    decoded = _Decoded(stream)
    head = next(decoded, "")
    if delimiter == "," and "," not in head and ";" in head:
        delimiter = ";"
    reader = csv.reader(decoded, delimiter=delimiter)
    names = next(csv.reader([head], delimiter=delimiter), [])
    if not any(map(str.strip, names)) or decoded.bad:
        raise DataError(f"The first line of {name} holds no names of columns")
    columns, renamed = _unique(names)
    if renamed:
        yield Fault(f"{name}:1", f"Columns of the same name were renamed: {', '.join(renamed)}")
    begin = 2
    while True:
        where = f"{name}:{begin}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Fault(where, f"It is not CSV, and nothing behind it was read: {error}")
            return
        if cells is None:
            return
        lines, begin = range(begin, decoded.number + 1), decoded.number + 1
        if any(line in decoded.bad for line in lines):
            yield Fault(where, "It is not UTF-8, or too long")
        elif len(cells) != len(columns):
            if cells:
                yield Fault(where, f"It has {len(cells)} columns, and the head has {len(columns)}")
        else:
            yield Row(where, {column: cell or None for column, cell in zip(columns, cells, strict=True)})


class _Decoded:
    """Lines as text, as `csv.reader` wants them; remembers which were none."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._lines = lines_of(stream)
        self.number = 0
        self.bad: set[int] = set()

    def __iter__(self) -> _Decoded:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number = line.number
        try:
            return (line.content or b"").decode("utf-8") + "\n"
        except UnicodeDecodeError:
            self.bad.add(line.number)
            return (line.content or b"").decode("utf-8", "replace") + "\n"
        finally:
            if line.content is None:
                self.bad.add(line.number)


def parquet_rows(path: Path) -> Iterator[Read]:
    """The rows of a Parquet file, a batch at a time.

    Raises:
        DataError: pyarrow is not installed, or it cannot read the file.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"{path} is a Parquet file, and the package pyarrow is not installed",
            hint="pip install 'tir-agent[collect]'",
        ) from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            columns, renamed = _unique(file.schema_arrow.names)
            if renamed:
                yield Fault(f"{path.name}:1", f"Columns of the same name were renamed: {', '.join(renamed)}")
            for batch in file.iter_batches(batch_size=_BATCH):
                for fields in batch.rename_columns(columns).to_pylist():
                    number += 1
                    yield Row(f"{path.name}:{number}", fields)
    except (pyarrow.ArrowException, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read as Parquet: {reason}") from None
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}") from None


def _unique(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names of columns without two alike, and which were made up."""
    unique: list[str] = []
    made: list[str] = []
    for number, name in enumerate(names, 1):
        wanted = name.strip() or f"column_{number}"
        new, count = wanted, 1
        while new in unique:
            count += 1
            new = f"{wanted}_{count}"
        if count > 1:
            made.append(new)
        unique.append(new)
    return unique, made
