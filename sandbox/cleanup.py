"""Removing what a session left behind. It may have done its worst to make that hard.

Runs as the session's user, after all its processes have been killed, so nothing changes meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from pathlib import Path

_IPC_RMID = 0
# Where a session can write beside its own folder.
_SHARED_FOLDERS = (Path("/dev/shm"), Path("/dev/mqueue"), Path("/var/tmp"), Path("/tmp"))  # noqa: S108


def empty(folder: Path) -> None:
    """Remove everything in `folder`: without recursion, long paths, or trust in permissions.

    A tree of any depth is flattened: the folders in a folder are moved to the top, so it can go.
    """
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _empty(top)
        finally:
            os.close(top)


def _empty(top: int) -> None:
    counter = 0
    pending = _unlink_files(top)
    while pending:
        name = pending.pop()
        with contextlib.suppress(OSError):
            os.chmod(name, 0o700, dir_fd=top)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                for folder in _unlink_files(inner):
                    counter += 1
                    moved = f".gone{counter}"
                    # A folder that is moved must itself be writable.
                    os.chmod(folder, 0o700, dir_fd=inner)
                    os.rename(folder, moved, src_dir_fd=inner, dst_dir_fd=top)
                    pending.append(moved)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _unlink_files(folder: int) -> list[str]:
    """Remove what is no folder; returns the folders."""
    folders = []
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                folders.append(name)
            else:
                os.unlink(name, dir_fd=folder)
    return folders


def shared_folders(uid: int) -> None:
    """Remove what the user left where all sessions can write."""
    for folder in _SHARED_FOLDERS:
        with contextlib.suppress(OSError):
            for entry in list(os.scandir(folder)):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid != uid:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        empty(Path(entry.path))
                        Path(entry.path).rmdir()
                    else:
                        Path(entry.path).unlink()


def shared_memory() -> None:
    """Remove the user's System V objects, which outlive every process."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind, control in (("shm", libc.shmctl), ("sem", libc.semctl), ("msg", libc.msgctl)):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]:
                # Another user's stay: the operating system refuses. semctl() takes its arguments in
                # another order, which does not matter, since all of them are 0.
                control(int(line.split()[1]), _IPC_RMID, 0)
