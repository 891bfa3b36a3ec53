"""The janitor: a small process of the fork server's that ends sessions (`cleanup.py`).

Ending a session takes a process, since it must become the session's user. To fork one from the server,
with all that it has in memory, would cost as much as starting a session. The janitor is forked from it
before anything is imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import cleanup
import identity

_RETRY_SECONDS = 0.5
_MESSAGE_BYTES = 4096


@dataclass(frozen=True)
class Order:
    """A session to be ended: whose it is, the process of its kernel, whether its user ends with it."""

    number: int
    uid: int | None
    home: str
    mark: str
    kernel: int
    last: bool


class Janitor:
    """The server's side: `order`, and `done` when `fileno` is readable."""

    def __init__(self) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            _work(other)
        other.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def order(self, number: int, who: identity.Identity, kernel: int, *, last: bool) -> None:
        """Have a session ended. Raises OSError if the janitor is gone."""
        order = Order(number, who.uid, str(who.home), who.mark, kernel, last)
        self._socket.sendall(json.dumps(vars(order)).encode())

    def done(self) -> int:
        """The number of a session that has been ended. Raises OSError if the janitor is gone."""
        number = self._socket.recv(_MESSAGE_BYTES)
        if not number:
            raise OSError("the janitor is gone")
        return int(number)


class _Worker:
    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._waiting: list[Order] = []
        """There could be no process for them: the jail is full of those of other sessions."""
        self._sweepers: dict[int, int] = {}
        self._wakeup, wakeup = os.pipe()
        for end in (self._wakeup, wakeup):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)

    def run(self) -> None:
        """Until the server hangs up."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._orders, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select(_RETRY_SECONDS if self._waiting else None)}
                if self._orders.fileno() in ready:
                    message = self._orders.recv(_MESSAGE_BYTES)
                    if not message:
                        return
                    self._waiting.append(Order(**json.loads(message)))
                if self._wakeup in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wakeup, 4096)
                self._reap()
                waiting, self._waiting = self._waiting, []
                for order in waiting:
                    self._begin(order)

    def _begin(self, order: Order) -> None:
        try:
            pid = os.fork()
        except OSError:
            self._waiting.append(order)
            return
        if pid == 0:
            _sweep(order)
        self._sweepers[pid] = order.number

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                number = self._sweepers.pop(pid, None)
                if number is not None:
                    self._orders.sendall(str(number).encode())


def _work(orders: socket.socket) -> NoReturn:
    code = 1
    try:
        os.setsid()
        identity.protect_server()
        _Worker(orders).run()
        code = 0
    finally:
        os._exit(code)


def _sweep(order: Order) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        who = identity.Identity(order.uid, Path(order.home), order.mark)
        cleanup.sweep(who, order.kernel, last=order.last)
    finally:
        os._exit(0)
