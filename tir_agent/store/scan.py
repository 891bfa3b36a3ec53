"""Reading a log's file line by line, with what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from pydantic_core import from_json

from tir_agent.store.pieces import pieces
from tir_agent.store.versions import why

__all__ = ["Fault", "Scan"]

T_co = TypeVar("T_co", covariant=True)


class Fault(NamedTuple):
    """Something that is wrong with a run, or with a file of it."""

    where: str
    """Which file, and where in it."""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Scan(Generic[T_co]):
    """The records of one file. Iterate over it once; then look at what it says of the file.

    A line that is no JSON, or no record, is skipped. What is damaged at the end of the file, where no
    sound line follows, is its torn tail: a write that did not come to its end, and did not count as done.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T_co]) -> None:
        """`parse` raises a ValueError for what is no record."""
        self._path = path
        self._parse = parse
        self.faults: list[Fault] = []
        """What was skipped, the torn tail aside."""
        self.good = 0
        """The byte after the last sound line."""
        self.size = 0
        """Bytes that were read."""

    @property
    def torn(self) -> int:
        """Bytes of the torn tail."""
        return self.size - self.good

    def __iter__(self) -> Iterator[tuple[bytes, T_co]]:
        """The lines with their records.

        Raises:
            StorageError: the file cannot be read.
            RunError: it holds records of a newer version.
        """
        number = 0
        waiting: list[Fault] = []
        for piece in pieces(self._path):
            self.size = piece.end
            if piece.damage is not None:
                waiting.append(self._fault(f"byte {piece.start}", piece.damage))
                continue
            sound = piece.checked
            for line in piece.lines:
                number += 1
                if line.isspace():
                    sound = True
                    continue
                try:
                    record = self._parse(line)
                except ValueError as error:
                    waiting.append(self._fault(f"line {number}", why(error)))
                    # Torn lines are no JSON; what is JSON was written so, and is not to be cut off.
                    sound = sound or _is_json(line)
                    continue
                sound = True
                self.faults += waiting
                waiting.clear()
                yield line, record
            if sound:
                self.faults += waiting
                waiting.clear()
                self.good = piece.end

    def _fault(self, where: str, what: str) -> Fault:
        return Fault(f"{self._path.parent.name}/{self._path.name}, {where}", what)


def _is_json(line: bytes) -> bool:
    try:
        from_json(line)
    except ValueError:
        return False
    return True
