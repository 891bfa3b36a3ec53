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

from channels import Channels
from ipykernel.iostream import OutStream

_DRAIN_SECONDS = 0.5
"""How long a cell's end waits for what its child processes wrote; longer only if one writes on."""
_PRINT_SECONDS = 0.005
"""How long a print waits for what child processes have written before it."""
_CHUNK_BYTES = 65536


class Allowance:
    """How much output the current cell may still send. Shared by all its streams and threads."""

    def __init__(self) -> None:
        self.half = 500_000
        self.dropped = 0
        self.displays = 0
        self.images = 0
        self._left = self.half

    def renew(self) -> None:
        """A new cell begins."""
        self.dropped = 0
        self.displays = 0
        self.images = 0
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

    def __init__(self, channels: Channels, name: str, descriptor: int) -> None:
        # The base class would begin to watch at once, and could not do so a second time.
        super().__init__(channels.session, channels.iopub_thread, name, watchfd=False)
        self._descriptor = descriptor
        self.attach(channels)
        os.register_at_fork(after_in_child=self._forked)

    def attach(self, channels: Channels) -> None:
        """Send through `channels` from now on, and hear what is written to the file descriptor itself."""
        self.session = channels.session
        self.pub_thread = channels.iopub_thread
        self._io_loop = channels.iopub_thread.io_loop
        self._renew()
        self._fid, writable = os.pipe()
        self._owner = threading.get_ident()
        self._unread = select.poll()
        self._unread.register(self._fid, select.POLLIN)
        os.dup2(writable, self._descriptor)
        os.close(writable)
        # What `fileno()` tells.
        self._original_stdstream_copy = self._descriptor
        self._detached = False
        threading.Thread(target=self._watch_pipe_fd, args=(self._fid,), name="Output", daemon=True).start()

    def _renew(self) -> None:
        """Forget what another process has written, and locks that a thread of it may hold for ever."""
        self._master_pid = os.getpid()
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._buffer_lock = threading.RLock()
        self._rotate_buffers()
        self._flush_pending = False
        self._tail: deque[str] = deque()
        self._tail_chars = 0
        self._cut = 0

    def _forked(self) -> None:
        """In a child of the session, which has no way to the host: its parent hears the descriptor."""
        self._renew()
        self._detached = True

    def flush(self) -> None:
        if not self._detached:
            super().flush()

    def write(self, string: str) -> int | None:
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        if self._detached:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, string.encode("utf-8", "backslashreplace"))
        else:
            if threading.get_ident() == self._owner:
                # What a child process has written before comes before.
                self._drain(_PRINT_SECONDS)
            self._send(string)
        return len(string)

    def _send(self, string: str) -> None:
        with self._lock:
            head = ALLOWANCE.take(string)
            if len(head) < len(string):
                self._keep(string[len(head) :])
        if head:
            super().write(encodable(head))

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
        self._drain(_DRAIN_SECONDS)
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

    def _watch_pipe_fd(self, pipe: int) -> None:
        """The thread that hears what is written to the file descriptor itself.

        Unlike in the base class, a character that falls on two reads stays whole, and `_drain` can tell
        when everything that was read has been written.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        with contextlib.suppress(OSError):
            while True:
                waiting.poll()
                with self._reading:
                    data = os.read(pipe, _CHUNK_BYTES)
                    if not data:
                        return
                    self._send(decoder.decode(data))

    def _drain(self, seconds: float) -> None:
        """Wait until the thread has read what was written to the file descriptor itself."""
        if self._unread.poll(0):
            deadline = time.monotonic() + seconds
            while self._unread.poll(0) and time.monotonic() < deadline:
                time.sleep(0.0005)
        # The thread has read it; while it passes it on, it holds the lock.
        with self._reading:
            pass


def capped() -> list[CappedStream]:
    """The current standard streams, but those that the user's code put in their place."""
    return [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, CappedStream)]
