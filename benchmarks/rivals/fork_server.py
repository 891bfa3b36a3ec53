"""Warms up as the sandbox does, then forks a child for every connection to a Unix socket.

    fork_server.py SOCKET        with the sandbox's folder on PYTHONPATH

A child executes one JSON string of code a line with `exec`, and answers with what it printed, as one JSON
string. The server writes a line once it is warm. It ends when its standard input does, and removes the
folder that SOCKET is in.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import selectors
import shutil
import signal
import socket
import sys
from pathlib import Path


def serve(listener: socket.socket) -> None:
    """Fork for every connection until the host is gone."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    return
                connection, _ = listener.accept()
                with connection:
                    if os.fork() == 0:
                        run_child(connection)


def run_child(connection: socket.socket) -> None:
    """Execute what comes, until the connection ends."""
    code = 1
    try:
        namespace: dict[str, object] = {"__name__": "__main__"}
        with connection.makefile("rw", encoding="utf-8") as stream:
            for line in stream:
                stream.write(json.dumps(output_of(json.loads(line), namespace)) + "\n")
                stream.flush()
        code = 0
    finally:
        os._exit(code)


def output_of(code: str, namespace: dict[str, object]) -> str:
    """What a cell prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    return printed.getvalue()


def main() -> None:
    importlib.import_module("warm").up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(sys.argv[1])
        listener.listen(256)
        print("warm", flush=True)
        serve(listener)
    # The host is gone without having killed this process: nobody else removes the socket's folder.
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)


if __name__ == "__main__":
    main()
