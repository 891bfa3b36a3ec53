"""Who a session is: its user id, its folder, and how to be rid of all it did.

With `own_uids` (in a container, or under bubblewrap as root) each session is a user of its own, which
the kernel of the operating system keeps away from the others and from the server; its branches, which it
forks itself, are the same user. Without, all sessions of a jail share the server's user: bubblewrap for
ordinary users then gives each session a jail of its own, and the `local` backend isolates nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

MARK = "TIR_SESSION"
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_UIDS = 60_000


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
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            MARK: self.mark,
        }


class Identities:
    """Gives out identities: no folder, and no user id but for branches, to two at a time.

    `scratch` holds the folders. With `slots` they are there already, named 0 to `slots` - 1: file systems
    of their own, so that no session can fill another's.
    """

    def __init__(self, scratch: Path, *, own_uids: bool, slots: int) -> None:
        self._scratch = scratch
        self._own_uids = own_uids
        self._first = _first_uid() if own_uids else 0
        self._users: Counter[int | None] = Counter()
        self._slots = [str(slot) for slot in reversed(range(slots))] if slots else None
        self._mark = secrets.token_hex(8)

    def new(self, number: int) -> Identity:
        """A fresh user with an empty folder that nobody else can enter.

        Raises:
            OSError: there is no room for another.
        """
        uid = None
        if self._own_uids:
            uid = next(uid for uid in self._candidates(number) if not self._users[uid])
        return self._settle(uid, number)

    def branch(self, parent: Identity, number: int) -> Identity:
        """The same user with another folder. Raises OSError like `new`."""
        return self._settle(parent.uid, number)

    def is_last(self, identity: Identity) -> bool:
        """Whether nobody else is the same user."""
        return self._users[identity.uid] == 1

    def give(self, path: Path, identity: Identity, *, group: int | None) -> None:
        """Make `path` the session's; without own user ids it is already."""
        if identity.uid is not None and group is not None:
            os.chown(path, identity.uid, group)

    def take_back(self, path: Path) -> None:
        """Make `path` the server's again."""
        if self._own_uids:
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, os.getuid(), -1)

    def remove(self, identity: Identity) -> None:
        """Take the identity's folder away, which its user has emptied, and let others be that user."""
        self._users[identity.uid] -= 1
        if not self._users[identity.uid]:
            del self._users[identity.uid]
        if self._slots is None:
            with contextlib.suppress(OSError):
                identity.home.rmdir()
            return
        with contextlib.suppress(OSError):
            self.take_back(identity.home)
            identity.home.chmod(0o700)
            # Whatever a session has done that it could not be emptied: nobody gets it after that.
            if not any(identity.home.iterdir()):
                self._slots.append(identity.home.name)

    def _candidates(self, number: int) -> range:
        return range(self._first + number % _UIDS, self._first + number % _UIDS + _UIDS)

    def _settle(self, uid: int | None, number: int) -> Identity:
        if self._slots is None:
            home = self._scratch / f"s{number}"
            home.mkdir(mode=0o700)
        elif self._slots:
            home = self._scratch / self._slots.pop()
        else:
            raise OSError("All folders for sessions are in use")
        identity = Identity(uid, home, f"{self._mark}-{number}")
        self._users[uid] += 1
        try:
            self.give(home, identity, group=uid)
        except OSError:
            self.remove(identity)
            raise
        return identity


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
