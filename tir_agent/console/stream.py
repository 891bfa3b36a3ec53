"""A stream to people that may break without anyone being the worse for it."""

from __future__ import annotations

import contextlib
import os
from typing import IO

__all__ = ["LenientStream"]


class LenientStream:
    """Passes text on to `file` until that fails, and is silent from then on.

    A reader that went away, a terminal that was closed and a full disk must not end what is reported on.
    Characters that the file's encoding lacks become question marks.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._gone = False

    @property
    def encoding(self) -> str:
        return getattr(self._file, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        if not self._gone:
            try:
                self._file.write(text)
            except UnicodeEncodeError:
                self.write(text.encode(self.encoding, "replace").decode(self.encoding))
            except (OSError, ValueError):
                self._lose()
        return len(text)

    def flush(self) -> None:
        if not self._gone:
            try:
                self._file.flush()
            except (OSError, ValueError):
                self._lose()

    def isatty(self) -> bool:
        try:
            return self._file.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        return self._file.fileno()

    def _lose(self) -> None:
        self._gone = True
        # What is in the file's buffer would otherwise fail once more at the interpreter's end.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)
