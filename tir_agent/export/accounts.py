"""What the accounts of two exports differ in: recipe, waterfall, and what they were made with."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

from pydantic import JsonValue

from tir_agent.export.manifest import ExportManifest, Unit
from tir_agent.messages import Record

__all__ = [
    "FieldDiff",
    "MemberDiff",
    "StageDiff",
    "different_members",
    "recipe_differences",
    "stages_of_both",
]

K = TypeVar("K", bound=Hashable)


class FieldDiff(Record):
    """A field of the recipe that differs."""

    field: str
    a: JsonValue
    b: JsonValue


class StageDiff(Record):
    """A stage of the waterfall in both. Null: it is not a stage there."""

    name: str
    unit: Unit
    dropped_a: int | None
    dropped_b: int | None
    left_a: int | None
    left_b: int | None


class MemberDiff(Record):
    """Something that one export was made with and the other was not."""

    what: str
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


def recipe_differences(a: ExportManifest, b: ExportManifest) -> Iterator[FieldDiff]:
    """Field by field, tables within tables included."""
    one, other = (_flat("", made.recipe.model_dump(mode="json")) for made in (a, b))
    for field in one | other:
        if one.get(field) != other.get(field):
            yield FieldDiff(field=field, a=one.get(field), b=other.get(field))


def _flat(name: str, value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        return {name: value}
    found: dict[str, JsonValue] = {}
    for key, part in value.items():
        found |= _flat(f"{name}.{key}" if name else key, part)
    return found


def stages_of_both(a: ExportManifest, b: ExportManifest) -> Iterator[StageDiff]:
    """The two waterfalls side by side."""
    one, other = ({(it.name, it.unit): it for it in made.waterfall.stages} for made in (a, b))
    for name, unit in _merged(list(one), list(other)):
        first, second = one.get((name, unit)), other.get((name, unit))
        yield StageDiff(
            name=name,
            unit=unit,
            dropped_a=first.dropped if first else None,
            dropped_b=second.dropped if second else None,
            left_a=first.left if first else None,
            left_b=second.left if second else None,
        )


def _merged(one: Sequence[K], other: Sequence[K]) -> list[K]:
    """Both in order: what the first lacks stands behind what it follows in the other.

    >>> _merged(["a", "c"], ["a", "b", "c"])
    ['a', 'b', 'c']
    """
    found = list(one)
    at = 0
    for key in other:
        if key in found:
            at = found.index(key) + 1
        else:
            found.insert(at, key)
            at += 1
    return found


def different_members(a: ExportManifest, b: ExportManifest) -> Iterator[MemberDiff]:
    """Runs, models, prompts, sandboxes and graders that only one was made with."""
    one, other = _made_with(a), _made_with(b)
    for what, names in one.items():
        only_a, only_b = names - other[what], other[what] - names
        if only_a or only_b:
            yield MemberDiff(what=what, only_a=tuple(sorted(only_a)), only_b=tuple(sorted(only_b)))


def _made_with(made: ExportManifest) -> dict[str, set[str]]:
    sources = made.sources
    return {
        "models": {name for source in sources for name in source.models},
        "prompts": {f"{one.name} {one.sha256}" for source in sources for one in source.prompts},
        "sandboxes": {name for source in sources for name in source.sandboxes},
        "graders": {name for source in sources for name in source.graders},
        "runs": {source.run for source in sources if source.run is not None},
        "tokens": {made.token_count},
    }
