"""Ctrl-C: the running cell first, then the run."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from tir_agent.cli.terminal import say
from tir_agent.console import RunView

__all__ = ["interruptible"]


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
