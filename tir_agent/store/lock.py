"""Who may write a run: one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from tir_agent.errors import RunError, StorageError
from tir_agent.store.files import cannot_write

__all__ = ["RunLock"]

_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


class _Holder(BaseModel):
    pid: int
    host: str


class RunLock:
    """A `flock`: it goes when the process does, however that ends. The file's content is for people."""

    def __init__(self, descriptor: int) -> None:
        """Of a file that is locked: use `take` or `share`."""
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> Self:
        """Be the only one who writes the run whose lock is the file `path`.

        Raises:
            RunError: another process is, or the file system has no locks.
            StorageError: the file cannot be made.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise RunError(f"{path} is a symbolic link, and a run's lock must not be one") from None
            raise cannot_write(path, error) from None
        _lock(descriptor, fcntl.LOCK_EX, path)
        holder = _Holder(pid=os.getpid(), host=platform.node())
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder.model_dump_json().encode() + b"\n", 0)
        except OSError:
            # A full disk: the lock is held all the same, and others cannot be told by whom.
            pass
        return cls(descriptor)

    @classmethod
    def share(cls, path: Path) -> Self | None:
        """Keep writers away from the run whose lock is the file `path`; None where it never had a writer.

        Raises:
            RunError: a process is writing it.
            StorageError: the lock cannot be read.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"Cannot read {path}: {error.strerror}") from None
        _lock(descriptor, fcntl.LOCK_SH, path)
        return cls(descriptor)

    def close(self) -> None:
        """Let others write. The file stays: taking it away would let two of them in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(descriptor: int, kind: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        message = f"{path.parent} is being written by {_holder(descriptor)}"
        os.close(descriptor)
        raise RunError(message, hint="Wait for it, or stop it") from None
    except OSError as error:
        os.close(descriptor)
        if error.errno in _UNSUPPORTED:
            raise RunError(
                f"The file system of {path.parent} has no locks: two processes could write the run at once",
                hint="Use a folder on a local disk",
            ) from None
        raise cannot_write(path, error) from None


def _holder(descriptor: int) -> str:
    try:
        holder = _Holder.model_validate_json(os.pread(descriptor, 4096, 0))
    except (ValidationError, OSError):
        # It has the lock and has not yet said so.
        return "another process"
    where = "" if holder.host == platform.node() else f" on {holder.host}"
    return f"process {holder.pid}{where}"
