"""One child of the fork server: the kernel of a session or a branch, or the process that grades an answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path

import identity

_CREDENTIALS = struct.Struct("3i")
"""struct ucred: process id, user id, group id (unix(7))."""


@dataclass
class Process:
    """What the fork server knows of it."""

    number: int
    """The host's id for it."""
    identity: identity.Identity
    sockets: Path | None
    """The folder of a kernel's sockets; None for a grader."""
    pid: int = 0
    """0 for a branch that its parent has not forked yet."""
    pipe: int = -1
    """Readable: one byte when its sockets are bound, or grades as lines of JSON. -1 when it is closed."""
    cradle: socket.socket | None = None
    """Where a branch reports that it is there."""
    handle: int = -1
    """File descriptor that names a branch's process: it is no child of the server's at first, so that its
    number may be another process's by the time it is used."""
    received: bytearray = field(default_factory=bytearray)
    bound: bool = False
    exited: bool = False
    awaited: int = 0
    """Grades that are still to come: a grader that writes more is not listened to."""
    verdict: str = ""
    """Why the server ended it."""
    ends_user: bool = False
    """Whether nobody else is the same user any more."""

    def make_cradle(self) -> None:
        """Listen for the branch, in a folder that is still the server's."""
        assert self.sockets is not None
        self.cradle = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        path = self.sockets / "b"
        self.cradle.bind(str(path))
        path.chmod(0o666)
        self.cradle.listen(1)

    def adopt(self) -> bool:
        """Take the branch from its cradle; False if what reports there is not of the same user."""
        assert self.cradle is not None
        assert self.sockets is not None
        with contextlib.suppress(BlockingIOError):
            connection, _ = self.cradle.accept()
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(credentials)
            connection.setblocking(False)
            self.pipe = connection.detach()
            if self.identity.uid not in (None, uid):
                return False
            with contextlib.suppress(OSError):
                self.handle = os.pidfd_open(pid)
                self.pid = pid
            self.close_cradle()
            return self.handle >= 0
        return True

    def close_cradle(self) -> None:
        if self.cradle is not None and self.sockets is not None:
            self.cradle.close()
            self.cradle = None
            with contextlib.suppress(OSError):
                (self.sockets / "b").unlink()

    def signal(self, number: int) -> None:
        """Send a signal, to this process alone."""
        with contextlib.suppress(ProcessLookupError):
            if self.handle >= 0:
                signal.pidfd_send_signal(self.handle, number)
            elif self.pid and not self.exited:
                os.kill(self.pid, number)

    def read(self) -> bytes | None:
        """What has come through the pipe; empty at its end, None if nothing has."""
        try:
            data = os.read(self.pipe, 65536)
        except BlockingIOError:
            return None
        except ConnectionError:
            return b""
        self.received += data
        return data

    def last_words(self) -> str:
        """Why a kernel could not start, or was ended; nothing for one that ended by itself."""
        if self.verdict:
            return self.verdict
        if self.sockets is None or self.bound:
            return ""
        if self.pipe >= 0:
            self.read()
        return self.received.decode("utf-8", "replace")

    def grades(self) -> list[str]:
        """What a grader has written of further pairs, line by line."""
        *lines, self.received = self.received.split(b"\n")
        lines = lines[: self.awaited]
        self.awaited -= len(lines)
        return [bytes(line).decode("utf-8", "replace") for line in lines]

    def descriptors(self) -> list[int]:
        """What a child of the server's must not hold."""
        cradle = self.cradle.fileno() if self.cradle is not None else -1
        return [descriptor for descriptor in (self.pipe, self.handle, cradle) if descriptor >= 0]

    def forget(self) -> None:
        """Close what is still open."""
        self.close_cradle()
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
