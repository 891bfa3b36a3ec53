"""IPython for a session: what it shows is bounded, and it does not read or write a user's settings."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import sys
from types import TracebackType
from typing import Any, NoReturn

from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.zmqshell import ZMQDisplayPublisher, ZMQInteractiveShell
from IPython.core.compilerop import CachingCompiler
from IPython.core.formatters import DisplayFormatter
from IPython.core.inputtransformer2 import leading_indent
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
_FRAMES = 8
"""Of a traceback, shown from its start and from its end."""
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


class Compiler(CachingCompiler):  # type: ignore[misc]
    """Names the code of a cell so that the same program always shows the same name, in a warning, say."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return f"<cell {number}>"


class Shell(ZMQInteractiveShell):  # type: ignore[misc]
    """IPython, telling errors in a bounded number of frames and characters."""

    display_pub_class = CappedDisplay
    displayhook_class = CappedHook
    # `!command` writes to the standard streams like any child process; a terminal would add "\r".
    system = InteractiveShell.system_raw
    rich = Bool(False, help="For a notebook, which shows everything: nothing is left out.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        transforms = self.input_transformer_manager.cleanup_transforms
        transforms[transforms.index(leading_indent)] = _first_indent

    def init_display_formatter(self) -> None:
        self.display_formatter = CappedFormatter(parent=self)
        self.configurables.append(self.display_formatter)

    def ask_exit(self) -> NoReturn:
        """`exit()` ends the cell, as `sys.exit()` does, and not the kernel with all its state."""
        raise SystemExit

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        kind, error, _ = sys.exc_info()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            # Whoever interrupts a cell waits for its end, and inside a library there is much to tell.
            self._showtraceback(kind, error, [kind.__name__])
        else:
            super().showtraceback(*args, **kwargs)

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        kind, error, traceback = super()._get_exc_info(exc_tuple)
        return kind, error, _shortened(traceback)

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        text = ALLOWANCE.shorten(encodable("\n".join(str(line) for line in stb)))
        super()._showtraceback(etype, _Message(evalue), text.split("\n"))


def _first_indent(lines: list[str]) -> list[str]:
    """Take the first line's indentation off every line that has it.

    IPython 9 takes off what all lines share, so that a first line alone that is indented, as models
    write it now and then, is an error.
    """
    indent = re.match(r"[ \t]+", lines[0]) if lines else None
    return [line.removeprefix(indent[0]) for line in lines] if indent else lines


def _shortened(traceback: TracebackType | None) -> TracebackType | None:
    """Without the middle of a long one: a recursion too deep has a thousand frames."""
    frames = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    if len(frames) > 2 * _FRAMES:
        frames = frames[:_FRAMES] + frames[-_FRAMES:]
    following = None
    for frame in reversed(frames):
        following = TracebackType(following, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return following


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
        compiler_class=Compiler,
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
