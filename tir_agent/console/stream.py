"""A stream to people that may break without anyone being the worse for it."""

from __future__ import annotations

import contextlib
import os
import select
from typing import IO

__all__ = ["LenientStream"]


class LenientStream:
    """Passes text on to `file` until that fails, and is silent from then on.

    A reader that went away, a terminal that was closed and a full disk must not end what is reported on.
    Characters that the file's encoding lacks become question marks. A file that the system knows is written
    to past its buffer: a thread that waits for it there would keep the interpreter from ending.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._gone = False
        try:
            self._descriptor: int | None = file.fileno()
        except (OSError, ValueError):
            self._descriptor = None

    @property
    def encoding(self) -> str:
        """The file's."""
        return getattr(self._file, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """All of it, or what the file takes; raises nothing."""
        if not self._gone:
            try:
                self._pass_on(text)
            except (OSError, ValueError):
                self._lose()
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back here, but perhaps by `file`."""
        if not self._gone and self._descriptor is None:
            try:
                self._file.flush()
            except (OSError, ValueError):
                self._lose()

    def isatty(self) -> bool:
        """Whether it is a terminal; a file that was closed is none."""
        try:
            return self._file.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        """The file's; raises as that does."""
        return self._file.fileno()

    def _pass_on(self, text: str) -> None:
        data = text.encode(self.encoding, "replace")
        if self._descriptor is None:
            self._file.write(data.decode(self.encoding))
            return
        self._file.flush()
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [], 1.0)

    def _lose(self) -> None:
        self._gone = True
        # What others left in the file's buffer would otherwise fail once more at the interpreter's end.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)
