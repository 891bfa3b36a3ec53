"""The event log of a collection: `log.jsonl` in its folder, one JSON object a line, only ever appended to.

It is for people and machines that look on, and nothing is ever computed from it: the trajectories are the
record. So it may not hold up a collection, nor end one. Events are handed to a thread; when the disk is so
slow that thousands wait, the newest are dropped and counted; when it fails, the log is given up with one
note.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from tir_agent.collect.events import EVENTS, Event, EventsDropped

__all__ = ["EVENT_LOG", "EventLog", "read_events"]

EVENT_LOG: Final = "log.jsonl"
"""Its name in the folder of a collection."""
_WAITING: Final = 10_000
"""Events that may wait for the disk."""
_CLOSING_SECONDS: Final = 5.0


class EventLog:
    """Appends events to a file. No method raises or waits, but for `close`, which waits 5 seconds at most."""

    def __init__(self, path: Path, on_failure: Callable[[str], None] = lambda text: None) -> None:
        """`on_failure` is told once, from another thread, when the log is given up."""
        self._path = path
        self._on_failure = on_failure
        self._queue: queue.Queue[Event | None] = queue.Queue(_WAITING)
        self._dropped = 0
        self._over = False
        """It was closed, or given up."""
        self._thread = threading.Thread(target=self._write, name="tir-event-log", daemon=True)
        self._thread.start()

    def write(self, event: Event) -> None:
        """Have it appended. Safe to call from any thread."""
        if self._over:
            return
        self._own_up()
        if not self._put(event):
            self._dropped += 1

    def close(self) -> None:
        """Write what still waits. Idempotent."""
        self._over = True
        if self._thread.is_alive():
            self._own_up()
            try:
                self._queue.put(None, timeout=_CLOSING_SECONDS)
            except queue.Full:
                return
            self._thread.join(_CLOSING_SECONDS)

    def _own_up(self) -> None:
        if self._dropped and self._put(EventsDropped(count=self._dropped)):
            self._dropped = 0

    def _put(self, event: Event) -> bool:
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            return False
        return True

    def _write(self) -> None:
        try:
            self._append()
        except (OSError, ValueError) as error:
            self._over = True
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._on_failure(f"The event log is given up: cannot write {self._path}: {reason}")

    def _append(self) -> None:
        torn = _is_torn(self._path)
        with self._path.open("ab") as file:
            if torn:
                file.write(b"\n")
            while (event := self._queue.get()) is not None:
                file.write(_line(event))
                if self._queue.empty():
                    file.flush()


def read_events(path: Path) -> Iterator[Event]:
    """The events of a log, oldest first; lines that are none are left out: a killed process tears its last.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        for line in file:
            try:
                yield EVENTS.validate_json(line)
            except ValidationError:
                continue


def _line(event: Event) -> bytes:
    # Half of a surrogate pair, which a server's message may hold, has no UTF-8.
    clean = {
        name: value.encode("utf-8", "backslashreplace").decode("utf-8")
        for name, value in event
        if isinstance(value, str) and not value.isascii()
    }
    text = event.model_copy(update=clean).model_dump_json()
    return text.encode("utf-8") + b"\n"


def _is_torn(path: Path) -> bool:
    """Whether the last line was left without its end."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"
