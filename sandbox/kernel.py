"""The Jupyter kernel of a session: ipykernel, with everything bounded that it sends (`streams.py`).

Nothing here defends against the user's code, which runs in the same process and can change all of it:
the host bounds what it receives once more. It makes what honest code does come out right.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import zmq
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQDisplayPublisher, ZMQInteractiveShell
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from streams import ALLOWANCE, capped, encodable, gap
from traitlets.config import Config

_MAX_NAMES = 100
_MAX_DISPLAYS = 100
_LATEX_UP_TO = 2000
"""LaTeX is made only of values whose plain text is at most this long: it can be slow for large ones."""
_MAX_LATEX = 20_000
"""LaTeX that is longer is left out: cut, it would be no LaTeX."""
_NO_INPUT = "input() is not available here: the program runs without a user. Write the value into the code."


class CappedDisplay(ZMQDisplayPublisher):  # type: ignore[misc]
    """`display()`: plain text alone, and not without end."""

    def publish(self, data: dict[str, Any], *_: Any, update: bool = False, **__: Any) -> None:
        # An update would show the same object a second time: there is no page to change it on.
        if update:
            return
        plain = encodable(str(data.get("text/plain", "")))
        ALLOWANCE.displays += 1
        if ALLOWANCE.displays > _MAX_DISPLAYS:
            ALLOWANCE.dropped += len(plain)
            return
        # Without the metadata and the transient data: they are the user's, and of any size.
        super().publish({"text/plain": ALLOWANCE.shorten(plain)})


class CappedFormatter(DisplayFormatter):  # type: ignore[misc]
    """The value of a cell's last expression: plain text, and LaTeX where that is cheap."""

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> Any:
        data, _ = super().format(obj, include={"text/plain"}, exclude=exclude)
        plain = data.get("text/plain")
        if not isinstance(plain, str):
            return data, {}
        shown = {"text/plain": ALLOWANCE.shorten(encodable(plain))}
        if len(plain) <= _LATEX_UP_TO and hasattr(obj, "_repr_latex_"):
            latex = super().format(obj, include={"text/latex"}, exclude=exclude)[0].get("text/latex")
            if isinstance(latex, str) and len(latex) <= _MAX_LATEX:
                shown["text/latex"] = encodable(latex)
        return shown, {}


class Shell(ZMQInteractiveShell):  # type: ignore[misc]
    """IPython, telling errors in a bounded number of characters."""

    display_pub_class = CappedDisplay
    # `!command` writes to the standard streams like any child process; a terminal would add "\r".
    system = InteractiveShell.system_raw

    def init_display_formatter(self) -> None:
        self.display_formatter = CappedFormatter(parent=self)
        self.configurables.append(self.display_formatter)

    def ask_exit(self) -> NoReturn:
        """`exit()` ends the cell, as `sys.exit()` does, and not the kernel with all its state."""
        raise SystemExit

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        text = ALLOWANCE.shorten(encodable("\n".join(str(line) for line in stb)))
        super()._showtraceback(etype, _Message(evalue), text.split("\n"))


class _Message:
    """An exception's text, made once and cut: it is the user's code that makes it."""

    def __init__(self, error: BaseException) -> None:
        try:
            text = str(error)
        except Exception:
            text = "(the exception's own __str__ failed)"
        self._text = ALLOWANCE.shorten(encodable(text))

    def __str__(self) -> str:
        return self._text


class Kernel(IPythonKernel):  # type: ignore[misc]
    """Adds to each reply what the host needs to know: the user's names, and how much was cut."""

    shell_class = Shell

    async def do_execute(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        ALLOWANCE.renew()
        reply: dict[str, Any]
        try:
            reply = await super().do_execute(*args, **kwargs)
        except KeyboardInterrupt:
            # Between the user's code and the reply: there must be one, or the kernel counts as stuck.
            reply = {"status": "error", "ename": "KeyboardInterrupt"}
        if threading.current_thread() is threading.main_thread():
            # What comes now is not the user's; ipykernel sets the handler anew for the next cell.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        streams = capped()
        if ALLOWANCE.displays > _MAX_DISPLAYS and streams:
            streams[0].write(gap(ALLOWANCE.displays - _MAX_DISPLAYS, "displays"))
        for stream in streams:
            stream.end_cell()
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

    def _names(self) -> list[str]:
        shell = self.shell
        names = [
            name
            for name in list(shell.user_ns)
            if isinstance(name, str) and not name.startswith("_") and name not in shell.user_ns_hidden
        ]
        return [encodable(name[:100]) for name in names[:_MAX_NAMES]]

    def raw_input(self, prompt: object = "") -> NoReturn:
        raise EOFError(_NO_INPUT)

    def getpass(self, prompt: object = "", stream: object = None) -> NoReturn:
        raise EOFError(_NO_INPUT)


class NoProfile(ProfileDir):  # type: ignore[misc]
    """IPython's folder of settings, of which nothing is made: a kernel must start on a full disk too."""

    def check_dirs(self) -> None:
        """None of them is needed."""

    check_log_dir = check_startup_dir = check_security_dir = check_pid_dir = check_dirs


class App(IPKernelApp):  # type: ignore[misc]
    """A kernel that is told where to listen, and writes no file."""

    kernel_class = Kernel

    def init_profile_dir(self) -> None:
        """No user's settings apply here."""
        self.profile_dir = NoProfile(location=os.environ["HOME"])

    def load_config_file(self, **kwargs: Any) -> None:
        """No user's settings apply here."""

    def init_connection_file(self) -> None:
        """The host chose the sockets' names and the key."""

    def write_connection_file(self, **kwargs: Any) -> None:
        """The host knows them already."""

    def cleanup_connection_file(self) -> None:
        """There is none."""

    def init_iopub(self, context: zmq.Context[Any]) -> None:
        """By default output is dropped that comes faster than the host reads; here it waits instead."""
        context.setsockopt(zmq.XPUB_NODROP, 1)
        super().init_iopub(context)

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
    config.IPKernelApp.outstream_class = "streams.CappedStream"
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
