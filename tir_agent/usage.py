"""What a run took: tokens, money, time. Plain data, a part of the trajectory."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from tir_agent.messages import Record

__all__ = ["Cost", "Currency", "Timings", "Usage"]

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""ISO 4217: USD, EUR, CNY."""


class Cost(Record):
    """Money, as far as a table of prices tells."""

    amount: float = Field(ge=0)
    currency: Currency
    as_of: date
    """The day on which the price was right."""
    estimated: bool = False
    """True where the server gave no token counts for some of it."""


class Usage(Record):
    """Sums over the run, given-up attempts and critics included."""

    turns: int = 0
    cells: int = 0
    completion_tokens: int = 0
    """Tokens that the model wrote."""
    prompt_tokens: int = 0
    """Tokens that the model read, summed over requests."""
    cached_tokens: int = Field(default=0, ge=0)
    """Those of `prompt_tokens` that the server had kept from earlier requests."""
    reasoning_tokens: int = Field(default=0, ge=0)
    """Those of `completion_tokens` that were thinking."""
    cost: Cost | None = None
    """Of the replies in `turns`; null where the model's price is not known. Requests that failed and were
    tried again are not in it: whether they were billed, and for how much, is not known."""
    context_tokens: int = 0
    """Length of the conversation at the end: prompt, replies and observations."""


class Timings(Record):
    """When, and for how long."""

    started: datetime
    duration: float = Field(ge=0)
    model: float = Field(ge=0)
    """Seconds spent waiting for the model."""
    kernel: float = Field(ge=0)
    """Seconds spent waiting for the kernel, its start included."""
    queued: float = Field(default=0.0, ge=0)
    """Seconds spent waiting for a turn to ask the model, or to have a kernel or a processor, among the runs
    of one collection. In none of the budgets, and not in `model` and `kernel`."""
