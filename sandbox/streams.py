"""Standard output and error of a kernel, capped while the code runs.

A program that prints without end must neither fill the host's memory nor hide the start and the end of
what it printed. So the cap is here, before anything is sent: the first half of the allowance goes out
as it comes, of the rest only the last half is kept.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
import threading
import time
from collections import deque
from typing import Any

from ipykernel.iostream import OutStream

_DRAIN_SECONDS = 0.5
"""How long a cell's end waits for what its child processes wrote; longer only if one writes on."""
_CHUNK_BYTES = 65536


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
            text = f"{text[:half]}{gap(dropped)}{text[len(text) - half :]}"
        self._left -= min(len(text), self._left)
        return text


def gap(dropped: int, what: str = "characters") -> str:
    """What stands where something is missing."""
    return f"\n... [{dropped} {what} discarded] ...\n"


def encodable(text: str) -> str:
    """Lone surrogates cannot be sent; show them as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


ALLOWANCE = Allowance()


class CappedStream(OutStream):  # type: ignore[misc]
    """Standard output or error: sends the head, keeps the tail until the cell ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Before the base class starts the thread that reads the file descriptor.
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._tail: deque[str] = deque()
        self._tail_chars = 0
        self._cut = 0
        super().__init__(*args, **kwargs)
        # A lock that another thread holds during a fork would never be released in the child.
        os.register_at_fork(after_in_child=self._renew_locks)

    def write(self, string: str) -> int | None:
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        with self._lock:
            head = ALLOWANCE.take(string)
            if len(head) < len(string):
                self._keep(string[len(head) :])
        if head:
            super().write(encodable(head))
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
            super().write((gap(cut) if cut else "") + encodable(tail))
        self.flush()

    def _watch_pipe_fd(self) -> None:
        """The base class's thread that hears what is written to the file descriptor itself.

        Unlike there, a character that falls on two reads stays whole, and `_drain` can tell when
        everything that was read has been written.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with contextlib.suppress(OSError):
            while True:
                select.select([self._fid], [], [])
                with self._reading:
                    data = os.read(self._fid, _CHUNK_BYTES)
                    if not data or not self._should_watch:
                        return
                    self.write(decoder.decode(data))

    def _drain(self) -> None:
        """Wait until the thread has read what was written to the file descriptor itself."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        pipe = self._fid
        while pipe is not None and time.monotonic() < deadline and select.select([pipe], [], [], 0)[0]:
            time.sleep(0.0005)
        if self._reading.acquire(timeout=_DRAIN_SECONDS):
            self._reading.release()

    def _renew_locks(self) -> None:
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._buffer_lock = threading.RLock()


def capped() -> list[CappedStream]:
    """The current standard streams, but those that the user's code put in their place."""
    return [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, CappedStream)]
