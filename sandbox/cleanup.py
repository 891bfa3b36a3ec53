"""Ending a session: killing what it started, removing what it left. It may have made both hard.

Runs in a process of the janitor's, as the session's user, since nobody else may touch what is the
user's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import stat
from pathlib import Path

import identity

_IPC_RMID = 0
# Where a session can write beside its own folder.
_SHARED_FOLDERS = (Path("/dev/shm"), Path("/dev/mqueue"), Path("/var/tmp"), Path("/tmp"))  # noqa: S108


def sweep(who: identity.Identity, kernel: int, *, last: bool) -> None:
    """Kill every process of a session and remove every file it wrote.

    `last` says that no other session is the same user: otherwise only the descendants of the process
    `kernel`, its process session, and what bears the session's mark can be told from a branch's. What
    escapes that, having cleared its environment, ends with the last of them.
    """
    if who.uid is not None:
        identity.become(who)
    if who.uid is not None and last:
        # All of the user's processes at once: one with a pending signal can no longer fork. The second
        # round is for kernels on which it still could.
        for _ in range(2):
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        shared_folders(who.uid)
        shared_memory()
    else:
        for _ in range(10):
            if not _kill(_belonging(kernel, who.mark)):
                break
    empty(who.home)


def _kill(processes: set[int]) -> bool:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(processes)


def _belonging(kernel: int, mark: str) -> set[int]:
    """Processes that descend from `kernel`, share its process session, or have the mark."""
    wanted = f"{identity.MARK}={mark}".encode()
    parents: dict[int, int] = {}
    found = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            # proc(5): state, parent, process group and process session follow the name in parentheses.
            state, parent, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if state in "ZX":
                continue
            pid = int(folder.name)
            parents[pid] = int(parent)
            of_kernel = kernel and kernel in (pid, int(session))
            if of_kernel or wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


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
