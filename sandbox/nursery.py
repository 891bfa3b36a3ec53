"""Where the fork server's children come from: the fork, and what has to be there before it."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

import child
import identity
import wire
from process import Process


class Nursery:
    """Starts processes whose sockets are in folders of `runtime`, which the host shares."""

    def __init__(self, runtime: Path, identities: identity.Identities) -> None:
        self._runtime = runtime
        self._identities = identities

    def start(
        self, request: wire.Open | wire.Grade | wire.Branch, parent: Process | None, *, close: list[int]
    ) -> Process:
        """Fork a child, without the file descriptors `close`; or make ready for a branch of `parent`.

        Raises:
            OSError: the machine or the jail has no room for it. Nothing is left behind.
        """
        if not isinstance(request, wire.Branch):
            who = self._identities.new(request.id)
        elif parent is None:
            raise OSError("the session has ended")
        else:
            who = self._identities.branch(parent.identity, request.id)
        process = Process(request.id, who, None)
        try:
            if not isinstance(request, wire.Grade):
                process.sockets = self._runtime / request.folder
                process.sockets.mkdir(mode=0o770)
            match request:
                case wire.Open():
                    assert process.sockets is not None
                    self._give(process.sockets, who)
                    become = functools.partial(child.run_kernel, who, process.sockets, request)
                    _fork(process, become, close)
                case wire.Grade():
                    process.awaited = len(request.pairs)
                    _fork(process, functools.partial(child.run_grader, who, request), close)
                case wire.Branch():
                    assert process.sockets is not None
                    process.make_cradle()
                    self._give(process.sockets, who)
        except OSError:
            process.close_cradle()
            self.remove_sockets(process)
            self._identities.remove(who)
            raise
        return process

    def remove_sockets(self, process: Process) -> None:
        """Take the folder of its sockets away."""
        if process.sockets is not None:
            self._identities.take_back(process.sockets)
            shutil.rmtree(process.sockets, ignore_errors=True)

    def _give(self, sockets: Path, who: identity.Identity) -> None:
        # Set-group-id: the kernel's sockets get the folder's group, which is the host user's, so that the
        # host can connect and another session cannot.
        sockets.chmod(0o2770)
        self._identities.give(sockets, who, group=self._runtime.stat().st_gid)


def _fork(process: Process, become: child.Entry, close: list[int]) -> None:
    readable, writable = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(readable)
        os.close(writable)
        raise
    if pid == 0:
        child.start(become, writable, close=[readable, *close])
    os.close(writable)
    os.set_blocking(readable, False)
    process.pid, process.pipe = pid, readable
