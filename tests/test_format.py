"""`docs/format.md` names every field and every value of the records."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import BaseModel

from tir_agent import messages, settings, store, trajectory

PAGE = (Path(__file__).parent.parent / "docs" / "format.md").read_text(encoding="utf-8")


def all_models() -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    waiting: list[object] = [
        trajectory.Trajectory,
        store.Manifest,
        store.GradeRow,
        store.GradeTerms,
    ]
    while waiting:
        kind = waiting.pop()
        waiting += getattr(kind, "__args__", ())
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in found:
            found.add(kind)
            waiting += [field.annotation for field in kind.model_fields.values()]
    return found


@pytest.mark.parametrize("model", sorted(all_models(), key=str))
def test_every_field_is_described(model: type[BaseModel]) -> None:
    for name in model.model_fields:
        assert f"`{name}`" in PAGE, f"{model.__name__}.{name}"


@pytest.mark.parametrize(
    "values",
    [
        messages.Origin,
        messages.Role,
        settings.Fsync,
        trajectory.ExecutionStatus,
        trajectory.Feedback,
        trajectory.FinishReason,
        trajectory.StopReason,
        trajectory.Verdict,
    ],
)
def test_every_value_is_described(values: type[StrEnum]) -> None:
    for value in values:
        assert f"`{value}`" in PAGE or f"`{value}" in PAGE, value


def test_the_walk_over_the_records_finds_them_all() -> None:
    names = {model.__name__ for model in all_models()}
    assert {"Trajectory", "Turn", "Cell", "Execution", "Span", "RunSettings"} <= names
    assert {settings.Budget, settings.Operation, settings.Storage, store.Host} <= all_models()
