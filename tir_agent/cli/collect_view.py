"""What `tir collect` says before and after: the data, what is left out, what would be run, what came."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tir_agent.collect.arms import prompt_of, server_of
from tir_agent.collect.plans import most
from tir_agent.collect.session import Sifted
from tir_agent.console import printable
from tir_agent.costs import PriceTable
from tir_agent.models.choice import is_embedded
from tir_agent.models.estimate import CHARS_PER_TOKEN
from tir_agent.problems import ProblemSet
from tir_agent.settings import Fixed, Operation, Recipe
from tir_agent.trajectory import Problem

__all__ = ["say_data", "say_plan", "say_sifted"]

_SHOWN = 10
"""Faults of one kind that are named."""
_TURNS = 2
_REPLY_TOKENS = 200
_BYTES = 4_000
"""A trajectory without its texts: settings, environment, numbers."""


def say_data(console: Console, found: ProblemSet) -> None:
    """What the data set was taken for, and what is wrong with it."""
    for line in found.guess.lines():
        _line(console, line)
    _few(console, [f"{fault.where}: {fault.sentence}" for fault in found.faults], "yellow")


def say_sifted(console: Console, sifted: Sifted) -> None:
    """What is left out, and why."""
    if sifted.no_gold:
        _line(console, f"left out: {len(sifted.no_gold)} problems without a gold answer", "yellow")
        _few(console, [_where(problem) for problem in sifted.no_gold], "yellow")
    if sifted.refused:
        count = len(sifted.refused)
        _line(console, f"left out: {count} gold answers that the grader does not accept", "yellow")
        _few(
            console,
            [
                f"{_where(one.problem)}: {one.problem.gold!r} ({one.grade.verdict}: {one.grade.reason})"
                for one in sifted.refused
            ],
            "yellow",
        )


def say_plan(
    console: Console,
    recipe: Recipe,
    operation: Operation,
    problems: tuple[Problem, ...],
    folder: Path,
    prices: PriceTable,
) -> None:
    """What would be run, how large it would be, and what it would cost."""
    plan = recipe.samples
    count = len(problems) * most(plan)
    exact = isinstance(plan, Fixed)
    settings = ", ".join(f"{name} {value}" for name, value in plan if name != "kind")
    _line(console, f"problems: {len(problems):,}")
    _line(console, f"samples of each: {plan.kind} ({settings})")
    _line(console, f"trajectories: {'' if exact else 'at most '}{count:,}")
    for arm in recipe.arms:
        server = server_of(arm, operation)
        prompt = prompt_of(arm)
        sampling = arm.sampling
        place = "in this process's care" if is_embedded(arm.model) else server.base_url or "api.openai.com"
        _line(
            console,
            f"arm {arm.name}: {arm.model} at {place}, prompt {prompt.name} ({prompt.identity.sha256[:12]}), "
            f"temperature {sampling.temperature:g}, weight {arm.weight}",
        )
    _line(console, f"at once: {operation.at_once} trajectories, {operation.kernels} kernels")
    _line(console, f"seed: {recipe.seed}")
    _line(console, f"folder: {folder}")
    _size(console, recipe, operation, problems, count, prices)


def _size(
    console: Console,
    recipe: Recipe,
    operation: Operation,
    problems: tuple[Problem, ...],
    count: int,
    prices: PriceTable,
) -> None:
    """Estimates from the prompts as they stand and from replies of a supposed length."""
    weights = sum(arm.weight for arm in recipe.arms)
    total_bytes = read = 0.0
    cost: float | None = 0.0
    currency = "USD"
    for arm in recipe.arms:
        part = count * arm.weight / weights
        opening = _opening_chars(recipe, problems)[arm.name]
        tokens_in = _TURNS * (opening / CHARS_PER_TOKEN + _REPLY_TOKENS / 2)
        tokens_out = _TURNS * _REPLY_TOKENS
        read += part * tokens_in
        total_bytes += part * (_BYTES + opening + 3 * tokens_out * CHARS_PER_TOKEN)
        price = prices.price_of(arm.model, None if is_embedded(arm.model) else _address(arm.name, operation))
        if price is None:
            cost = cost if is_embedded(arm.model) else None
        elif cost is not None:
            currency = price.currency
            amount = tokens_in * float(price.input) + tokens_out * float(price.output)
            cost += part * amount / 1_000_000
    written = count * _TURNS * _REPLY_TOKENS
    _line(
        console,
        f"supposing {_TURNS} replies of {_REPLY_TOKENS} tokens each: {_many(written)} tokens "
        f"written, {_many(read)} read, {total_bytes / 2**20:,.1f} MiB on disk",
    )
    if cost is None:
        _line(console, "cost: not known (give prices with --prices FILE)")
    else:
        _line(console, f"cost: about {cost:,.2f} {currency}")
    most_tokens = count * recipe.budget.max_model_tokens
    _line(
        console,
        f"and at the very most {_many(most_tokens)} tokens written (budget.max_model_tokens)",
    )


def _many(count: float) -> str:
    return f"{count / 1e6:,.1f} million" if count >= 1e6 else f"{count:,.0f}"


def _address(arm: str, operation: Operation) -> str:
    server = next((one for one in operation.servers if one.arm == arm), None)
    return (server.base_url if server else None) or "https://api.openai.com/v1"


def _opening_chars(recipe: Recipe, problems: tuple[Problem, ...]) -> dict[str, float]:
    """Characters with which a conversation begins, by arm, at the mean over the first problems."""
    some = problems[:50]
    return {
        arm.name: sum(len(message.content) for problem in some for message in prompt_of(arm).opening(problem))
        / max(len(some), 1)
        for arm in recipe.arms
    }


def _where(problem: Problem) -> str:
    return problem.source or problem.id


def _few(console: Console, lines: Iterable[str], style: str) -> None:
    lines = list(lines)
    for line in lines[:_SHOWN]:
        _line(console, f"  {line}", style)
    if len(lines) > _SHOWN:
        _line(console, f"  and {len(lines) - _SHOWN:,} more", style)


def _line(console: Console, text: str, style: str = "dim") -> None:
    console.print(Text(printable(text), style=style), soft_wrap=True)
