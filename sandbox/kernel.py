"""The Jupyter kernel of a session: ipykernel, with its output capped while it runs.

A program that prints without end must neither fill the host's memory nor hide the start and the end of
what it printed. So the cap is here, before anything is sent: the first half of the allowance goes out
as it comes, of the rest only the last half is kept.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQDisplayPublisher, ZMQInteractiveShell
from IPython.core.formatters import DisplayFormatter
from traitlets.config import Config

_MAX_NAMES = 100
_MAX_DISPLAYS = 100
_LATEX_UP_TO = 2000
"""LaTeX is made only of values whose plain text is at most this long: it can be slow for large ones."""
_NO_INPUT = "input() is not available here: the program runs without a user. Write the value into the code."


class Allowance:
    """How much output the current cell may still send. Shared by all its streams and threads."""

    def __init__(self) -> None:
        self.half = 500_000
        self.dropped = 0
        self.displays = 0
        self._left = self.half

    def renew(self) -> None:
        """A new cell begins."""
        self.dropped = 0
        self.displays = 0
        self._left = self.half

    def take(self, text: str) -> str:
        """As much of `text` as may still be sent at once."""
        taken = text[: self._left]
        self._left -= len(taken)
        return taken

    def shorten(self, text: str) -> str:
        """A text that is sent in one piece, cut in the middle if there is no room for all of it."""
        room = max(self._left, 2000)
        if len(text) > room:
            dropped = len(text) - room
            self.dropped += dropped
            half = room // 2
            text = f"{text[:half]}{_gap(dropped)}{text[len(text) - half :]}"
        self._left -= min(len(text), self._left)
        return text


def _gap(dropped: int) -> str:
    return f"\n... [{dropped} characters discarded] ...\n"


def _encodable(text: str) -> str:
    """Lone surrogates cannot be sent; show them as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


ALLOWANCE = Allowance()


class CappedStream(OutStream):  # type: ignore[misc]
    """Standard output or error: sends the head, keeps the tail until the cell ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Before the base class starts the thread that reads the file descriptor.
        self._lock = threading.Lock()
        self._tail: deque[str] = deque()
        self._tail_chars = 0
        self._cut = 0
        super().__init__(*args, **kwargs)

    def write(self, string: str) -> int | None:
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        with self._lock:
            head = ALLOWANCE.take(string)
            if len(head) < len(string):
                self._keep(string[len(head) :])
        if head:
            super().write(_encodable(head))
        return len(string)

    def _keep(self, text: str) -> None:
        half = ALLOWANCE.half
        if len(text) > half:
            self._cut += len(text) - half
            text = text[-half:]
        self._tail.append(text)
        self._tail_chars += len(text)
        while self._tail_chars - len(self._tail[0]) >= half:
            oldest = self._tail.popleft()
            self._tail_chars -= len(oldest)
            self._cut += len(oldest)

    def end_cell(self) -> None:
        """Send what was kept, with a note of what is missing before it."""
        self._drain()
        with self._lock:
            tail = "".join(self._tail)
            half = ALLOWANCE.half
            cut = self._cut + max(len(tail) - half, 0)
            tail = tail[-half:]
            self._tail.clear()
            self._tail_chars = self._cut = 0
            ALLOWANCE.dropped += cut
        if tail:
            super().write((_gap(cut) if cut else "") + _encodable(tail))
        self.flush()

    def _drain(self) -> None:
        """Wait until the thread has read what was written to the file descriptor itself."""
        deadline = time.monotonic() + 0.05
        pipe = self._fid
        while pipe is not None and time.monotonic() < deadline and select.select([pipe], [], [], 0)[0]:
            time.sleep(0.0005)


class CappedDisplay(ZMQDisplayPublisher):  # type: ignore[misc]
    """`display()`: plain text alone, and not without end."""

    def publish(self, data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        ALLOWANCE.displays += 1
        if ALLOWANCE.displays > _MAX_DISPLAYS:
            return
        plain = str(data.get("text/plain", ""))
        super().publish({"text/plain": ALLOWANCE.shorten(_encodable(plain))}, *args, **kwargs)


class CappedFormatter(DisplayFormatter):  # type: ignore[misc]
    """The value of a cell's last expression: plain text, and LaTeX where that is cheap."""

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> Any:
        data, metadata = super().format(obj, include={"text/plain"}, exclude=exclude)
        plain = data.get("text/plain")
        if isinstance(plain, str):
            if len(plain) <= _LATEX_UP_TO and hasattr(obj, "_repr_latex_"):
                latex, _ = super().format(obj, include={"text/latex"}, exclude=exclude)
                data.update({kind: _encodable(str(text)) for kind, text in latex.items()})
            data["text/plain"] = ALLOWANCE.shorten(_encodable(plain))
        return data, metadata


