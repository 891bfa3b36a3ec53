"""What `export.json` says of a training set: recipe, sources, and the account of what became of everything.

Nothing in it depends on when or where it was made: the same runs and recipe give the same bytes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from tir_agent.messages import Record
from tir_agent.settings import ExportRecipe
from tir_agent.trajectory import PromptIdentity

__all__ = [
    "FORMAT",
    "MANIFEST",
    "VERSION",
    "DataFile",
    "ExportManifest",
    "Overlap",
    "ProblemCounts",
    "Source",
    "Split",
    "SplitCounts",
    "Stage",
    "Unit",
    "Waterfall",
    "Weights",
]

MANIFEST: Final = "export.json"
"""Name of the file."""
FORMAT: Final = "tir-agent/export"
VERSION: Final = 1


class Split(StrEnum):
    """Part of the set."""

    TRAIN = "train"
    VALIDATION = "validation"


class Unit(StrEnum):
    """What a stage of the waterfall counts."""

    TRAJECTORIES = "trajectories"
    EXAMPLES = "examples"


class Stage(Record):
    """A filter or a choice, in the order in which they were made."""

    name: str
    """Of the filter or rule, as `docs/filters.md` names it."""
    unit: Unit
    dropped: int = Field(ge=0)
    """Each thing is counted once: by the first stage that drops it."""
    right: int = Field(default=0, ge=0)
    """Those of the dropped trajectories that were right."""
    left: int = Field(ge=0)
    """What went on to the next stage."""
    both: int | None = Field(default=None, ge=0)
    """Problems of which right and wrong trajectories are left; null where examples are counted."""


class Waterfall(Record):
    """The account of everything that was read."""

    read: int = Field(ge=0)
    """Trajectories, failures included."""
    right: int = Field(ge=0)
    """Those that were graded as right."""
    stages: tuple[Stage, ...]


class ProblemCounts(Record):
    """Problems by what their decided trajectories were, before filters and in the set."""

    read: int = Field(ge=0)
    both: int = Field(ge=0)
    """With right and wrong ones."""
    all_right: int = Field(ge=0)
    all_wrong: int = Field(ge=0)
    undecided: int = Field(ge=0)
    """With neither."""
    left: int = Field(ge=0)
    """Those of which the set has an example."""


class Source(Record):
    """A run that was read."""

    name: str
    run: str | None = None
    """Its id, where it is a run."""
    trajectories: int = Field(ge=0)
    failures: int = Field(ge=0)
    unreadable: int = Field(default=0, ge=0)
    """Lines of it that are no trajectories; they are in no other count."""
    models: tuple[str, ...] = ()
    prompts: tuple[PromptIdentity, ...] = ()
    sandboxes: tuple[str, ...] = ()
    """Images or environments in which the code ran."""
    graders: tuple[str, ...] = ()


class SplitCounts(Record):
    """What a split holds."""

    split: Split
    examples: int = Field(ge=0)
    problems: int = Field(ge=0)
    """Those with an example."""
    tokens: int = Field(ge=0)
    """Of all conversations, counted as the recipe says."""
    model_tokens: int = Field(ge=0)
    desirable: int | None = None
    """Of KTO rows."""


class DataFile(Record):
    """A file of the set."""

    path: str
    """From the set's folder, with slashes."""
    sha256: str
    bytes: int = Field(ge=0)


class Overlap(Record):
    """A problem that was left out for being too much like a benchmark's."""

    problem: str
    """Its id."""
    benchmark: str
    line: str
    """Where the benchmark's problem stands."""
    shared: str
    """The words that both have."""


class Weights(Record):
    """KTO's loss weights for which (desirable weight x desirable rows) / (undesirable weight x undesirable
    rows) lies between 1 and 4/3 (arXiv:2402.01306, section 4.2)."""

    desirable: tuple[float, float]
    """The range, where the undesirable weight is 1."""
    undesirable: tuple[float, float]
    """The range, where the desirable weight is 1."""


class ExportManifest(Record):
    """The whole of `export.json`."""

    format: Literal["tir-agent/export"] = FORMAT
    version: Literal[1] = VERSION
    tir_agent: str
    """The version that made it."""
    recipe: ExportRecipe
    sources: tuple[Source, ...]
    waterfall: Waterfall
    problems: ProblemCounts
    splits: tuple[SplitCounts, ...]
    files: tuple[DataFile, ...]
    weights: Weights | None = None
    overlaps: tuple[Overlap, ...] = ()
    token_count: str
    """How tokens were counted: a tokenizer's name, `server` or `estimated`."""
