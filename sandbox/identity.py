"""Who a session is: its user id, its folder, and how to be rid of all it did.

With `own_uids` (in a container, or under bubblewrap as root) each session is a user of its own, which
the kernel of the operating system keeps away from the others and from the server. Without, all
sessions of a jail share the server's user: bubblewrap for ordinary users then gives each session a jail
of its own, and the `local` backend isolates nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
from dataclasses import dataclass
from pathlib import Path

import cleanup

_MARK = "TIR_SESSION"
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Identity:
    """One session's user and folder."""

    uid: int | None
    """None: the server's own."""
    home: Path
    mark: str
    """Stands in the environment of each of its processes."""

    def environment(self) -> dict[str, str]:
        """All that the session's processes know of the world."""
        home = str(self.home)
        return {
            "HOME": home,
            "TMPDIR": home,
            "MPLCONFIGDIR": f"{home}/.matplotlib",
            "IPYTHONDIR": f"{home}/.ipython",
            "JUPYTER_RUNTIME_DIR": f"{home}/.jupyter",
            "MPLBACKEND": "agg",
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            _MARK: self.mark,
        }


class Identities:
    """Gives out identities, no user id twice."""

    def __init__(self, scratch: Path, *, own_uids: bool) -> None:
        self._scratch = scratch
        self._own_uids = own_uids
        self._first = _first_uid() if own_uids else 0
        self._mark = secrets.token_hex(8)

    def new(self, number: int) -> Identity:
        """A fresh user with an empty folder that nobody else can enter."""
        uid = self._first + number % 60_000 if self._own_uids else None
        home = self._scratch / f"s{number}"
        home.mkdir(mode=0o700)
        identity = Identity(uid, home, f"{self._mark}-{number}")
        try:
            self.give(home, identity, group=uid)
        except OSError:
            self.remove(identity)
            raise
        return identity

    def give(self, path: Path, identity: Identity, *, group: int | None) -> None:
        """Make `path` the session's; without own user ids it is already."""
        if identity.uid is not None and group is not None:
            os.chown(path, identity.uid, group)

    def remove(self, identity: Identity) -> None:
        """Remove the identity's folder, which its own user has emptied and cannot remove."""
        with contextlib.suppress(OSError):
            identity.home.rmdir()

    def take_back(self, path: Path) -> None:
        """Make `path` the server's again."""
        if self._own_uids:
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, os.getuid(), -1)


def _first_uid() -> int:
    """The start of a range of user ids that this jail maps.

    Limits on processes count a user's processes all over the machine, so two jails should not use the
    same ids: where there is room the range is picked at random.
    """
    _, _, size = max(
        (tuple(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()),
        key=lambda entry: entry[2],
    )
    if size < 2**31:
        return 2_000
    return 2**20 + secrets.randbelow(2**30)


def become(identity: Identity) -> None:
    """Turn this process into the session's, for good: there is no way back. It stands in no folder of
    the session's yet."""
    if identity.uid is not None:
        os.setgroups([])
        os.setresgid(identity.uid, identity.uid, identity.uid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    os.umask(0o007)
    os.environ.clear()
    os.environ.update(identity.environment())


def protect_server() -> None:
    """Keep processes of the same user from reading the server's memory; adopt what sessions leave."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def sweep(identity: Identity, kernel: int) -> None:
    """Kill every process of a session and remove every file it wrote. Runs in a process of its own,
    as the session's user, since the server may not touch what is another user's."""
    if identity.uid is not None:
        become(identity)
        # All of the user's processes at once: one with a pending signal can no longer fork. The second
        # round is for kernels on which it still could.
        for _ in range(2):
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        cleanup.shared_folders(identity.uid)
        cleanup.shared_memory()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(kernel, signal.SIGKILL)
        _kill_marked(identity.mark)
    cleanup.empty(identity.home)


def _kill_marked(mark: str) -> None:
    """Kill the processes whose environment names the session, daemons among them."""
    wanted = f"{_MARK}={mark}".encode()
    for _ in range(10):
        found = False
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found = True
                    os.kill(int(folder.name), signal.SIGKILL)
        if not found:
            return
