"""The fork server: process 1 of a jail. Warms up once, then forks a child for each session.

    forkserver.py CONTROL_SOCKET [--own-uids] [--scratch FOLDER]

It connects to CONTROL_SOCKET, on which the host listens, says hello, and obeys: one JSON object a
line in each direction (`wire.py`). When the host goes away, the connection ends, and everything here
ends with it.

Not here: what a session's process does before the user's code (`child.py`), the kernel (`kernel.py`).
The server itself never runs a user's code, and must survive whatever a child does.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import selectors
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

import child
import identity
import warm
import wire

_RETRY_SECONDS = 0.5


@dataclass
class Process:
    """A child: the kernel of a session, or the process that grades an answer."""

    number: int
    """The host's id for it."""
    pid: int
    identity: identity.Identity
    sockets: Path | None
    pipe: int
    """Readable: one byte when its sockets are bound, or the grade as JSON."""
    received: bytearray = field(default_factory=bytearray)
    bound: bool = False
    exited: bool = False


class Server:
    """Owns every process of the jail."""

    def __init__(self, control: socket.socket, runtime: Path, scratch: Path, *, own_uids: bool) -> None:
        self._control = control
        self._runtime = runtime
        self._identities = identity.Identities(scratch, own_uids=own_uids)
        self._processes: dict[int, Process] = {}
        self._sweepers: dict[int, Process] = {}
        """Process id of each clean-up under way, and what it cleans up."""
        self._unswept: list[Process] = []
        """What waits for its clean-up, because no process could be had for it."""
        self._buffer = b""
        self._selector = selectors.DefaultSelector()
        self._wakeup, wakeup = os.pipe()
        for end in (self._wakeup, wakeup):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._inherited = [control.fileno(), self._wakeup, wakeup, self._selector.fileno()]

    def run(self) -> None:
        """Serve until the host hangs up."""
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._send(wire.Hello(python=sys.version.split()[0], packages=warm.versions()))
        while True:
            for key, _ in self._selector.select(_RETRY_SECONDS if self._unswept else None):
                if key.fileobj is self._control:
                    if not self._read_control():
                        return
                elif key.fileobj == self._wakeup:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wakeup, 4096)
                    self._reap()
                else:
                    self._read_pipe(key.data)
            waiting, self._unswept = self._unswept, []
            for process in waiting:
                self._sweep(process)

    def shut_down(self) -> None:
        """Kill and clean up everything. In a container or under bubblewrap the jail's end does so too."""
        for number in list(self._processes):
            self._clean_up(number)
        while self._sweepers:
            self._reap(wait=True)
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
            case wire.Open() | wire.Grade():
                try:
                    self._start(request)
                except OSError as error:
                    # Too many processes, files or folders: of one session, or of all together.
                    self._send(wire.Failed(id=request.id, error=str(error)))
            case wire.Signal():
                process = self._processes.get(request.id)
                if process is not None and not process.exited:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, request.signal)
                self._send(wire.Signalled(id=request.id))
            case wire.Close():
                self._clean_up(request.id)

    def _start(self, request: wire.Open | wire.Grade) -> None:
        """Raises OSError, with nothing left behind, if the machine or the jail has no room for it."""
        who = self._identities.new(request.id)
        sockets: Path | None = None
        become: child.Entry
        try:
            if isinstance(request, wire.Open):
                sockets = self._socket_folder(request, who)
                become = functools.partial(child.run_kernel, who, sockets, request)
            else:
                become = functools.partial(child.run_grader, who, request)
            self._fork(request.id, who, sockets, become)
        except OSError:
            if sockets is not None:
                self._identities.take_back(sockets)
                shutil.rmtree(sockets, ignore_errors=True)
            self._identities.remove(who)
            raise

    def _socket_folder(self, request: wire.Open, who: identity.Identity) -> Path:
        sockets = self._runtime / request.folder
        sockets.mkdir(mode=0o770)
        # Set-group-id: the kernel's sockets get the folder's group, which is the host user's, so that the
        # host can connect and another session cannot.
        sockets.chmod(0o2770)
        self._identities.give(sockets, who, group=self._runtime.stat().st_gid)
        return sockets

    def _fork(self, number: int, who: identity.Identity, sockets: Path | None, become: child.Entry) -> None:
        readable, writable = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(readable)
            os.close(writable)
            raise
        if pid == 0:
            child.start(become, writable, close=[readable, *self._descriptors()])
        os.close(writable)
        os.set_blocking(readable, False)
        process = Process(number, pid, who, sockets, readable)
        self._processes[number] = process
        self._selector.register(readable, selectors.EVENT_READ, number)

    def _descriptors(self) -> list[int]:
        """What a child must not hold."""
        pipes = [process.pipe for process in self._processes.values() if process.pipe >= 0]
        return [*self._inherited, *pipes]

    def _read_pipe(self, number: int) -> None:
        process = self._processes.get(number)
        if process is None or process.pipe < 0:
            # Closed by what came before it in the same round of events.
            return
        try:
            data = os.read(process.pipe, 65536)
        except BlockingIOError:
            return
        process.received += data
        if process.sockets is not None and data == wire.BOUND:
            # The sockets are bound. From here on the folder is the server's: the user's code, which has
            # not started yet, cannot replace what is in it, nor fill the host's disk through it.
            process.bound = True
            self._identities.take_back(process.sockets)
            self._drop_pipe(process)
            self._send(wire.Ready(id=number))
        elif not data or len(process.received) > wire.MAX_GRADE_BYTES:
            self._drop_pipe(process)
            if process.sockets is None:
                text = process.received[: wire.MAX_GRADE_BYTES].decode("utf-8", "replace")
                self._send(wire.Graded(id=number, grade=text or None))

    def _last_words(self, process: Process) -> str:
        """Why a kernel could not start; nothing for one that did."""
        if process.sockets is None or process.bound:
            return ""
        if process.pipe >= 0:
            with contextlib.suppress(BlockingIOError):
                process.received += os.read(process.pipe, 65536)
            self._drop_pipe(process)
        return process.received.decode("utf-8", "replace")

    def _drop_pipe(self, process: Process) -> None:
        if process.pipe >= 0:
            self._selector.unregister(process.pipe)
            os.close(process.pipe)
            process.pipe = -1

    def _reap(self, *, wait: bool = False) -> None:
        """Collect the dead, those that daemons of the user's left to process 1 among them."""
        flags = 0 if wait else os.WNOHANG
        while True:
            try:
                pid, status = os.waitpid(-1, flags)
            except ChildProcessError:
                return
            if pid == 0:
                return
            flags = os.WNOHANG
            if pid in self._sweepers:
                swept = self._sweepers.pop(pid)
                self._identities.remove(swept.identity)
                self._send(wire.Closed(id=swept.number))
                continue
            for number, process in self._processes.items():
                if process.pid == pid:
                    process.exited = True
                    code = os.waitstatus_to_exitcode(status)
                    self._send(wire.Exited(id=number, code=code, error=self._last_words(process)))

    def _clean_up(self, number: int) -> None:
        """Kill what the session started and remove what it wrote, in a process of its own."""
        process = self._processes.pop(number, None)
        if process is None:
            self._send(wire.Closed(id=number))
            return
        self._drop_pipe(process)
        if not process.exited:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        if process.sockets is not None:
            self._identities.take_back(process.sockets)
            shutil.rmtree(process.sockets, ignore_errors=True)
        self._sweep(process)

    def _sweep(self, process: Process) -> None:
        try:
            pid = os.fork()
        except OSError:
            # The jail is full of processes; those of other sessions end some day. Until then this one
            # counts as not closed.
            self._unswept.append(process)
            return
        if pid == 0:
            entry = functools.partial(identity.sweep, process.identity, process.pid)
            child.start(lambda _: entry(), -1, close=self._descriptors())
        self._sweepers[pid] = process

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
    arguments = parser.parse_args()
    warm.up()
    identity.protect_server()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.connect(str(arguments.control))
        server = Server(control, arguments.control.parent, arguments.scratch, own_uids=arguments.own_uids)
        try:
            server.run()
        finally:
            server.shut_down()


if __name__ == "__main__":
    main()
