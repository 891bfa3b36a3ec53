"""Looking for everything that could be wrong with an export."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from tir_agent.errors import DataError, StorageError
from tir_agent.export.manifest import DataFile, SplitCounts
from tir_agent.export.reading import ExportReader
from tir_agent.store import Fault

__all__ = ["verify"]

_FOLDERS: Final = ("data", "jsonl", "problems")
_AT_ONCE: Final = 2**20


def verify(reader: ExportReader) -> Iterator[Fault]:
    """Everything that is wrong with the export, as it is found; nothing, where it is sound.

    Every file's checksum is compared and every line is read. The memory grows with the number of rows, by
    some 100 bytes each.

    Raises:
        StorageError: a file cannot be read.
    """
    listed = {file.path for file in reader.manifest.files}
    for file in reader.manifest.files:
        yield from _of_file(reader.path, file)
    for folder in _FOLDERS:
        for path in sorted((reader.path / folder).glob("*")):
            name = path.relative_to(reader.path).as_posix()
            if name not in listed:
                yield Fault(name, "export.json does not speak of it")
    ids: set[str] = set()
    for counts in reader.manifest.splits:
        yield from _of_split(reader, counts, ids)


def _of_file(root: Path, file: DataFile) -> Iterator[Fault]:
    if PurePosixPath(file.path).is_absolute() or ".." in PurePosixPath(file.path).parts:
        yield Fault(file.path, "it is not in the export's folder")
        return
    path = root / file.path
    if not path.is_file():
        yield Fault(file.path, "it is missing")
        return
    try:
        size = path.stat().st_size
        if size != file.bytes:
            yield Fault(file.path, f"it has {size} bytes, and had {file.bytes}")
        elif _sha256(path) != file.sha256:
            yield Fault(file.path, "its checksum differs from the one in export.json")
    except OSError as error:
        raise StorageError(f"Cannot read {path}: {error.strerror}") from None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_AT_ONCE):
            digest.update(data)
    return digest.hexdigest()


def _of_split(reader: ExportReader, counts: SplitCounts, ids: set[str]) -> Iterator[Fault]:
    found: list[Fault] = []
    rows = 0
    name = reader.rows_path(counts.split).relative_to(reader.path).as_posix()
    try:
        for row in reader.rows(counts.split, found.append):
            yield from found
            found.clear()
            rows += 1
            if row.id == row.digest.hex():
                # Without ids, two rows of the same words may be two examples.
                continue
            if row.id in ids:
                yield Fault(name, f"example {row.id} is there twice")
            ids.add(row.id)
    except DataError as error:
        yield Fault(name, error.message)
        return
    yield from found
    if rows != counts.examples:
        yield Fault(name, f"it has {rows} rows, and export.json speaks of {counts.examples}")
