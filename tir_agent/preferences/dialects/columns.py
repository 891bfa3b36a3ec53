"""What the columns of a row are made of, so that a file's types do not depend on the rows that come first."""

from __future__ import annotations

from enum import StrEnum
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

from pydantic import JsonValue

__all__ = ["Column", "ListOf", "Scalar", "Shape", "Struct", "arrow_schema", "hub_features"]


class Scalar(StrEnum):
    """A single value, by Arrow's and `datasets`' name for it. Every one may be null."""

    TEXT = "string"
    INTEGER = "int64"
    NUMBER = "float64"
    TRUTH = "bool"


class Column(NamedTuple):
    """A name and what stands under it."""

    name: str
    shape: Shape


class ListOf(NamedTuple):
    """Any number of the same."""

    item: Shape


class Struct(NamedTuple):
    """An object that has all of these keys."""

    fields: tuple[Column, ...]


Shape: TypeAlias = Scalar | ListOf | Struct


def arrow_schema(columns: tuple[Column, ...]) -> Any:
    """A `pyarrow.Schema`. `pyarrow` is imported here, and not before.

    Raises:
        ImportError: it is not there.
    """
    import pyarrow

    return pyarrow.schema([(column.name, _arrow(column.shape, pyarrow)) for column in columns])


def _arrow(shape: Shape, pyarrow: ModuleType) -> Any:
    match shape:
        case Scalar():
            # Arrow's own factories, by name: `string`, `int64`, `float64`; truth alone differs.
            return {
                Scalar.TEXT: pyarrow.string,
                Scalar.INTEGER: pyarrow.int64,
                Scalar.NUMBER: pyarrow.float64,
                Scalar.TRUTH: pyarrow.bool_,
            }[shape]()
        case ListOf(item):
            return pyarrow.list_(_arrow(item, pyarrow))
        case Struct(fields):
            return pyarrow.struct([(field.name, _arrow(field.shape, pyarrow)) for field in fields])


def hub_features(columns: tuple[Column, ...]) -> list[JsonValue]:
    """The `features` of a dataset card's `dataset_info`: with them, `datasets` guesses no type of a JSONL
    file, where the first rows may have nothing but nulls.
    """
    return [{"name": column.name, **_feature(column.shape)} for column in columns]


def _feature(shape: Shape) -> dict[str, JsonValue]:
    match shape:
        case Scalar():
            return {"dtype": shape.value}
        case ListOf(Scalar() as item):
            return {"list": item.value}
        case ListOf(Struct(fields)):
            return {"list": hub_features(fields)}
        case ListOf(item):
            return {"list": _feature(item)}
        case Struct(fields):
            return {"struct": hub_features(fields)}
