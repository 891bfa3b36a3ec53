"""Files of rows: which format one has, whether it is compressed, and its lines one by one.

Compression is recognised by a file's first bytes, the format by its name, or by its first bytes where
the name says nothing. Lines are read in pieces of a bounded size: a line of a gigabyte costs no memory.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tir_agent.errors import DataError
from tir_agent.problems.text import MAX_CHARS

__all__ = ["MAX_LINE", "Format", "Line", "format_of", "is_data_name", "lines_of", "open_bytes"]

MAX_LINE: Final = 16 * MAX_CHARS
"""Longest row in bytes: a problem of the greatest length and a long solution beside it."""

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PACKED: Final = frozenset({".gz", ".zst", ".zstd"})
_BOM: Final = b"\xef\xbb\xbf"


class Format(StrEnum):
    """How rows are written."""

    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"


_SUFFIXES: Final = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
}


def is_data_name(path: Path) -> bool:
    """Whether a name ends as the names of data files do."""
    return _suffix(path) in _SUFFIXES or path.suffix in _PACKED


def format_of(path: Path, stream: io.BufferedReader) -> Format:
    """The format of an opened file.

    Raises:
        DataError: neither its name nor its beginning says what it is.
    """
    known = _SUFFIXES.get(_suffix(path))
    if known is not None:
        return known
    start = stream.peek(64)[:64].removeprefix(_BOM).lstrip()
    if start.startswith(b"PAR1"):
        return Format.PARQUET
    if start.startswith(b"{"):
        return Format.JSONL
    if start.startswith(b"["):
        return Format.JSON
    raise DataError(
        f"{path} is of no format that is known here",
        hint=f"Known are {', '.join(_SUFFIXES)}, and these with .gz or .zst behind them",
    )


def _suffix(path: Path) -> str:
    name = path.with_suffix("") if path.suffix.lower() in _PACKED else path
    return name.suffix.lower()


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """A file's content, decompressed where it is compressed.

    Raises:
        DataError: it cannot be read, or its compressed data is damaged; also while it is read.
    """
    damaged: tuple[type[Exception], ...] = (gzip.BadGzipFile, EOFError, zlib.error)
    try:
        with path.open("rb") as raw:
            start = raw.peek(4)
            if start.startswith(_GZIP):
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    # The object is there for its `peek`; GzipFile's own reads too little at a time.
                    yield io.BufferedReader(unpacked)
            elif start.startswith(_ZSTD):
                zstandard = _zstandard(path)
                damaged = (*damaged, zstandard.ZstdError)
                with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as reader:
                    yield io.BufferedReader(reader)
            else:
                yield raw
    except damaged as error:
        raise DataError(
            f"The compressed data of {path} is damaged: {error}", hint="Fetch it once more"
        ) from None
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}") from None


def _zstandard(path: Path) -> Any:
    try:
        import zstandard
    except ImportError:
        raise DataError(
            f"{path} is compressed with zstd, and the package zstandard is not installed",
            hint="pip install 'tir-agent[collect]'",
        ) from None
    return zstandard


class Line:
    """A line of a file: its number from 1, and its bytes without their end; None where it is too long."""

    __slots__ = ("content", "number")

    def __init__(self, number: int, content: bytes | None) -> None:
        self.number = number
        self.content = content


def lines_of(stream: io.BufferedReader) -> Iterator[Line]:
    """The lines of a file; a byte order mark before the first is left out."""
    number = 0
    while piece := stream.readline(MAX_LINE + 1):
        number += 1
        if len(piece) <= MAX_LINE or piece.endswith(b"\n"):
            yield Line(number, (piece.removeprefix(_BOM) if number == 1 else piece).rstrip(b"\r\n"))
            continue
        while piece and not piece.endswith(b"\n"):
            piece = stream.readline(MAX_LINE)
        yield Line(number, None)
