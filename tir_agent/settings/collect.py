"""What a collection is (the recipe) and how it is carried out (the operation). Plain data with its defaults.

A run that is resumed must have the recipe with which it began; its operation may change.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tir_agent.settings.base import Settings
from tir_agent.settings.problems import ProblemSource
from tir_agent.settings.run import Budget, Isolation, KernelChoice, Limits, RateLimits, Sampling, Stages

__all__ = [
    "Arm",
    "Fixed",
    "Fsync",
    "Operation",
    "Pairs",
    "Proportional",
    "Recipe",
    "SamplePlan",
    "Server",
    "Storage",
    "UntilCorrect",
    "Vote",
]


class Fixed(Settings):
    """The same number of samples for every problem."""

    kind: Literal["fixed"] = "fixed"
    samples: int = Field(default=1, ge=1)


class UntilCorrect(Settings):
    """Until `correct` samples are right, or `at_most` were drawn: DART's "uniform" (arXiv:2407.13690)."""

    kind: Literal["until_correct"] = "until_correct"
    correct: int = Field(default=4, ge=1)
    at_most: int = Field(default=32, ge=1)

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.at_most < self.correct:
            raise ValueError(f"at most {self.at_most} samples cannot hold {self.correct} right ones")
        return self


class Proportional(Settings):
    """More right samples the harder the problem is: DART's "prop2diff" (arXiv:2407.13690).

    The part of the first `pilot` samples that is not right, times `correct`, is how many right ones are
    wanted of a problem, one at the least.
    """

    kind: Literal["proportional"] = "proportional"
    correct: int = Field(default=8, ge=1)
    """Right samples of a problem that none of the pilot solved."""
    pilot: int = Field(default=4, ge=1)
    at_most: int = Field(default=32, ge=1)

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.at_most < self.pilot:
            raise ValueError("at_most must not be less than pilot")
        return self


class Pairs(Settings):
    """Until there are `right` right and `wrong` wrong samples, or `at_most` were drawn."""

    kind: Literal["pairs"] = "pairs"
    right: int = Field(default=1, ge=0)
    wrong: int = Field(default=1, ge=0)
    at_most: int = Field(default=16, ge=1)

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.at_most < self.right + self.wrong:
            raise ValueError(
                f"at most {self.at_most} samples cannot hold {self.right} right and {self.wrong} wrong"
            )
        return self


class Vote(Settings):
    """Until no sample to come could change which answer has the most votes, or `at_most` were drawn."""

    kind: Literal["vote"] = "vote"
    at_least: int = Field(default=3, ge=1)
    at_most: int = Field(default=16, ge=1)


SamplePlan = Annotated[Fixed | UntilCorrect | Proportional | Pairs | Vote, Field(discriminator="kind")]


class Arm(Settings):
    """One of the models, checkpoints or prompts that a collection mixes."""

    name: str = Field(min_length=1)
    model: str
    prompt: str | None = None
    """Name or file; null: `tir_fewshot` for the embedded model, else `tir`."""
    sampling: Sampling = Sampling(temperature=1.0)
    """The seed, where there is one, is this side's to choose: each sample has its own."""
    weight: int = Field(default=1, ge=1)
    """Its part of the samples of each problem: 20 and 10 make two of three samples the first's."""


class Recipe(Settings):
    """What is collected."""

    problems: ProblemSource
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)]
    samples: SamplePlan = Fixed()
    seed: int = Field(default=0, ge=0)
    """The seeds of all samples come from it."""
    tokens: bool = False
    budget: Budget = Budget()
    limits: Limits = Limits()
    stages: Stages = Stages()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ValueError("the arms' names must differ")
        return self


class Server(Settings):
    """Where the model of an arm is served."""

    arm: str
    """Its name."""
    base_url: str | None = None
    api_key_env: str | None = None
    """Name of the environment variable that holds the key."""
    limits: RateLimits = RateLimits()


class Fsync(StrEnum):
    """When what was written is forced onto the disk."""

    ALWAYS = "always"
    """Before a trajectory counts as done. Those that end at the same time share one sync."""
    INTERVAL = "interval"
    """Once a second: a power cut loses the last second's, a killed process nothing."""
    NEVER = "never"
    """When the system likes: a power cut may lose half a minute's, a killed process nothing."""


class Storage(Settings):
    """How the log is kept."""

    fsync: Fsync = Fsync.ALWAYS
    compress: bool = False
    """Shards are compressed with zstd."""
    shard_bytes: int = Field(default=256 * 2**20, ge=1)
    """A new shard is begun when one has grown to this."""


class Operation(Settings):
    """How a collection is carried out. None of it changes what is collected."""

    servers: tuple[Server, ...] = ()
    at_once: int = Field(default=64, ge=1)
    """Trajectories under way at the same time."""
    kernels: int = Field(default=64, ge=1)
    """Live kernels at the same time, on each machine."""
    cells: int | None = Field(default=None, ge=1)
    """Cells that run at the same time, on each machine; null: twice its processors."""
    free_memory_bytes: int = Field(default=2 * 2**30, ge=0)
    """Nothing new is begun while the machine has less than this to spare."""
    kernel: KernelChoice = KernelChoice.AUTO
    isolation: Isolation = Isolation.SESSION
    runtime: str | None = None
    retries: int = Field(default=3, ge=0)
    """Times that a trajectory which the machinery failed is begun again."""
    patience: float = Field(default=600.0, ge=0)
    """Seconds without any success, while the machinery fails, after which the run is given up."""
    storage: Storage = Storage()
