"""A log: shards that only grow, and are right again after whatever happened to a write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from tir_agent.errors import StorageError
from tir_agent.settings import Fsync, Storage
from tir_agent.store.files import cannot_write, sync_folder, write_all
from tir_agent.store.layout import LINES, LINES_ZSTD, shard_number, shards_in
from tir_agent.store.pieces import compress
from tir_agent.store.scan import Fault, Scan

__all__ = ["Log"]

T = TypeVar("T")


class Log:
    """The shards in one folder, written by one process and one thread. Read them with `recover` first."""

    def __init__(self, folder: Path, storage: Storage) -> None:
        """`folder` is there."""
        self._folder = folder
        self._storage = storage
        self._path: Path | None = None
        self._descriptor = -1
        self._size = 0
        self._trouble: str | None = None
        self.repairs: list[Fault] = []
        """What `recover` found: torn tails, which it set aside, and lines that it skipped."""

    def recover(self, parse: Callable[[bytes], T]) -> Iterator[T]:
        """All records of the log; afterwards it ends with a sound line, and more can be appended.

        A torn tail is moved to a file beside the shard, `00000.torn-1`. Other lines that are no records
        stay where they are.

        Raises:
            StorageError: a shard cannot be read, or its torn tail cannot be moved.
            RunError: there are records of a newer version.
        """
        last = None
        for path in shards_in(self._folder):
            scan = Scan(path, parse)
            for _, record in scan:
                yield record
            self.repairs += scan.faults
            if scan.torn:
                aside = self._set_aside(path, scan.good)
                where = f"{self._folder.name}/{path.name}, byte {scan.good}"
                self.repairs.append(Fault(where, f"torn tail of {scan.torn} bytes, moved to {aside.name}"))
            last = path
        if last is not None and last.name.endswith(self._suffix):
            self._begin(last)

    def append(self, lines: Sequence[bytes]) -> None:
        """Write `lines`, none of which has a line's end, in one go; synced where the policy is ALWAYS.

        Raises:
            StorageError: they were not written, none of them; the log is as it was before.
        """
        if self._trouble is not None:
            raise StorageError(self._trouble, hint="Resume the run: what is in the log is read again")
        data = b"".join(line + b"\n" for line in lines)
        if self._storage.compress:
            data = compress(data)
        if self._path is None or self._size >= self._storage.shard_bytes:
            self._next()
        path = self._path or self._folder
        try:
            write_all(self._descriptor, data, self._size)
            if self._storage.fsync is Fsync.ALWAYS:
                os.fdatasync(self._descriptor)
        except OSError as error:
            self._take_back(path)
            raise cannot_write(path, error) from None
        self._size += len(data)

    def sync(self) -> None:
        """Force what was appended onto the disk.

        Raises:
            StorageError: that failed, and what was appended since the last sync may be lost; nothing
                more is appended.
        """
        if self._descriptor < 0:
            return
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            trouble = cannot_write(self._path or self._folder, error)
            self._trouble = trouble.message
            raise trouble from None

    def close(self) -> None:
        """Give the file back; syncs nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def _suffix(self) -> str:
        return LINES_ZSTD if self._storage.compress else LINES

    def _begin(self, path: Path, flags: int = 0) -> None:
        try:
            self._descriptor = os.open(path, os.O_WRONLY | flags, 0o666)
            self._size = os.fstat(self._descriptor).st_size
        except OSError as error:
            raise cannot_write(path, error) from None
        self._path = path

    def _next(self) -> None:
        if self._descriptor >= 0 and self._storage.fsync is not Fsync.NEVER:
            self.sync()
        numbers = [shard_number(path) for path in shards_in(self._folder)]
        number = max((number for number in numbers if number is not None), default=-1) + 1
        path = self._folder / f"{number:05}{self._suffix}"
        self.close()
        self._path = None
        self._begin(path, os.O_CREAT | os.O_EXCL)
        try:
            sync_folder(self._folder)
        except OSError as error:
            raise cannot_write(path, error) from None

    def _take_back(self, path: Path) -> None:
        """Cut off what a write that failed has left, so that the next one stands where it would have."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            self._trouble = f"Cannot write {path}: {error.strerror or error}, and its end is not sound"

    def _set_aside(self, path: Path, good: int) -> Path:
        stem = path.name.split(".")[0]
        number = 1
        while (aside := path.with_name(f"{stem}.torn-{number}")).exists():
            number += 1
        try:
            with path.open("r+b") as shard, aside.open("xb") as kept:
                shard.seek(good)
                while chunk := shard.read(2**20):
                    kept.write(chunk)
                kept.flush()
                os.fsync(kept.fileno())
                sync_folder(path.parent)
                shard.truncate(good)
                os.fsync(shard.fileno())
        except OSError as error:
            raise cannot_write(path, error) from None
        return aside
