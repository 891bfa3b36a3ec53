"""The Jupyter kernel of a session: ipykernel, around the shell that the fork server has made ready.

Nothing here defends against the user's code, which runs in the same process and can change all of it:
the host bounds what it receives once more. It makes what honest code does come out right.

A kernel is a shell, which holds the user's state, and the channels over which it is told what to do. A
fork keeps the first and makes the second anew: so a session starts, and so a live one branches.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any, NoReturn

import wire
from branching import Branch, Machinery, fork, obstacle, seed
from channels import Channels
from ipykernel.ipkernel import IPythonKernel
from shell import MAX_DISPLAYS, Shell
from streams import ALLOWANCE, CappedStream, capped, encodable, gap
from tornado.ioloop import IOLoop

_MAX_NAMES = 100
_NO_INPUT = "input() is not available here: the program runs without a user. Write the value into the code."
_ROUNDS = 4
"""Of the event loop, in which the kernel's own tasks for a request come to their end."""
_FORSAKEN: list[object] = []
"""What a branch has from its parent and must neither use nor let the garbage collector close."""


class _NoSubshells:
    """Stands where ipykernel has the thread that makes shells beside the shell: there is one alone here."""

    parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class Kernel(IPythonKernel):  # type: ignore[misc]
    """Adds to each reply what the host needs to know: the user's names, and how much was cut."""

    shell_class = Shell
    _supports_kernel_subshells = False

    def __init__(self, shell: Shell) -> None:
        """Without channels: made once, before any fork, and attached in each process."""
        log = logging.getLogger("ipykernel")
        super().__init__(log=log, shell_channel_thread=_NoSubshells(), user_ns=shell.user_ns)
        shell.kernel = self
        self.shell_handlers["tir_branch_request"] = self._want_branches
        self.shell_handlers["tir_seed_request"] = self._seed
        self.machinery: Machinery | None = None
        self.wanted: tuple[Any, Any, dict[str, Any]] | None = None
        """A request for branches: where the reply goes, and the message."""

    def attach(self, channels: Channels) -> None:
        """Hear and speak through `channels` from now on."""
        self.session = channels.session
        self.shell_stream, self.control_stream = channels.shell, channels.control
        self.control_thread, self.iopub_thread = channels.control_thread, channels.iopub_thread
        self.iopub_socket, self.stdin_socket = channels.iopub, channels.stdin
        for publisher in (self.shell.displayhook, self.shell.display_pub):
            publisher.session, publisher.pub_socket = channels.session, channels.iopub
        self._main_asyncio_lock = asyncio.Lock()
        self.machinery = self.wanted = None
        self.start()

    async def do_execute(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if self.machinery is None:
            # The host is connected and the user's code has not run: what is there is the kernel's own.
            self.machinery = Machinery.now()
        ALLOWANCE.renew()
        reply: dict[str, Any]
        try:
            reply = await super().do_execute(*args, **kwargs)
        except KeyboardInterrupt:
            # Between the user's code and the reply: there must be one, or the kernel counts as stuck.
            reply = {"status": "error", "ename": "KeyboardInterrupt"}
        except Exception as error:
            # An exception of the user's that fails again when it is looked at.
            reply = {"status": "error", "ename": type(error).__name__}
        if threading.current_thread() is threading.main_thread():
            # What comes now is not the user's; ipykernel sets the handler anew for the next cell.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        streams = capped()
        if ALLOWANCE.displays > MAX_DISPLAYS and streams:
            streams[0].write(gap(ALLOWANCE.displays - MAX_DISPLAYS, "displays"))
        for stream in streams:
            stream.end_cell()
        if self.shell.rich:
            return reply
        # The error itself was sent on its own, cut; here it would be whole.
        return {
            "status": reply["status"],
            "execution_count": self.execution_count,
            "user_expressions": {},
            "payload": [],
            "ename": encodable(str(reply.get("ename", ""))[:1000]),
            "evalue": "",
            "traceback": [],
            "tir_names": self._names(),
            "tir_dropped": ALLOWANCE.dropped,
        }

    def _names(self) -> dict[str, str]:
        """The user's names, and the types of what they stand for: imported functions and classes last."""
        shell = self.shell
        values = {
            name: value
            for name, value in list(shell.user_ns.items())
            if type(name) is str and not name.startswith("_") and name not in shell.user_ns_hidden
        }
        # `from sympy import *` alone brings more names than are told.
        names = sorted(values, key=lambda name: _is_imported(values[name]))
        return {
            encodable(name[:100]): encodable(type(values[name]).__name__[:100]) for name in names[:_MAX_NAMES]
        }

    def raw_input(self, prompt: object = "") -> Any:
        if self._allow_stdin:
            return super().raw_input(prompt)
        raise EOFError(_NO_INPUT)

    def getpass(self, prompt: object = "", stream: object = None) -> Any:
        if self._allow_stdin:
            return super().getpass(prompt)
        raise EOFError(_NO_INPUT)

    async def _want_branches(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Leave the event loop, since a branch must not be born inside it; `_serve` goes on."""
        self.wanted = (stream, ident, parent)
        asyncio.get_running_loop().stop()

    async def _seed(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        seed(parent["content"]["seed"])
        self.session.send(stream, "tir_seed_reply", {"status": "ok"}, parent, ident=ident)

    def answer(self, refusal: str | None) -> None:
        """Tell the host that the branches are on their way, or why there are none."""
        assert self.wanted is not None
        (stream, ident, parent), self.wanted = self.wanted, None
        content = {"status": "ok"} if refusal is None else {"status": "refused", "reason": refusal}
        self.session.send(stream, "tir_branch_reply", content, parent, ident=ident)
        stream.flush()


def _is_imported(value: object) -> bool:
    try:
        if isinstance(value, type):
            return bool(type.__getattribute__(value, "__module__") != "__main__")
        return isinstance(value, FunctionType | BuiltinFunctionType) and value.__module__ != "__main__"
    except Exception:
        # The user's own class, and its own way to answer.
        return False


@dataclass(frozen=True)
class Seat:
    """Where a kernel listens, and how it says that it does."""

    sockets: Path
    home: Path
    """The session's folder. The environment names it too, but is the user's to change."""
    key: str
    ready: int
    """File descriptor that gets `wire.BOUND`."""


def run(kernel: Kernel, seat: Seat, *, output_chars: int, rich: bool) -> NoReturn:
    """Serve the Jupyter protocol until killed, in this process and, after a fork, in every branch."""
    ALLOWANCE.half = output_chars // 2
    shell = kernel.shell
    shell.rich = rich
    shell.ipython_dir = tempfile.tempdir = str(seat.home)
    shell.history_manager.dir_hist[:] = [str(Path.cwd())]
    sys.path.insert(0, "")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    streams: list[CappedStream] = []
    while True:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        channels = Channels(seat.sockets / "k", seat.key, IOLoop.current(), rich=rich)
        if streams:
            for stream in streams:
                stream.attach(channels)
        else:
            streams += [CappedStream(channels, "stdout", 1), CappedStream(channels, "stderr", 2)]
            sys.stdout, sys.stderr = streams
        kernel.attach(channels)
        channels.settle()
        os.write(seat.ready, wire.BOUND)
        os.close(seat.ready)
        branch = _serve(kernel, loop, seat.home)
        _FORSAKEN.append((loop, channels))
        seat = Seat(Path(branch.sockets), Path(branch.home), branch.key, branch.ready)


def _serve(kernel: Kernel, loop: asyncio.AbstractEventLoop, home: Path) -> Branch:
    """Returns in a branch alone."""
    while True:
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            continue
        if kernel._shutdown_message is not None:
            os._exit(0)
        if kernel.wanted is None:
            # The user's code stopped the loop, which is not its own.
            continue
        for _ in range(_ROUNDS):
            loop.call_soon(loop.stop)
            loop.run_forever()
        machinery = kernel.machinery or Machinery.now()
        wanted = kernel.wanted[2]["content"]["branches"]
        refusal = obstacle(machinery, loop)
        if refusal is None:
            try:
                branch = fork([Branch.parse(fields) for fields in wanted], machinery, home)
            except OSError as error:
                refusal = f"the operating system refused to fork: {error.strerror}"
            else:
                if branch is not None:
                    return branch
        kernel.answer(refusal)
