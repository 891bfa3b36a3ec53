"""A log's file in pieces, each of which is there whole or damaged: lines, or frames of compressed lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Final, NamedTuple

from tir_agent.errors import StorageError
from tir_agent.store.layout import LINES_ZSTD

__all__ = ["Piece", "compress", "pieces"]

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""How a frame begins (RFC 8878, section 3.1.1)."""
_CHUNK = 64 * 1024
_LARGE = 64 * 2**20
"""Bytes of lines after which a frame is handed out in parts: someone may have compressed all as one."""


class Piece(NamedTuple):
    """Bytes `start` to `end` (exclusive) of the file."""

    start: int
    end: int
    lines: tuple[bytes, ...]
    damage: str | None = None
    """Why there are no lines in it."""
    checked: bool = False
    """A checksum says that it is as it was written."""


def pieces(path: Path, *, whole_lines: bool = True) -> Iterator[Piece]:
    """The file at `path`, in constant memory as far as its lines are short.

    A piece is damaged where a line has no end (unless it need not have one: `whole_lines`), or a frame is
    not what its checksum says. After a damaged frame it goes on at the next sound one.

    Raises:
        StorageError: it cannot be read, or is compressed and `zstandard` is not there.
    """
    try:
        with path.open("rb", buffering=2**20) as file:
            yield from _frames(file) if path.name.endswith(LINES_ZSTD) else _lines(file, whole_lines)
    except OSError as error:
        raise StorageError(f"Cannot read {path}: {error.strerror or error}") from None


def compress(lines: bytes) -> bytes:
    """`lines` as a frame of its own, with a checksum.

    Raises:
        StorageError: `zstandard` is not there.
    """
    zstandard = _zstandard()
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=True)
    frame: bytes = compressor.compress(lines)
    return frame


def _lines(file: BinaryIO, whole_lines: bool) -> Iterator[Piece]:
    at = 0
    for line in file:
        end = at + len(line)
        whole = line.endswith(b"\n") or not whole_lines
        yield Piece(at, end, (line,)) if whole else Piece(at, end, (), "it ends in the middle")
        at = end


def _frames(file: BinaryIO) -> Iterator[Piece]:
    at = 0
    zstandard = _zstandard()
    decompressor = zstandard.ZstdDecompressor()
    rest = b""
    while True:
        frame = decompressor.decompressobj()
        end = at
        content: list[bytes] = []
        held = 0
        damage = None
        while not frame.eof:
            rest = rest or file.read(_CHUNK)
            if not rest:
                damage = "it ends in the middle" if end > at else None
                break
            try:
                part = frame.decompress(rest)
            except zstandard.ZstdError as error:
                damage = f"it is damaged: {error}"
                break
            left = frame.unused_data
            end += len(rest) - len(left)
            rest = left
            content.append(part)
            held += len(part)
            if held > _LARGE:
                *lines, last = b"".join(content).split(b"\n")
                yield Piece(at, at, tuple(lines))
                content, held = [last], len(last)
        if frame.eof:
            yield Piece(at, end, tuple(filter(None, b"".join(content).split(b"\n"))), checked=True)
            at = end
            continue
        if damage is None:
            return
        found, rest = _next_frame(file, at + 1)
        yield Piece(at, found, (), damage)
        at = found


def _next_frame(file: BinaryIO, start: int) -> tuple[int, bytes]:
    """Where from `start` on something looks like a frame's beginning, and the bytes there; else the end."""
    file.seek(start)
    window = b""
    while chunk := file.read(_CHUNK):
        window += chunk
        found = window.find(_MAGIC)
        if found >= 0:
            return start + found, window[found:]
        kept = len(_MAGIC) - 1
        start += max(len(window) - kept, 0)
        window = window[-kept:]
    return start + len(window), b""


def _zstandard() -> ModuleType:
    try:
        import zstandard
    except ImportError:
        raise StorageError(
            "Compressed logs need the package zstandard, which is not installed",
            hint='pip install "tir-agent[collect]"',
        ) from None
    return zstandard
