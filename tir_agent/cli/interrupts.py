"""Ctrl-C: of one run the cell first, then the run; of a collection first what is new, then all of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from tir_agent.cli.terminal import EXIT_INTERRUPTED, say
from tir_agent.console import RunView

__all__ = ["graceful_stop", "interruptible"]

_SHOW_CURSOR: Final = b"\x1b[?25h\n"


@contextmanager
def interruptible(view: RunView) -> Iterator[None]:
    """Within, SIGINT interrupts the cell that `view` sees running; without one, or the second time
    on the same cell, it cancels the current task, as SIGTERM does at once."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("interruptible() needs a running task")
    loop = asyncio.get_running_loop()
    handler = _Handler(view, task)
    loop.add_signal_handler(signal.SIGINT, handler.interrupt)
    loop.add_signal_handler(signal.SIGTERM, handler.stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)


class _Handler:
    def __init__(self, view: RunView, task: asyncio.Task[object]) -> None:
        self._view = view
        self._task = task
        self._interrupted: Callable[[], Awaitable[None]] | None = None
        """The cell that was interrupted last."""
        self._pending: set[asyncio.Future[None]] = set()

    def interrupt(self) -> None:
        cell = self._view.interrupt_cell
        if cell is None or cell is self._interrupted:
            self.stop()
            return
        self._interrupted = cell
        self._view.quiet()
        say("Interrupting the code; press Ctrl-C again to stop the run", "yellow")
        future = asyncio.ensure_future(cell())
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)

    def stop(self) -> None:
        self._task.cancel()


@contextmanager
def graceful_stop(
    on_first: Callable[[], None], on_second: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Within, the first SIGINT or SIGTERM calls `on_first`; the second calls `on_second` and cancels the
    current task; a third ends the process at once with status 130, whatever it is doing.

    Both are called on the event loop. Open it around everything that has to be shut down.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("graceful_stop() needs a running task")
    stages = _Stages(task, on_first, on_second)
    # Not the loop's own handlers: a loop that is stuck would never call them.
    before = {number: signal.signal(number, stages.heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stages:
    def __init__(
        self, task: asyncio.Task[object], on_first: Callable[[], None], on_second: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = task
        self._on_first = on_first
        self._on_second = on_second
        self._heard = 0

    def heard(self, number: int, frame: FrameType | None) -> None:
        self._heard += 1
        if self._heard > 2:
            _leave()
        # The loop may be closed by now: then the end is near anyway.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_first if self._heard == 1 else self._cancel)

    def _cancel(self) -> None:
        try:
            self._on_second()
        finally:
            self._task.cancel()


def _leave() -> None:
    """No more than the cursor, which a live display hides, is put right; and not where that could wait."""
    with contextlib.suppress(OSError):
        if os.isatty(2) and select.select([], [2], [], 0)[1]:
            os.write(2, _SHOW_CURSOR)
    os._exit(EXIT_INTERRUPTED)
