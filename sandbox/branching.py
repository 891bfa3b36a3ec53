"""Forking a live kernel, so that a session goes on twice from the same state.

The child has the memory of its parent, copy on write. Its sockets and threads it has not, and of files it
would share the position: so each thing that cannot be in two processes is made anew, or refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import os
import random
import shutil
import socket
import stat
import sys
import tempfile
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import identity

_STANDARD = 3
"""File descriptors below are standard input, output and error."""
_OWN_THREADS = {"MainThread", "IOPub", "Control", "Heartbeat", "Output"}


@dataclass(frozen=True)
class Branch:
    """What the host and the fork server have prepared for one branch."""

    sockets: str
    key: str
    home: str
    mark: str
    seed: int | None
    """For the random generators; None leaves them as they are."""
    ready: int = -1

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> Self:
        """Read the host's request. Raises KeyError and TypeError for what is none."""
        return cls(**{name: fields[name] for name in ("sockets", "key", "home", "mark", "seed")})


@dataclass(frozen=True)
class Machinery:
    """File descriptors and threads of a kernel that are not the user's."""

    descriptors: frozenset[int]
    threads: int

    @classmethod
    def now(cls) -> Self:
        """All that there is."""
        return cls(frozenset(_descriptors()), _threads())


def obstacle(machinery: Machinery, loop: asyncio.AbstractEventLoop) -> str | None:
    """Why this process cannot be forked, or None. The event loop stands still."""
    if _threads() > machinery.threads:
        names = [thread.name for thread in threading.enumerate() if thread.name not in _OWN_THREADS]
        return f"threads are running: {', '.join(names[:5]) or 'those of a library'}"
    if asyncio.all_tasks(loop):
        return "asyncio tasks are running"
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return "child processes have not been waited for"
    for descriptor in _descriptors() - machinery.descriptors:
        with contextlib.suppress(OSError):
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                return f"a {'pipe' if stat.S_ISFIFO(mode) else 'socket'} is open"
    return None


def fork(branches: list[Branch], machinery: Machinery, home: Path) -> Branch | None:
    """Fork once for each of `branches`. Returns None here, and in each child what it is now.

    `home` is the folder of this session, of which each branch gets a copy.

    Raises:
        OSError: not all could be forked. Those that could go on, and are the fork server's to end.
    """
    # Python gives a forked process a new state, so as not to draw the same numbers by accident.
    numbers = random.getstate()
    for branch in branches:
        pid = os.fork()
        if pid != 0:
            os.waitpid(pid, 0)
            continue
        try:
            # A child of the fork server's, not of the parent's: nobody else waits for it.
            if os.fork() != 0:
                os._exit(0)
        except OSError:
            os._exit(1)
        return _become(branch, machinery, home, numbers)
    return None


def _become(branch: Branch, machinery: Machinery, old: Path, numbers: Any) -> Branch:
    report = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.setsid()
        report.connect(f"{branch.sockets}/b")
        for descriptor in machinery.descriptors:
            if descriptor >= _STANDARD:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        new = Path(branch.home)
        shutil.copytree(old, new, symlinks=True, dirs_exist_ok=True)
        _open_anew(old, new)
        _move(old, new, branch.mark)
        random.setstate(numbers)
        if branch.seed is not None:
            seed(branch.seed)
    except BaseException:
        with contextlib.suppress(OSError):
            report.send(traceback.format_exc()[-2000:].encode("utf-8", "replace"))
        os._exit(1)
    return dataclasses.replace(branch, ready=report.detach())


def _open_anew(old: Path, new: Path) -> None:
    """Open files would share their position with the parent's: each gets one of its own."""
    for descriptor in _descriptors():
        with contextlib.suppress(OSError):
            if descriptor < _STANDARD or not stat.S_ISREG(os.fstat(descriptor).st_mode):
                continue
            path = Path(f"/proc/self/fd/{descriptor}")
            if path.readlink().is_relative_to(old):
                path = new / path.readlink().relative_to(old)
            position = os.lseek(descriptor, 0, os.SEEK_CUR)
            again = os.open(path, fcntl.fcntl(descriptor, fcntl.F_GETFL))
            os.lseek(again, position, os.SEEK_SET)
            os.dup2(again, descriptor, inheritable=os.get_inheritable(descriptor))
            os.close(again)


def _move(old: Path, new: Path, mark: str) -> None:
    """Go on in a copy of the parent's folder."""
    here = Path.cwd()
    for name, value in os.environ.items():
        if value == str(old) or value.startswith(f"{old}/"):
            os.environ[name] = str(new) + value[len(str(old)) :]
    os.environ[identity.MARK] = mark
    sys.path[:] = [str(new) if entry == str(old) else entry for entry in sys.path]
    tempfile.tempdir = str(new)
    os.chdir(new / here.relative_to(old) if here.is_relative_to(old) else new)


def seed(number: int) -> None:
    """Of the generators that have a state for the whole process; the user's own objects stay as they are."""
    random.seed(number)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(number % 2**32)
    if "sympy" in sys.modules:
        from sympy.core.random import seed as seed_sympy

        seed_sympy(number)


def _descriptors() -> set[int]:
    found = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    # The folder itself was open while it was read.
    return {descriptor for descriptor in found if _is_open(descriptor)}


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())
