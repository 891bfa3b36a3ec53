"""What a run is: its recipe, its prompts, its problems, and who wrote it. Plain data."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Final, Literal, Self

from pydantic import Field

from tir_agent import __version__
from tir_agent.messages import Record
from tir_agent.settings import Fixed, Operation, Recipe

__all__ = [
    "FORMAT",
    "VERSION",
    "ArmPrompt",
    "Draft",
    "Host",
    "Imported",
    "ImportedFile",
    "Manifest",
    "Part",
    "ProblemSet",
    "Writing",
]

FORMAT: Final = "tir-agent/run"
VERSION: Final = 1


class ArmPrompt(Record):
    """The prompt file that an arm used."""

    arm: str
    name: str
    sha256: str
    """Of the file's bytes."""


class ProblemSet(Record):
    """Which problems: the content of `problems.jsonl`."""

    count: int = Field(ge=0)
    sha256: str
    """Of that file's bytes."""


class Host(Record):
    """A machine."""

    name: str
    platform: str
    processors: int
    memory_bytes: int

    @classmethod
    def here(cls) -> Self:
        """The one that this is."""
        return cls(
            name=platform.node(),
            platform=platform.platform(),
            processors=os.cpu_count() or 1,
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        )


class Writing(Record):
    """A process that wrote the run, or a part of it."""

    started: datetime
    pid: int
    tir_agent: str
    python: str
    host: Host
    operation: Operation

    @classmethod
    def now(cls, operation: Operation) -> Self:
        """This process."""
        return cls(
            started=datetime.now(UTC),
            pid=os.getpid(),
            tir_agent=__version__,
            python=platform.python_version(),
            host=Host.here(),
            operation=operation,
        )


class ImportedFile(Record):
    """A file of recorded trajectories."""

    name: str
    """Without its folder."""
    sha256: str
    """Of its bytes."""


class Imported(Record):
    """Where the trajectories of a run come from that was not collected here."""

    files: tuple[ImportedFile, ...]
    layout: str
    """As which they were read: `mathcoder`, `mint`, `tora`, `messages`, or `auto`, each row as what it is."""
    model: str | None = None
    """The arm of those that do not name their model, where the user gave one."""
    limit: int | None = None
    """The most trajectories that are taken."""
    trajectories: int = Field(ge=0)
    """Those that a finished import has."""


class Draft(Record):
    """What a run is to be, before it has a folder."""

    recipe: Recipe
    prompts: tuple[ArmPrompt, ...] = ()
    """One for each arm."""
    operation: Operation = Operation()
    imported: Imported | None = None


class Part(Record):
    """A run that was merged into another."""

    name: str
    """Of its folder."""
    manifest: Manifest


class Manifest(Record):
    """What `run.json` holds."""

    format: Literal["tir-agent/run"] = FORMAT
    version: Literal[1] = VERSION
    id: str
    """32 hexadecimal digits, new for each run."""
    created: datetime
    tir_agent: str
    """The version that made it; so is `python`."""
    python: str
    recipe: Recipe
    prompts: tuple[ArmPrompt, ...]
    problems: ProblemSet
    writings: tuple[Writing, ...]
    """In the order in which they began."""
    parts: tuple[Part, ...] = ()
    """The runs that were merged; `recipe` is then the first one's, with the arms of all."""
    imported: Imported | None = None
    """Null for a run that was collected. Of the `recipe` of another one only the problems' file, the arms'
    names and models, and the most samples of a problem and arm say something."""

    @property
    def expected(self) -> int | None:
        """Trajectories that a finished run has; None where the plan depends on what comes out."""
        if self.parts:
            counts = [part.manifest.expected for part in self.parts]
            known = [count for count in counts if count is not None]
            return sum(known) if len(known) == len(counts) else None
        if self.imported is not None:
            return self.imported.trajectories
        samples = self.recipe.samples
        return samples.samples * self.problems.count if isinstance(samples, Fixed) else None
