"""Where problems come from, and which of them are taken."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tir_agent.settings.base import Settings

__all__ = ["FieldMap", "GoldForm", "ProblemSource"]


class GoldForm(StrEnum):
    """Where in its field the gold answer stands."""

    AUTO = "auto"
    """Found out from the data."""
    PLAIN = "plain"
    """It is all of the field."""
    HASHES = "hashes"
    """Behind the last `####`, as in GSM8K."""
    BOXED = "boxed"
    """In the last `\\\\boxed{}` of a solution, as in MATH."""


class FieldMap(Settings):
    """Which fields of a data set are what. Null: guessed from their names and contents.

    A field inside another is written with dots: `reward_model.ground_truth`.
    """

    text: tuple[str, ...] | None = None
    """Fields that make up the problem, joined by a blank. Of a list of messages, a user's is taken."""
    gold: str | None = None
    gold_form: GoldForm = GoldForm.AUTO
    id: str | None = None
    subject: str | None = None
    level: str | None = None
    choices: tuple[str, ...] | None = None
    """A field that holds them all, or one for each in order."""


class ProblemSource(Settings):
    """A data set and a part of it."""

    path: str
    """A file, a folder that `datasets` saved, or a data set's name on the Hugging Face hub."""
    split: str | None = None
    """Null: the only one there is, or else `test`, `validation`, `train`, whichever comes first."""
    subset: str | None = None
    """Configuration of a data set on the hub."""
    fields: FieldMap = FieldMap()
    keep_duplicates: bool = False
    """Problems that are in the data several times are taken as often; else once."""
    filters: tuple[str, ...] = ()
    """Conditions, all of which must hold: `level>=4`, `subject=Algebra`, `text~train` (docs/problems.md)."""
    shuffle: bool = False
    seed: int = 0
    """For the order, where it is shuffled."""
    limit: int | None = Field(default=None, ge=1)
    """Problems that are taken, after filtering and shuffling."""
