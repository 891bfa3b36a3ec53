"""What is said of an export that was made."""

from __future__ import annotations

from collections.abc import Iterator

from tir_agent.cli.grid import Grid
from tir_agent.cli.waterfall import waterfall_grid
from tir_agent.export.ledger import amount
from tir_agent.export.manifest import ExportManifest, Weights

__all__ = ["grids", "notes"]


def grids(manifest: ExportManifest) -> list[Grid]:
    """The waterfall, and what the splits hold."""
    return [waterfall_grid(manifest.waterfall), _splits(manifest)]


def _splits(manifest: ExportManifest) -> Grid:
    rows = [
        (
            one.split.value,
            f"{one.examples:,}",
            f"{one.problems:,}",
            f"{one.tokens:,}",
            f"{one.model_tokens:,}",
            "-" if one.desirable is None else f"{one.desirable:,}",
        )
        for one in manifest.splits
    ]
    return Grid(
        "Set",
        ("split", "examples", "problems", "tokens", "of the model", "desirable"),
        tuple(rows),
    )


def notes(manifest: ExportManifest) -> Iterator[str]:
    """Sentences about the problems, and what a trainer should be told."""
    counts = manifest.problems
    yield (
        f"{amount(counts.read, 'problem')}: {counts.both:,} with right and wrong trajectories, "
        f"{counts.all_right:,} all right, {counts.all_wrong:,} all wrong, {counts.undecided:,} undecided; "
        f"of {amount(counts.left, 'problem')} the set has examples"
    )
    unreadable = sum(source.unreadable for source in manifest.sources)
    if unreadable:
        yield f"{amount(unreadable, 'line')} could not be read as a trajectory, and is in no count above"
    if manifest.weights is not None:
        yield _weights(manifest.weights)
    if manifest.overlaps:
        yield f"{len(manifest.overlaps):,} problems are too much like a benchmark's: see README.md of the set"


def _weights(weights: Weights) -> str:
    (least, most), (low, high) = weights.desirable, weights.undesirable
    return (
        f"KTO's weights: desirable {least:.2f} to {most:.2f} with undesirable 1, "
        f"or undesirable {low:.2f} to {high:.2f} with desirable 1"
    )
