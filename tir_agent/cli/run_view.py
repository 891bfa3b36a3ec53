"""A run's manifest and counts in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue

from tir_agent.settings import Arm
from tir_agent.store import Counts, Imported, Manifest, folder_bytes

__all__ = ["counts_of", "describe", "size"]

Name = TypeVar("Name", bound=str | None)


def size(count: int) -> str:
    """Bytes in a unit that suits them.

    >>> size(999), size(1_500_000)
    ('999 B', '1.5 MB')
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def describe(folder: Path, manifest: Manifest, counts: Counts) -> Iterator[tuple[str, str]]:
    """Pairs of a name and a line of text."""
    recipe = manifest.recipe
    yield "run", f"{folder.name} ({manifest.id})"
    yield "folder", f"{folder}, {size(folder_bytes(folder))}"
    yield "created", f"{manifest.created:%Y-%m-%d %H:%M:%S %Z} by tir-agent {manifest.tir_agent}"
    for part in manifest.parts:
        yield "merged of", f"{part.name} ({part.manifest.id})"
    if manifest.imported is not None:
        yield from _imported(manifest.imported)
    source = recipe.problems
    words = [source.path, source.subset, source.split, *source.filters]
    yield "problems", f"{manifest.problems.count} of {', '.join(word for word in words if word)}"
    for arm in recipe.arms:
        yield "arm", arm.name if manifest.imported is not None else _arm(arm)
    for prompt in manifest.prompts:
        yield "prompt", f"{prompt.arm}: {prompt.name} (sha256 {prompt.sha256[:12]})"
    if manifest.imported is None:
        plan = recipe.samples.model_dump(exclude={"kind"})
        yield "samples", f"{recipe.samples.kind} ({_pairs(plan)})"
    changed = recipe.model_dump(mode="json", exclude_defaults=True, include={"budget", "limits", "stages"})
    for name, fields in changed.items():
        yield name, _pairs(fields)
    if manifest.imported is None:
        yield "seed", str(recipe.seed)
    for writing in manifest.writings:
        host = writing.host
        yield (
            "written by",
            f"process {writing.pid} on {host.name} ({host.processors} processors), "
            f"{writing.started:%Y-%m-%d %H:%M:%S}, tir-agent {writing.tir_agent}, Python {writing.python}",
        )
    expected = "" if manifest.expected is None else f" of {manifest.expected}"
    yield "done", f"{counts.done}{expected}"
    yield "verdicts", _counter(counts.verdicts)
    yield "stops", _counter(counts.stops)
    if len(counts.arms) > 1:
        yield "arms", _counter(counts.arms)
    yield "failures", _counter(counts.failures)
    yield "tokens", f"{counts.completion_tokens:,} written by the model"
    yield "time", f"{counts.seconds:,.0f} seconds, summed"
    if counts.cost is not None:
        yield "cost", f"{counts.cost:.2f}"


def counts_of(counts: Counts) -> dict[str, JsonValue]:
    """The counts as plain data."""
    return {
        "done": counts.done,
        "correct": counts.correct,
        "stops": _plain(counts.stops),
        "verdicts": _plain(counts.verdicts),
        "arms": _plain(counts.arms),
        "failures": _plain(counts.failures),
        "completion_tokens": counts.completion_tokens,
        "seconds": counts.seconds,
        "cost": counts.cost,
    }


def _imported(imported: Imported) -> Iterator[tuple[str, str]]:
    for file in imported.files:
        yield "imported", f"{file.name} (sha256 {file.sha256[:12]}), read as {imported.layout}"


def _arm(arm: Arm) -> str:
    sampling = _pairs(arm.sampling.model_dump(mode="json", exclude_defaults=True))
    prompt = f", prompt {arm.prompt}" if arm.prompt else ""
    weight = f", weight {arm.weight}" if arm.weight > 1 else ""
    return f"{arm.name}: {arm.model}{prompt}{weight} ({sampling or 'greedy'})"


def _pairs(fields: dict[str, JsonValue]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def _plain(counter: Counter[Name]) -> dict[str, JsonValue]:
    return {str(name) if name is not None else "none": number for name, number in counter.most_common()}


def _counter(counter: Counter[Name]) -> str:
    return ", ".join(f"{number} {name}" for name, number in _plain(counter).items()) or "none"
