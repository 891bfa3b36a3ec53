"""IPython for a session: what it shows is bounded, and it does not read or write a user's settings."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import Any, NoReturn

from ipykernel.compiler import XCachingCompiler
from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.zmqshell import ZMQDisplayPublisher, ZMQInteractiveShell
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from jupyter_client.session import Session
from streams import ALLOWANCE, encodable
from traitlets import Bool
from traitlets.config import Config

MAX_DISPLAYS = 100
_MAX_IMAGES = 8
_MAX_IMAGE_CHARS = 2_000_000
"""A PNG as Base64; a larger one is left out, since half an image is none."""
_LATEX_UP_TO = 2000
"""LaTeX is made only of values whose plain text is at most this long: it can be slow for large ones."""
_MAX_LATEX = 20_000
"""LaTeX that is longer is left out: cut, it would be no LaTeX."""


class CappedDisplay(ZMQDisplayPublisher):  # type: ignore[misc]
    """`display()`: plain text and PNG alone, and not without end."""

    def publish(self, data: dict[str, Any], *args: Any, update: bool = False, **kwargs: Any) -> None:
        if self.shell.rich:
            super().publish(data, *args, update=update, **kwargs)
            return
        # An update would show the same object a second time: there is no page to change it on.
        if update:
            return
        plain = encodable(str(data.get("text/plain", "")))
        ALLOWANCE.displays += 1
        if ALLOWANCE.displays > MAX_DISPLAYS:
            ALLOWANCE.dropped += len(plain)
            return
        # Without the metadata and the transient data: they are the user's, and of any size.
        shown: dict[str, Any] = {"text/plain": ALLOWANCE.shorten(plain)}
        image = data.get("image/png")
        if isinstance(image, str | bytes) and ALLOWANCE.images < _MAX_IMAGES:
            ALLOWANCE.images += 1
            if len(image) <= _MAX_IMAGE_CHARS:
                shown["image/png"] = image
        super().publish(shown)


class CappedFormatter(DisplayFormatter):  # type: ignore[misc]
    """Makes only those forms of an object that are sent."""

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> Any:
        if include is None and not self.parent.rich:
            include = {"text/plain", "image/png"}
        return super().format(obj, include=include, exclude=exclude)


class CappedHook(ZMQShellDisplayHook):  # type: ignore[misc]
    """The value of a cell's last expression: plain text, and LaTeX where that is cheap."""

    def compute_format_data(self, result: Any) -> Any:
        if self.shell.rich:
            return super().compute_format_data(result)
        data, _ = self.shell.display_formatter.format(result, include={"text/plain"})
        plain = data.get("text/plain")
        if not isinstance(plain, str):
            return data, {}
        shown = {"text/plain": ALLOWANCE.shorten(encodable(plain))}
        if len(plain) <= _LATEX_UP_TO and hasattr(result, "_repr_latex_"):
            forms, _ = self.shell.display_formatter.format(result, include={"text/latex"})
            latex = forms.get("text/latex")
            if isinstance(latex, str) and len(latex) <= _MAX_LATEX:
                shown["text/latex"] = encodable(latex)
        return shown, {}


class Shell(ZMQInteractiveShell):  # type: ignore[misc]
    """IPython, telling errors in a bounded number of characters."""

    display_pub_class = CappedDisplay
    displayhook_class = CappedHook
    # `!command` writes to the standard streams like any child process; a terminal would add "\r".
    system = InteractiveShell.system_raw
    rich = Bool(False, help="For a notebook, which shows everything: nothing is left out.")

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


class NoProfile(ProfileDir):  # type: ignore[misc]
    """IPython's folder of settings, of which nothing is made: a kernel must start on a full disk too."""

    def check_dirs(self) -> None:
        """None of them is needed."""

    check_log_dir = check_startup_dir = check_security_dir = check_pid_dir = check_dirs


class _Nowhere:
    """A socket that takes messages and sends none."""

    def send_multipart(self, *_: Any, **__: Any) -> None:
        """Nothing."""


def new_shell() -> Shell:
    """The process's shell. It has no kernel yet, which gives it the way to the host."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.history_load_length = 0
    shell: Shell = Shell.instance(
        config=config,
        ipython_dir="/",
        profile_dir=NoProfile(location="/"),
        kernel=None,
        user_ns={},
        compiler_class=XCachingCompiler,
    )
    return shell


def warm(cells: list[str]) -> None:
    """Run `cells` in a shell that is thrown away, so that what they need is in memory.

    What they show goes nowhere: call before there are sessions.
    """
    shell = new_shell()
    # Without a kernel there is nobody to show anything to.
    shell.display_pub.session = shell.displayhook.session = Session()
    shell.display_pub.pub_socket = shell.displayhook.pub_socket = _Nowhere()

    async def run() -> None:
        for cell in cells:
            await shell.run_cell_async(cell, store_history=True, transformed_cell=shell.transform_cell(cell))

    with contextlib.redirect_stdout(io.StringIO()):
        asyncio.run(run())
    shell.restore_sys_module_state()
    shell.cleanup()
    Shell.clear_instance()
