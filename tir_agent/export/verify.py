"""Looking for everything that could be wrong with an export."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from tir_agent.errors import DataError, StorageError
from tir_agent.export.manifest import MANIFEST, DataFile, ExportManifest, SplitCounts, Unit, Waterfall
from tir_agent.export.reading import ExportReader
from tir_agent.preferences.dialects import dialect_for
from tir_agent.store import Fault

__all__ = ["verify"]

_AT_ONCE: Final = 2**20


def verify(reader: ExportReader) -> Iterator[Fault]:
    """Everything that is wrong with the export, as it is found; nothing, where it is sound.

    Every file that the account lists has its checksum compared, every line is read, every other file in the
    folder is named, and the stages of the waterfall are added up. The memory
    grows with the number of rows, by
    some 100 bytes each.

    Raises:
        StorageError: a file cannot be read.
    """
    for file in reader.manifest.files:
        yield from _of_file(reader.path, file)
    expected = _expected(reader.manifest)
    for path in sorted(reader.path.rglob("*")):
        name = path.relative_to(reader.path).as_posix()
        if name not in expected and (path.is_symlink() or not path.is_dir()):
            yield Fault(name, "export.json does not speak of it")
    yield from _of_waterfall(reader.manifest.waterfall)
    ids: set[str] = set()
    for counts in reader.manifest.splits:
        yield from _of_split(reader, counts, ids)


def _expected(manifest: ExportManifest) -> set[str]:
    """The files that are listed, and those that cannot be or that follow from the account."""
    beside = dialect_for(manifest.recipe.dialect, manifest.recipe.kind).files({})
    return {MANIFEST, "README.md", *beside, *(file.path for file in manifest.files)}


def _of_waterfall(fall: Waterfall) -> Iterator[Fault]:
    left, unit = fall.read, Unit.TRAJECTORIES
    for stage in fall.stages:
        # How many examples were made of the trajectories that are left is not in the account.
        if stage.unit is unit and stage.left != left - stage.dropped:
            yield Fault(
                MANIFEST,
                f"of {left} {unit.value}, {stage.name} dropped {stage.dropped}, and left {stage.left}",
            )
        left, unit = stage.left, stage.unit


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