class Shell(ZMQInteractiveShell):  # type: ignore[misc]
    """IPython, telling errors in a bounded number of characters."""

    display_pub_class = CappedDisplay

    def init_display_formatter(self) -> None:
        self.display_formatter = CappedFormatter(parent=self)
        self.configurables.append(self.display_formatter)

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        text = ALLOWANCE.shorten(_encodable("\n".join(str(line) for line in stb)))
        super()._showtraceback(etype, _Message(evalue), text.split("\n"))


class _Message:
    """An exception's text, made once and cut: it is the user's code that makes it."""

    def __init__(self, error: BaseException) -> None:
        try:
            text = str(error)
        except Exception:
            text = "(the exception's own __str__ failed)"
        self._text = ALLOWANCE.shorten(_encodable(text))

    def __str__(self) -> str:
        return self._text


class Kernel(IPythonKernel):  # type: ignore[misc]
    """Adds to each reply what the host needs to know: the user's names, and how much was cut."""

    shell_class = Shell

    async def do_execute(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        ALLOWANCE.renew()
        reply: dict[str, Any] = await super().do_execute(*args, **kwargs)
        for stream in (_stdout(), _stderr()):
            if stream is not None:
                stream.end_cell()
        # The error itself was sent on its own, cut; here it would be whole.
        return {
            "status": reply["status"],
            "execution_count": reply["execution_count"],
            "user_expressions": {},
            "payload": [],
            "ename": str(reply.get("ename", "")),
            "evalue": "",
            "traceback": [],
            "tir_names": self._names(),
            "tir_dropped": ALLOWANCE.dropped,
        }

    def _names(self) -> list[str]:
        shell = self.shell
        names = [
            name
            for name in list(shell.user_ns)
            if isinstance(name, str) and not name.startswith("_") and name not in shell.user_ns_hidden
        ]
        return [_encodable(name[:100]) for name in names[:_MAX_NAMES]]

    def raw_input(self, prompt: object = "") -> NoReturn:
        raise EOFError(_NO_INPUT)

    def getpass(self, prompt: object = "", stream: object = None) -> NoReturn:
        raise EOFError(_NO_INPUT)


def _stdout() -> CappedStream | None:
    import sys

    return sys.stdout if isinstance(sys.stdout, CappedStream) else None


def _stderr() -> CappedStream | None:
    import sys

    return sys.stderr if isinstance(sys.stderr, CappedStream) else None


class App(IPKernelApp):  # type: ignore[misc]
    """A kernel that is told where to listen, and writes no file."""

    kernel_class = Kernel

    def init_connection_file(self) -> None:
        """The host chose the sockets' names and the key."""

    def write_connection_file(self, **kwargs: Any) -> None:
        """The host knows them already."""

    def cleanup_connection_file(self) -> None:
        """There is none."""

    def init_heartbeat(self) -> None:
        """The fork server tells when the process has ended."""


def run(prefix: Path, key: str, output_chars: int, on_bound: Callable[[], None]) -> None:
    """Serve the Jupyter protocol on the Unix sockets `prefix`-1 (shell) to -4, until killed.

    `on_bound` is called when the sockets can be connected to.
    """
    ALLOWANCE.half = output_chars // 2
    config = Config()
    config.Session.key = key.encode()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.history_load_length = 0
    config.InteractiveShellApp.exec_PYTHONSTARTUP = False
    config.IPKernelApp.outstream_class = f"{__name__}.CappedStream"
    config.IPKernelApp.log_level = 50
    app = App.instance(
        config=config,
        transport="ipc",
        ip=str(prefix),
        shell_port=1,
        iopub_port=2,
        stdin_port=3,
        control_port=4,
        parent_handle=os.getppid(),
    )
    app.initialize([])
    on_bound()
    app.start()
