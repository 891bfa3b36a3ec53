"""What a run cost: tokens counted by the server, times a table of prices.

Covered: prices for tokens read, read from a cache, and written. Not covered: discounts, surcharges, taxes,
and requests that failed and were billed all the same, since nobody says what those took.
"""

from __future__ import annotations

import math
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from tir_agent.assets import prices_file
from tir_agent.errors import PriceError
from tir_agent.trajectory import Completion, Cost, Currency, Usage

__all__ = ["Price", "PriceTable", "RunTotal", "cost", "total"]

_MILLION: Final = 1_000_000
_HINT: Final = "docs/costs.md describes the form of the file"
_Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Section):
    """What a million tokens cost."""

    models: tuple[Annotated[StrictStr, Field(min_length=1)], ...] = Field(min_length=1)
    """Names of models, or patterns with `*` and `?`."""
    input: _Amount
    cached_input: _Amount | None = None
    """Null: as `input`."""
    output: _Amount
    currency: Currency
    as_of: date
    """The day on which this was the price."""
    source: str
    """Where it was found."""


class _File(_Section):
    price: tuple[Price, ...] = ()


@dataclass(frozen=True)
class PriceTable:
    """Prices by patterns of models' names. Those of the first file go before those of the next."""

    shipped: Mapping[str, Price]
    own: Mapping[str, Price] = field(default_factory=dict)
    """The user's, which go before the shipped ones."""

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read the prices that ship with tir-agent, and before them those in the user's file.

        Raises:
            PriceError: a file cannot be read, or is not a table of prices; says where.
        """
        return cls(_read(prices_file()), {} if path is None else _read(path))

    def price_of(self, model: str, base_url: str | None) -> Price | None:
        """The price of a model where it is served at `base_url`; None where it is not known.

        A model in this program's own care (`base_url` is None) has no price, whatever it is called, and one
        on this machine only the user's own. Of several patterns that fit, the one with the most letters
        is taken, and a plain name before any pattern.
        """
        if base_url is None:
            return None
        for prices in (self.own,) if _is_local(base_url) else (self.own, self.shipped):
            fitting = [pattern for pattern in prices if pattern == model or fnmatchcase(model, pattern)]
            if fitting:
                return prices[max(fitting, key=lambda pattern: (pattern == model, _letters(pattern)))]
        return None


def cost(price: Price, completions: Iterable[Completion]) -> Cost:
    """What the replies cost: tokens from the cache at their own price, thinking as other output."""
    amount = Decimal(0)
    estimated = False
    cached_price = price.input if price.cached_input is None else price.cached_input
    for completion in completions:
        cached = min(completion.cached_tokens, completion.prompt_tokens)
        amount += (completion.prompt_tokens - cached) * price.input
        amount += cached * cached_price
        amount += completion.completion_tokens * price.output
        estimated = estimated or completion.estimated
    return Cost(
        amount=float(amount / _MILLION), currency=price.currency, as_of=price.as_of, estimated=estimated
    )


@dataclass(frozen=True)
class RunTotal:
    """Sums over many runs."""

    runs: int = 0
    turns: int = 0
    cells: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Part of `prompt_tokens`."""
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    """Part of `completion_tokens`."""
    costs: tuple[Cost, ...] = ()
    """One for each currency, in the alphabet's order; `as_of` is the oldest price's."""
    unpriced: int = 0
    """Runs whose price is not known, and which are not in `costs`."""


def total(usages: Iterable[Usage]) -> RunTotal:
    """Add up runs, each currency for itself."""
    usages = tuple(usages)
    by_currency: defaultdict[str, list[Cost]] = defaultdict(list)
    for usage in usages:
        if usage.cost is not None:
            by_currency[usage.cost.currency].append(usage.cost)
    return RunTotal(
        runs=len(usages),
        turns=sum(usage.turns for usage in usages),
        cells=sum(usage.cells for usage in usages),
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
        costs=tuple(_sum(by_currency[currency]) for currency in sorted(by_currency)),
        unpriced=sum(usage.cost is None for usage in usages),
    )


def _sum(costs: list[Cost]) -> Cost:
    return Cost(
        amount=math.fsum(cost.amount for cost in costs),
        currency=costs[0].currency,
        as_of=min(cost.as_of for cost in costs),
        estimated=any(cost.estimated for cost in costs),
    )


def _read(path: Path) -> dict[str, Price]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        prices = _File.model_validate(content).price
    except OSError as error:
        raise PriceError(f"Cannot read the price file {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise PriceError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise PriceError(f"{path}: {error}", hint=_HINT) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise PriceError(f"{path}: {_place(first['loc'])}: {first['msg']}", hint=_HINT) from None
    table: dict[str, Price] = {}
    for price in prices:
        for pattern in price.models:
            if pattern in table:
                raise PriceError(f"{path}: there are two prices for {pattern!r}", hint=_HINT)
            table[pattern] = price
    return table


def _place(location: tuple[int | str, ...]) -> str:
    """Where in the file, as a person counts.

    >>> _place(("price", 0, "models", 1))
    'price 1, models 2'
    """
    words = [str(part + 1) if isinstance(part, int) else part for part in location]
    return " ".join(
        f"{word}," if position + 1 < len(words) and isinstance(location[position], int) else word
        for position, word in enumerate(words)
    )


def _letters(pattern: str) -> int:
    return sum(letter not in "*?" for letter in pattern)


def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
