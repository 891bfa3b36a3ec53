"""The fork server: process 1 of a jail. Warms up once, then forks a child for each session.

    forkserver.py CONTROL_SOCKET [--own-uids] [--scratch FOLDER] [--slots N]

It connects to CONTROL_SOCKET, on which the host listens, says hello, and obeys: one JSON object a
line in each direction (`wire.py`). When the host goes away, the connection ends, and everything here
ends with it.

Not here: what a session's process does before the user's code (`child.py`), the kernel (`kernel.py`),
how what is left of a session is removed (`janitor.py`). The server itself never runs a user's code, and
must survive whatever a child does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

import identity
import load
import warm
import wire
from janitor import Janitor
from nursery import Nursery
from process import Process
from warden import SECONDS, Warden

_FAREWELL_SECONDS = 5.0
_NOBODY = 0
"""Number of an order to the janitor that ends a session's processes, and not the session."""


class Server:
    """Owns every process of the jail."""

    def __init__(
        self,
        control: socket.socket,
        nursery: Nursery,
        identities: identity.Identities,
        janitor: Janitor,
        warden: Warden | None,
    ) -> None:
        self._control = control
        self._nursery = nursery
        self._identities = identities
        self._processes: dict[int, Process] = {}
        self._ending: dict[int, Process] = {}
        """Those that the janitor is at work on."""
        self._janitor = janitor
        self._warden = warden
        self._next_look = 0.0
        self._buffer = b""
        self._selector = selectors.DefaultSelector()
        self._wakeup, wakeup = os.pipe()
        for end in (self._wakeup, wakeup):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._inherited = [
            *(control.fileno(), janitor.fileno(), self._wakeup, wakeup, self._selector.fileno())
        ]

    def run(self) -> None:
        """Serve until the host hangs up."""
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._selector.register(self._janitor, selectors.EVENT_READ)
        self._send(wire.Hello(python=sys.version.split()[0], packages=warm.versions()))
        while True:
            for key, _ in self._selector.select(SECONDS if self._warden else None):
                if key.fileobj is self._control:
                    if not self._read_control():
                        return
                elif key.fileobj == self._wakeup:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wakeup, 4096)
                    self._reap()
                elif key.fileobj is self._janitor:
                    self._ended(self._ending.pop(self._janitor.done(), None))
                else:
                    self._hear(key.data)
            self._look_after()

    def _look_after(self) -> None:
        """End the session that leaves the others no memory. Not more often than the warden wants."""
        if self._warden is None or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + SECONDS
        found = self._warden.culprit()
        if found is None:
            return
        user, reason = found
        guilty = [process for process in self._processes.values() if process.identity.uid == user]
        for process in guilty:
            process.verdict = reason
        for process in guilty[:1]:
            # The kernels are the user's too; the host hears of their end.
            self._janitor.order(_NOBODY, process.identity, process.pid, last=True)

    def shut_down(self) -> None:
        """Kill and clean up everything. In a container or under bubblewrap the jail's end does so too."""
        for number in list(self._processes):
            self._clean_up(number)
        deadline = time.monotonic() + _FAREWELL_SECONDS
        while self._ending and (left := deadline - time.monotonic()) > 0:
            if select.select([self._janitor], [], [], left)[0]:
                self._ended(self._ending.pop(self._janitor.done(), None))
        self._selector.close()

    def _read_control(self) -> bool:
        data = self._control.recv(65536)
        if not data:
            return False
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._obey(wire.parse_request(line))
        return True

    def _obey(self, request: wire.Request) -> None:
        match request:
            case wire.Open() | wire.Grade() | wire.Branch():
                try:
                    self._start(request)
                except OSError as error:
                    # Too many processes, files or folders: of one session, or of all together.
                    self._send(wire.Failed(id=request.id, error=str(error)))
            case wire.Signal():
                if request.id in self._processes:
                    self._processes[request.id].signal(request.signal)
                self._send(wire.Signalled(id=request.id))
            case wire.Close():
                self._clean_up(request.id)
            case wire.Report():
                sessions = sum(process.sockets is not None for process in self._processes.values())
                self._send(load.measure(request.id, sessions))

    def _start(self, request: wire.Open | wire.Grade | wire.Branch) -> None:
        """Raises OSError, with nothing left behind, if the machine or the jail has no room for it."""
        parent = self._processes.get(request.of) if isinstance(request, wire.Branch) else None
        process = self._nursery.start(request, parent, close=self._descriptors())
        self._processes[request.id] = process
        self._selector.register(process.cradle or process.pipe, selectors.EVENT_READ, process)
        if process.sockets is not None and process.cradle is not None:
            who = process.identity
            self._send(wire.Prepared(request.id, str(process.sockets), str(who.home), who.mark))

    def _descriptors(self) -> list[int]:
        """What a child must not hold."""
        own = [descriptor for process in self._processes.values() for descriptor in process.descriptors()]
        return [*self._inherited, *own]

    def _hear(self, process: Process) -> None:
        if process.cradle is not None:
            self._adopt(process)
            return
        # Less than nothing: closed by what came before it in the same round of events.
        data = process.read() if process.pipe >= 0 else None
        if data is None:
            return
        if process.sockets is not None and data == wire.BOUND:
            # The sockets are bound. From here on the folder is the server's: the user's code, which has
            # not started yet, cannot replace what is in it, nor fill the host's disk through it.
            process.bound = True
            self._identities.take_back(process.sockets)
            self._drop_pipe(process)
            self._send(wire.Ready(id=process.number))
            return
        if process.sockets is None:
            for grade in process.grades():
                self._send(wire.Graded(id=process.number, grade=grade))
        if not data or len(process.received) > wire.MAX_GRADE_BYTES:
            self._drop_pipe(process)
            if process.sockets is None:
                self._send(wire.Graded(id=process.number, grade=None))
            elif process.handle >= 0:
                # Nobody waits for a branch until its parent's other half has ended.
                self._send(wire.Exited(id=process.number, code=1, error=process.last_words()))

    def _adopt(self, branch: Process) -> None:
        assert branch.cradle is not None
        cradle = branch.cradle
        if not branch.adopt():
            self._send(wire.Exited(id=branch.number, code=1, error="another process came instead"))
        if branch.cradle is None:
            self._selector.unregister(cradle)
            self._selector.register(branch.pipe, selectors.EVENT_READ, branch)

    def _drop_pipe(self, process: Process) -> None:
        if process.cradle is not None:
            self._selector.unregister(process.cradle)
            process.close_cradle()
        if process.pipe >= 0:
            with contextlib.suppress(KeyError):
                self._selector.unregister(process.pipe)
            os.close(process.pipe)
            process.pipe = -1

    def _reap(self) -> None:
        """Collect the dead, those that daemons of the user's left to process 1 among them."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._janitor.pid:
                    raise OSError("the janitor is gone")
                for process in self._processes.values():
                    if process.pid == pid:
                        process.exited = True
                        code = os.waitstatus_to_exitcode(status)
                        self._send(wire.Exited(process.number, code, process.last_words()))

    def _clean_up(self, number: int) -> None:
        """Have the janitor kill what the session started and remove what it wrote."""
        process = self._processes.pop(number, None)
        if process is None:
            self._send(wire.Closed(id=number))
            return
        self._drop_pipe(process)
        if self._identities.is_last(process.identity):
            process.signal(signal.SIGKILL)
        self._nursery.remove_sockets(process)
        self._end(process)

    def _end(self, process: Process) -> None:
        process.ends_user = self._identities.is_last(process.identity)
        self._ending[process.number] = process
        self._janitor.order(process.number, process.identity, process.pid, last=process.ends_user)

    def _ended(self, process: Process | None) -> None:
        if process is None:
            return
        if not process.ends_user and self._identities.is_last(process.identity):
            # The others have ended meanwhile: nobody is left to end what escaped from all of them.
            self._end(process)
            return
        process.forget()
        self._identities.remove(process.identity)
        self._send(wire.Closed(id=process.number))

    def _send(self, event: wire.Event) -> None:
        # The host is gone: the next read of the control socket says so, and ends the server.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.sendall(wire.encode(event))


def main() -> None:
    """Warm up, connect, serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("control", type=Path)
    parser.add_argument("--own-uids", action="store_true", help="every session gets a user id of its own")
    parser.add_argument("--scratch", type=Path, default=Path("/tmp"), help="where sessions may write")  # noqa: S108
    parser.add_argument("--slots", type=int, default=0, help="file systems in it, one for a session each")
    arguments = parser.parse_args()
    janitor = Janitor()
    warm.up()
    identity.protect_server()
    identities = identity.Identities(arguments.scratch, own_uids=arguments.own_uids, slots=arguments.slots)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.connect(str(arguments.control))
        warden = Warden() if arguments.own_uids else None
        nursery = Nursery(arguments.control.parent, identities)
        server = Server(control, nursery, identities, janitor, warden)
        try:
            server.run()
        finally:
            server.shut_down()


if __name__ == "__main__":
    main()
