"""What a training set is to be made of: the recipe of `tir export`. Plain data with its defaults."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from tir_agent.settings.base import Settings
from tir_agent.settings.problems import ProblemSource

__all__ = [
    "Balance",
    "BudgetRule",
    "Contamination",
    "Dialect",
    "ExportKind",
    "ExportRecipe",
    "FilterSettings",
    "PairRule",
    "Pairing",
    "SolutionBudget",
]


class ExportKind(StrEnum):
    """What the set trains."""

    SFT = "sft"
    """Right solutions to imitate."""
    DPO = "dpo"
    """A right and a wrong trajectory of one problem."""
    KTO = "kto"
    """Trajectories, each desirable or not."""
    STEPS = "steps"
    """The turns in which a right and a wrong trajectory part, behind what they share."""


class Dialect(StrEnum):
    """Whose rows they are."""

    TRL = "trl"
    """Conversational, with who wrote what beside the messages: what the training recipes here read."""
    TRL_TEXT = "trl-text"
    """TRL's plain text, rendered by a chat template."""
    LLAMA_FACTORY = "llama-factory"
    OPENRLHF = "openrlhf"
    VERL = "verl"
    MESSAGES = "messages"
    """Chat messages alone, as most tools read them."""
    ATIF = "atif"
    """The agent trajectory interchange format."""


class FilterSettings(Settings):
    """Which filters are on. `docs/filters.md` says what each one drops and whose idea it is.

    Failures of the machinery, verdicts that are neither right nor wrong, and trajectories in which the
    model said nothing are left out always.
    """

    guess_after_error: bool = True
    answer_before_code: bool = True
    no_code: bool = True
    code_and_answer: bool = True
    invented_output: bool = True
    budget_exhausted: bool = True
    repeated_code: bool = True
    last_error: bool = True
    verification_only: bool = False
    duplicates: bool = True
    duplicate_code: bool = False
    all_right: bool = False
    all_wrong: bool = False
    min_pass_rate: float = Field(default=0.0, ge=0, le=1)
    max_pass_rate: float = Field(default=1.0, ge=0, le=1)
    """Problems outside are left out; the rate is that of all graded samples, before other filters."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Conversations of more tokens are left out."""
    per_problem: int | None = Field(default=None, ge=1)
    """At most so many trajectories of a problem, of the right ones and of the wrong ones each."""
    cleanest_first: bool = False
    """Where not all are taken: right ones with the fewest failed cells first, then the shortest; else by
    chance."""

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.min_pass_rate > self.max_pass_rate:
            raise ValueError("min_pass_rate must not exceed max_pass_rate")
        return self


class PairRule(StrEnum):
    """Which right and which wrong trajectory of a problem become a pair."""

    RANDOM = "random"
    """By chance, as in multi-turn iterative preference learning (arXiv:2409.02392)."""
    CLOSEST_LENGTH = "closest-length"
    """The two of the most equal length, so that length is not what is learnt."""
    HARDEST_NEGATIVE = "hardest-negative"
    """The wrong one with the highest reward, and the right one with the highest."""
    SHORTEST_CORRECT = "shortest-correct"
    """The shortest right one, and a wrong one by chance."""
    SAME_PREFIX = "same-prefix"
    """The two that share the most turns; what they share is given to both."""


class Pairing(Settings):
    """How pairs are made."""

    rule: PairRule = PairRule.RANDOM
    per_problem: int = Field(default=1, ge=1)
    """At most so many pairs of a problem. No trajectory is in two of them, but for `steps`."""
    min_prefix: int = Field(default=0, ge=0)
    """Of step pairs: turns that both must share."""


class BudgetRule(StrEnum):
    """How many solutions of a problem are taken for SFT."""

    ALL = "all"
    UNIFORM = "uniform"
    """The same number of each: DART-Uniform (arXiv:2407.13690)."""
    DIFFICULTY = "difficulty"
    """More of a problem the less often it was solved: DART-Prop2Diff."""


class SolutionBudget(Settings):
    """Rejection sampling's budget."""

    rule: BudgetRule = BudgetRule.ALL
    per_problem: int = Field(default=4, ge=1)
    """Solutions of a problem; with `difficulty`: of one that was never solved, in proportion of the others,
    one at the least."""


class Balance(Settings):
    """Of KTO: desirable and undesirable rows."""

    ALL: ClassVar[str] = "all"
    """Says null where null cannot be written, as in TOML."""

    ratio: float | None = Field(default=1.0, gt=0)
    """Undesirable rows for each desirable one; what is too many of either is left out by chance. Null: all
    are kept."""

    @field_validator("ratio", mode="before")
    @classmethod
    def _all_are_kept(cls, value: object) -> object:
        return None if value == cls.ALL else value


class Contamination(Settings):
    """Which problems are too much like those of a benchmark."""

    against: tuple[ProblemSource, ...] = ()
    ngram: int = Field(default=13, ge=1)
    """Words in a row that a problem must share; a shorter problem must be contained as a whole."""


class ExportRecipe(Settings):
    """All that decides what a training set holds, but for the runs."""

    kind: ExportKind
    dialect: Dialect = Dialect.TRL
    seed: int = 0
    validation: float = Field(default=0.0, ge=0, lt=1)
    """Share of the problems that go to the validation split, by their text: the same in every export with
    this seed."""
    filters: FilterSettings = FilterSettings()
    pairing: Pairing = Pairing()
    budget: SolutionBudget = SolutionBudget()
    balance: Balance = Balance()
    contamination: Contamination = Contamination()
    prompt: str | None = None
    """A prompt that stands in the rows in the place of the one that the trajectories were sampled with."""
    tokenizer: str | None = None
    """A folder or a GGUF file whose tokenizer and template count tokens, and render plain text."""
    grades: str | None = None
    """Name of later grades of the runs; null: the trajectories' own."""
    rewards: str | None = None
    """A file of rewards, as `tir eval --reward` reads it."""
    licence: str | None = None
    """For the dataset card: an identifier such as `apache-2.0`."""
