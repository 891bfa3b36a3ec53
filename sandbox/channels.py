"""The sockets of a kernel, and the threads that serve them: the Jupyter protocol on Unix sockets."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import zmq
from ipykernel.control import ControlThread
from ipykernel.heartbeat import Heartbeat
from ipykernel.iostream import IOPubThread
from jupyter_client.session import Session
from tornado.ioloop import IOLoop
from zmq.eventloop.zmqstream import ZMQStream

_SETTLE_SECONDS = 5.0
SHELL, IOPUB, STDIN, CONTROL, HEARTBEAT = range(1, 6)
"""Each socket is PREFIX-NUMBER; the host uses the same numbers."""


class Channels:
    """Bound sockets `prefix`-1 and so on. Make it in the thread that runs `loop`.

    A `rich` kernel, for a notebook, has all five. A session needs the first two: it is interrupted by a
    signal, has no user to ask, and the fork server tells when it has ended.

    A fork makes all of this useless in the child: sockets and threads belong to the parent.
    """

    def __init__(self, prefix: Path, key: str, loop: IOLoop, *, rich: bool) -> None:
        self._prefix = prefix
        self._context: zmq.Context[Any] = zmq.Context()
        self.session = Session(key=key.encode())
        self.shell = ZMQStream(self._bind(zmq.ROUTER, SHELL), loop)
        publisher = self._bind(zmq.XPUB, IOPUB)
        # By default output is dropped that comes faster than the host reads; here it waits instead.
        publisher.setsockopt(zmq.XPUB_NODROP, 1)
        self.iopub_thread = IOPubThread(publisher, session=self.session)
        self.iopub = self.iopub_thread.background_socket
        self.stdin: zmq.Socket[bytes] | None = None
        self.control_thread: ControlThread | None = None
        self.control: ZMQStream | None = None
        if rich:
            self.stdin = self._bind(zmq.ROUTER, STDIN)
            self.control_thread = ControlThread(daemon=True)
            self.control = ZMQStream(self._bind(zmq.ROUTER, CONTROL), self.control_thread.io_loop)
            self.control_thread.start()
            Heartbeat(zmq.Context(), ("ipc", str(prefix), HEARTBEAT)).start()
        self.iopub_thread.start()

    def settle(self) -> None:
        """Wait until everything that has been published so far is sent.

        A subscription that comes while the thread sends can go unnoticed until it sends again, and the
        greeting with it that the host waits for.
        """
        sent = threading.Event()
        self.iopub_thread.schedule(sent.set)
        sent.wait(_SETTLE_SECONDS)

    def _bind(self, kind: int, number: int) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.linger = 1000
        if kind == zmq.ROUTER:
            # A client that comes back under its old name takes its place again.
            socket.router_handover = 1
        socket.bind(f"ipc://{self._prefix}-{number}")
        return socket
