"""A row of an export as it is read back: what it says of its trajectories, without the messages.

The messages are not looked into: they are what a trainer reads, in the form of its dialect.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

__all__ = ["Row", "Side", "row_of"]

_DIGEST_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of one trajectory of a row. None: the dialect has no such column."""

    trajectory: str | None = None
    arm: str | None = None
    verdict: str | None = None
    cells: int | None = None
    errors: int | None = None
    tokens: int | None = None
    model_tokens: int | None = None
    reward: float | None = None


_NOTHING: Final = Side()
Count: TypeAlias = Annotated[int, Field(ge=0, le=2**53)] | None


@dataclass(frozen=True, slots=True)
class Row:
    """One example."""

    id: str
    """Its own, or the digest of its line where the dialect has no ids."""
    digest: bytes
    """Of its line: equal where all of the row is."""
    problem: str | None
    """The problem's id."""
    side: Side | None
    """Of SFT and KTO."""
    chosen: Side | None
    rejected: Side | None
    label: bool | None
    margin: float | None
    prefix_turns: int | None

    @property
    def sides(self) -> tuple[Side, ...]:
        """Those of which something is known."""
        return tuple(side for side in (self.side, self.chosen, self.rejected) if side is not None)


class _Line(BaseModel):
    """The columns that are read."""

    # JSON as Python writes it may hold NaN, of which no statistics can be made.
    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

    id: str | None = None
    problem_id: str | None = None
    label: bool | None = None
    margin: float | None = None
    prefix_turns: Count = None
    trajectory: str | None = None
    arm: str | None = None
    verdict: str | None = None
    cells: Count = None
    errors: Count = None
    tokens: Count = None
    model_tokens: Count = None
    reward: float | None = None
    chosen_trajectory: str | None = None
    chosen_arm: str | None = None
    chosen_verdict: str | None = None
    chosen_cells: Count = None
    chosen_errors: Count = None
    chosen_tokens: Count = None
    chosen_model_tokens: Count = None
    chosen_reward: float | None = None
    rejected_trajectory: str | None = None
    rejected_arm: str | None = None
    rejected_verdict: str | None = None
    rejected_cells: Count = None
    rejected_errors: Count = None
    rejected_tokens: Count = None
    rejected_model_tokens: Count = None
    rejected_reward: float | None = None


def row_of(line: bytes, *, own_columns: bool) -> Row:
    """Read a line of JSON.

    `own_columns` says that columns have the types that they have here; without it, one of another type is
    another trainer's column by the same name, and is not looked at.

    Raises:
        ValueError: it is no row.
    """
    found = _Line.model_validate_json(line) if own_columns else _foreign(line)
    digest = blake2b(line.strip(), digest_size=_DIGEST_BYTES).digest()
    return Row(
        id=digest.hex() if found.id is None else found.id,
        digest=digest,
        problem=found.problem_id,
        side=_known(
            Side(
                found.trajectory,
                found.arm,
                found.verdict,
                found.cells,
                found.errors,
                found.tokens,
                found.model_tokens,
                found.reward,
            )
        ),
        chosen=_known(
            Side(
                found.chosen_trajectory,
                found.chosen_arm,
                found.chosen_verdict,
                found.chosen_cells,
                found.chosen_errors,
                found.chosen_tokens,
                found.chosen_model_tokens,
                found.chosen_reward,
            )
        ),
        rejected=_known(
            Side(
                found.rejected_trajectory,
                found.rejected_arm,
                found.rejected_verdict,
                found.rejected_cells,
                found.rejected_errors,
                found.rejected_tokens,
                found.rejected_model_tokens,
                found.rejected_reward,
            )
        ),
        label=found.label,
        margin=found.margin,
        prefix_turns=found.prefix_turns,
    )


def _foreign(line: bytes) -> _Line:
    try:
        return _Line.model_validate_json(line)
    except ValidationError as error:
        table = from_json(line)
        if not isinstance(table, dict):
            raise
        for wrong in error.errors(include_url=False, include_input=False):
            table.pop(wrong["loc"][0], None)
        return _Line.model_validate(table)


def _known(side: Side) -> Side | None:
    return None if side == _NOTHING else side
