"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tir_agent.errors import StorageError

__all__ = ["cannot_write", "sync_folder", "write_all", "write_whole"]


def cannot_write(path: Path, error: OSError) -> StorageError:
    """`error` in a sentence, with a remedy where the disk is full."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = "Make room; everything that counted as written is in the log" if full else None
    return StorageError(f"Cannot write {path}: {error.strerror or error}", hint=hint)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """All of `data` at `offset`: the system may take it in parts.

    Raises:
        OSError: some of it could not be written.
    """
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def sync_folder(folder: Path) -> None:
    """Force the names in `folder` onto the disk.

    Raises:
        OSError: the disk failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems sync no folders: they do it at once, or nothing can be done.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file at `path`: afterwards it holds `data`, synced, or what it held before.

    Two processes must not do it to the same file at the same time.

    Raises:
        StorageError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        try:
            write_all(descriptor, data, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None
