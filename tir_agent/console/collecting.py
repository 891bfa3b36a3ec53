"""A collection under way: on a terminal a picture that is kept up to date, elsewhere a line now and then.

All drawing is done by a thread of its own. A terminal that has stopped (Ctrl-S, a slow line) holds up that
thread, and never the event loop on which the collection runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, Protocol, Self, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from tir_agent.collect.progress import Progress
from tir_agent.console.collect_frame import collect_frame
from tir_agent.console.collect_lines import CollectLines
from tir_agent.console.stream import LenientStream
from tir_agent.console.view import printable

__all__ = ["CollectView"]

_PERIOD = 0.25
"""Seconds between two pictures."""
_WIDEST = 88
_MARGIN = 4
"""Columns on the right that stay free, for the `^C` that a terminal writes where the cursor is."""
_CLOSING_SECONDS = 2.0
_NOTES = 1000
"""Remarks that wait for a terminal that has stopped; older ones are given up."""


class CollectView:
    """Shows a collection while the context is open. `snapshot` is called on the event loop, 4 times a second.

    The console is made to survive a reader that goes away, and stays so.
    """

    def __init__(self, snapshot: Callable[[], Progress], console: Console) -> None:
        self._snapshot = snapshot
        self._console = console
        console.file = cast("IO[str]", LenientStream(console.file))
        self._painter: _Painter | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        first = self._snapshot()
        live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._painter = _Painter(_Picture(self._console) if live else _Lines(self._console))
        self._painter.show(first)
        self._painter.start()
        self._ticking = asyncio.create_task(self._tick(self._painter))
        return self

    async def __aexit__(self, *exception: object) -> None:
        painter, ticking = self._painter, self._ticking
        self._painter = self._ticking = None
        if ticking is not None:
            ticking.cancel()
        if painter is not None:
            try:
                painter.show(self._snapshot())
            finally:
                painter.end()

    def note(self, text: str | Text, style: str = "dim") -> None:
        """A remark of the program's own, above the picture. Safe to call from any thread.

        A `Text` is printed as it is. Given before the context ends, it is one more thing that a terminal
        that has stopped cannot hold up.
        """
        remark = text if isinstance(text, Text) else Text(printable(text), style=style)
        if self._painter is not None:
            self._painter.note(remark)
        else:
            self._console.print(remark, soft_wrap=True)

    def refresh(self) -> None:
        """Something has changed that should be seen at once."""
        if self._painter is not None:
            self._painter.show(self._snapshot())

    async def _tick(self, painter: _Painter) -> None:
        while True:
            await asyncio.sleep(_PERIOD)
            painter.show(self._snapshot())


class _Paper(Protocol):
    """What is drawn on; used by one thread."""

    def show(self, progress: Progress) -> None: ...

    def note(self, remark: Text) -> None: ...

    def end(self) -> None: ...


class _Painter(threading.Thread):
    """Draws the newest picture and all remarks; older pictures that it had no time for are left out."""

    def __init__(self, paper: _Paper) -> None:
        super().__init__(name="tir-collect-view", daemon=True)
        self._paper = paper
        self._bell = threading.Event()
        self._newest: Progress | None = None
        self._notes: deque[Text] = deque(maxlen=_NOTES)
        self._ending = False

    def show(self, progress: Progress) -> None:
        self._newest = progress
        self._bell.set()

    def note(self, remark: Text) -> None:
        self._notes.append(remark)
        self._bell.set()

    def end(self) -> None:
        """Draw what is left and wait until that is done, unless the terminal has stopped."""
        self._ending = True
        self._bell.set()
        self.join(_CLOSING_SECONDS)

    def run(self) -> None:
        try:
            while self._draw():
                pass
        finally:
            self._paper.end()

    def _draw(self) -> bool:
        """What has come since the last time; whether more will."""
        self._bell.wait()
        self._bell.clear()
        ending = self._ending
        while self._notes:
            with contextlib.suppress(IndexError):
                self._paper.note(self._notes.popleft())
        if self._newest is not None:
            self._paper.show(self._newest)
        return not ending


class _Lines:
    """Where there is no terminal, or one that cannot move its cursor."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines = CollectLines()

    def show(self, progress: Progress) -> None:
        for line in self._lines.due(progress):
            self._console.print(Text(line), soft_wrap=True)

    def note(self, remark: Text) -> None:
        self._console.print(remark, soft_wrap=True)

    def end(self) -> None:
        """Every line is there already."""


class _Picture:
    """A terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._drawn: list[list[Segment]] = []

    def show(self, progress: Progress) -> None:
        columns = self._console.width
        options = self._console.options
        width = max(min(columns - _MARGIN, _WIDEST), 10)
        frame = collect_frame(progress, width, plain=options.ascii_only)
        lines = self._console.render_lines(frame, options.update_width(width), pad=False)
        if self._live is not None and any(Segment.get_line_length(line) > columns for line in self._drawn):
            # The window has become narrower than what stands there: how many lines that is now, nobody knows.
            self._live.transient = False
            self._live.stop()
            self._live = None
        elif self._live is not None and lines == self._drawn:
            return
        self._drawn = lines
        if self._live is None:
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop"
            )
            self._live.start()
        self._live.update(_Drawn(lines), refresh=True)

    def note(self, remark: Text) -> None:
        self._console.print(remark)

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()


class _Drawn:
    """Lines that are ready."""

    def __init__(self, lines: list[list[Segment]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, line in enumerate(self._lines):
            if number:
                yield Segment.line()
            yield from line
