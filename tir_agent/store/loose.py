"""Trajectories that are no run: single files, files of lines, and folders of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from tir_agent.errors import RunError, StorageError
from tir_agent.store.layout import LINES, LINES_ZSTD
from tir_agent.store.pieces import pieces
from tir_agent.store.scan import Fault
from tir_agent.store.versions import why

__all__ = ["LOOSE", "loose_files", "loose_records"]

T = TypeVar("T")

LOOSE: Final = (".json", LINES, LINES_ZSTD)
"""How such files' names end."""


def loose_files(path: Path) -> list[Path]:
    """The files at `path`, which is one of them or a folder of them.

    Raises:
        RunError: there are none.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise RunError(f"There is no {path}")
    found = sorted(entry for entry in path.iterdir() if entry.name.endswith(LOOSE) and entry.is_file())
    found = [entry for entry in found if not entry.name.startswith(".")]
    if not found:
        raise RunError(f"{path} is not a run, and there are no trajectories in it")
    return found


def loose_records(path: Path, parse: Callable[[bytes], T], on_fault: Callable[[Fault], None]) -> Iterator[T]:
    """The records of one file: one in all of it, or one a line, also where the last line has no end.

    Raises:
        StorageError: it cannot be read.
        RunError: it is of a newer version.
    """
    if path.name.endswith(".json"):
        try:
            whole = path.read_bytes()
        except OSError as error:
            raise StorageError(f"Cannot read {path}: {error.strerror}") from None
        try:
            yield parse(whole)
            return
        except ValueError as error:
            if b"\n{" not in whole.strip():
                on_fault(Fault(str(path), why(error)))
                return
    number = 0
    for piece in pieces(path, whole_lines=False):
        if piece.damage is not None:
            on_fault(Fault(f"{path}, byte {piece.start}", piece.damage))
        for line in piece.lines:
            number += 1
            if line.isspace():
                continue
            try:
                record = parse(line)
            except ValueError as error:
                on_fault(Fault(f"{path}, line {number}", why(error)))
                continue
            yield record
