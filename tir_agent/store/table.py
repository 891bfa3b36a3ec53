"""A run as a table: one row for each trajectory, in Parquet."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from tir_agent.errors import StorageError
from tir_agent.execution import ExecutionStatus
from tir_agent.store.encoding import encoded
from tir_agent.store.files import cannot_write
from tir_agent.trajectory import Trajectory

__all__ = ["COLUMNS", "Column", "export"]

_ROWS: Final = 512
"""Trajectories in a row group, which is what is in memory at a time; fewer where they are long."""
_GROUP_BYTES: Final = 64 * 2**20

Value = str | int | float | None


class Column(NamedTuple):
    """One column, and what a trajectory has in it."""

    name: str
    kind: type[str] | type[int] | type[float]
    value: Callable[[Trajectory], Value]


COLUMNS: Final = (
    Column("trajectory_id", str, lambda t: t.id),
    Column("problem_id", str, lambda t: t.problem.id),
    Column("problem", str, lambda t: t.problem.text),
    Column("gold", str, lambda t: t.problem.gold),
    Column("subject", str, lambda t: t.problem.subject),
    Column("level", str, lambda t: t.problem.level),
    Column("arm", str, lambda t: t.sample.arm if t.sample else None),
    Column("index", int, lambda t: t.sample.index if t.sample else None),
    Column("model", str, lambda t: t.settings.model),
    Column("prompt", str, lambda t: t.prompt.name),
    Column("temperature", float, lambda t: t.settings.sampling.temperature),
    Column("seed", int, lambda t: t.settings.sampling.seed),
    Column("stop", str, lambda t: t.stop.value),
    Column("answer", str, lambda t: t.answer),
    Column("verdict", str, lambda t: t.grade.verdict.value if t.grade else None),
    Column("grader", str, lambda t: t.grade.grader if t.grade else None),
    Column("turns", int, lambda t: t.usage.turns),
    Column("cells", int, lambda t: t.usage.cells),
    Column("errors", int, lambda t: _errors(t)),
    Column("completion_tokens", int, lambda t: t.usage.completion_tokens),
    Column("prompt_tokens", int, lambda t: t.usage.prompt_tokens),
    Column("context_tokens", int, lambda t: t.usage.context_tokens),
    Column("seconds", float, lambda t: t.timings.duration),
    Column("cost", float, lambda t: t.usage.cost.amount if t.usage.cost else None),
    Column("currency", str, lambda t: t.usage.cost.currency if t.usage.cost else None),
)
WHOLE: Final = Column("trajectory", str, lambda t: encoded(t).decode())
"""All of it, as JSON."""


def export(trajectories: Iterable[Trajectory], path: Path, *, flat: bool = False) -> int:
    """Write `trajectories` to the Parquet file `path`, in constant memory; returns how many.

    The last column has the whole record as JSON, unless the table is to be `flat`. The file is there when
    it is complete, and not before.

    Raises:
        StorageError: it cannot be written, or `pyarrow` is not there.
    """
    pyarrow, parquet = _pyarrow()
    columns = COLUMNS if flat else (*COLUMNS, WHOLE)
    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(column.name, kinds[column.kind]) for column in columns])
    unfinished = path.with_name(f".{path.name}.new")
    rows = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            for group in _groups(trajectories, columns):
                arrays = [
                    pyarrow.array(values, field.type) for values, field in zip(group, schema, strict=True)
                ]
                writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
                rows += len(group[0])
        unfinished.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from None
        raise
    return rows


def _groups(trajectories: Iterable[Trajectory], columns: tuple[Column, ...]) -> Iterator[list[list[Value]]]:
    source = iter(trajectories)
    while True:
        group: list[list[Value]] = [[] for _ in columns]
        size = 0
        for trajectory in itertools.islice(source, _ROWS):
            for column, values in zip(columns, group, strict=True):
                value = column.value(trajectory)
                values.append(value)
                size += len(value) if isinstance(value, str) else 8
            if size >= _GROUP_BYTES:
                break
        if not group[0]:
            return
        yield group


def _errors(trajectory: Trajectory) -> int:
    """Cells that did not end well."""
    cells = [cell for turn in trajectory.turns for cell in turn.cells]
    return sum(cell.execution.status is not ExecutionStatus.OK for cell in cells)


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise StorageError(
            "Parquet files need the package pyarrow, which is not installed",
            hint='pip install "tir-agent[collect]"',
        ) from None
    return pyarrow, parquet
