"""Reading an export back: its account, and its rows one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tir_agent.errors import DataError, StorageError
from tir_agent.export.manifest import FORMAT, MANIFEST, VERSION, ExportManifest, Split
from tir_agent.export.row import Row, row_of
from tir_agent.settings import Dialect
from tir_agent.store import Fault

__all__ = ["ExportReader", "ProblemRow"]

_LONGEST_LINE: Final = 256 * 2**20
"""Bytes. No example is so long; a file that is no text may have no line's end at all."""
_OWN: Final = frozenset({Dialect.TRL, Dialect.TRL_TEXT})
"""Dialects whose columns beside the messages are ours."""

T = TypeVar("T")


class _Head(BaseModel):
    format: str
    version: int


class ProblemRow(BaseModel):
    """A problem of the runs, as far as it is looked at."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: str
    right: int | None = None
    """Its trajectories that were graded as right, before any filter."""
    wrong: int | None = None


class ExportReader:
    """An export's folder."""

    def __init__(self, path: Path, manifest: ExportManifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read what the export says of itself.

        Raises:
            DataError: it is no export, damaged, or of a newer version.
            StorageError: it cannot be read.
        """
        where = path / MANIFEST
        try:
            data = where.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(
                f"{path} is not an export: it has no {MANIFEST}" if path.exists() else f"There is no {path}",
                hint="tir export writes one",
            ) from None
        except OSError as error:
            raise StorageError(f"Cannot read {where}: {error.strerror}") from None
        return cls(path, _manifest_of(data, where))

    @property
    def name(self) -> str:
        """The folder's."""
        return self.path.resolve().name or str(self.path)

    @property
    def splits(self) -> tuple[Split, ...]:
        """Those that it speaks of."""
        return tuple(counts.split for counts in self.manifest.splits)

    @property
    def _empty(self) -> frozenset[Split]:
        """Splits without rows, of which there need be no file."""
        return frozenset(counts.split for counts in self.manifest.splits if not counts.examples)

    def rows_path(self, split: Split) -> Path:
        """The rows as JSON."""
        return self.path / "jsonl" / f"{split.value}.jsonl"

    def problems_path(self, split: Split) -> Path:
        """All problems of the runs that belong to the split."""
        return self.path / "problems" / f"{split.value}.jsonl"

    def rows(self, split: Split, damaged: Callable[[Fault], None] | None = None) -> Iterator[Row]:
        """The rows of a split in their order, one in memory at a time.

        Lines that are no rows are handed to `damaged` and left out.

        Raises:
            DataError: a line is no row, and nobody wants to hear of it; or the file is missing.
            StorageError: it cannot be read.
        """
        own = self.manifest.recipe.dialect in _OWN
        if not self.rows_path(split).exists() and split in self._empty:
            return iter(())
        return self._parsed(self.rows_path(split), lambda line: row_of(line, own_columns=own), damaged)

    def problems(self, split: Split, damaged: Callable[[Fault], None] | None = None) -> Iterator[ProblemRow]:
        """The problems of a split; raises like `rows`."""
        return self._parsed(self.problems_path(split), ProblemRow.model_validate_json, damaged)

    def _parsed(
        self, path: Path, parse: Callable[[bytes], T], damaged: Callable[[Fault], None] | None
    ) -> Iterator[T]:
        name = path.relative_to(self.path).as_posix()
        for number, line in enumerate(_lines(path, name), 1):
            if line.isspace():
                continue
            try:
                row = parse(line)
            except ValueError as error:
                fault = Fault(f"{name}, line {number}", _why(error))
                if damaged is None:
                    raise DataError(
                        f"{self.path} is damaged: {fault}", hint=f"tir stats --verify {self.path}"
                    ) from None
                damaged(fault)
                continue
            yield row


def _manifest_of(data: bytes, where: Path) -> ExportManifest:
    try:
        head = _Head.model_validate_json(data)
    except ValidationError:
        raise DataError(f"{where} does not describe an export") from None
    if head.format != FORMAT:
        raise DataError(f"{where} does not describe an export: its format is not {FORMAT!r}")
    if head.version > VERSION:
        raise DataError(
            f"{where} has version {head.version} of the format; this program reads up to {VERSION}",
            hint="Use a newer tir-agent",
        )
    try:
        return ExportManifest.model_validate_json(data)
    except ValidationError as error:
        raise DataError(f"{where} is damaged: {_why(error)}") from None


def _lines(path: Path, name: str) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    raise DataError(f"{name}, line {number} is longer than {_LONGEST_LINE} bytes")
                yield line
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"The export is damaged: {name} is missing") from None
    except OSError as error:
        raise StorageError(f"Cannot read {path}: {error.strerror}") from None


def _why(error: ValueError) -> str:
    """What is wrong, in a few words, with its field where there is one."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else first["msg"]
