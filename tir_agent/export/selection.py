"""From the candidates of one problem to examples: group filters, then what the kind of set asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import assert_never

from tir_agent.export.ledger import Ledger
from tir_agent.export.manifest import Unit
from tir_agent.export.spool import Counted
from tir_agent.preferences import Candidate, Example, Labelled, Pair, Solution
from tir_agent.preferences.budget import solutions
from tir_agent.preferences.draws import draw_for
from tir_agent.preferences.groups import group_stages
from tir_agent.preferences.pairs import Couple, couples, steps
from tir_agent.settings import ExportKind, ExportRecipe, PairRule

__all__ = ["Selection", "identity_of", "needs_rewards"]

WRONG = "wrong"
"""Not right, where right ones alone are wanted."""
BUDGET = "budget"
NO_COUNTERPART = "no_counterpart"
"""Of a problem of which nothing is left that is right, or nothing that is wrong."""
UNPAIRED = "unpaired"
EXAMPLES = "examples"


class Selection:
    """Makes the examples of one problem after the other."""

    def __init__(self, recipe: ExportRecipe, ledger: Ledger) -> None:
        self._recipe = recipe
        self._ledger = ledger
        self._stages = group_stages(recipe.filters)
        ledger.announce(*(stage.name for stage in self._stages))
        match recipe.kind:
            case ExportKind.SFT:
                ledger.announce(WRONG, BUDGET)
            case ExportKind.DPO | ExportKind.STEPS:
                ledger.announce(NO_COUNTERPART, UNPAIRED)
            case ExportKind.KTO:
                pass
            case _:
                assert_never(recipe.kind)
        ledger.announce(EXAMPLES, unit=Unit.EXAMPLES)

    def examples(self, counted: Counted, candidates: list[Candidate]) -> Iterator[Example]:
        """Those that are made of these candidates, in an order that the seed decides."""
        seed, key = self._recipe.seed, counted.key
        for stage in self._stages:
            left = stage.keep(candidates, counted.rate, draw_for(seed, key, stage.name))
            self._account(stage.name, candidates, left)
            candidates = left
        for example in self._made(counted, candidates):
            self._ledger.examples += 1
            yield example

    def _made(self, counted: Counted, candidates: list[Candidate]) -> Iterator[Example]:
        match self._recipe.kind:
            case ExportKind.SFT:
                yield from self._solutions(counted, candidates)
            case ExportKind.KTO:
                for one in candidates:
                    identity = identity_of("kto", one)
                    yield Labelled(id=identity, problem=counted.problem, side=one, label=one.right)
            case ExportKind.DPO | ExportKind.STEPS:
                yield from self._pairs(counted, candidates)
            case _:
                assert_never(self._recipe.kind)

    def _solutions(self, counted: Counted, candidates: list[Candidate]) -> Iterator[Example]:
        right = [one for one in candidates if one.right]
        self._account(WRONG, candidates, right)
        taken = solutions(
            right,
            self._recipe.budget,
            counted.rate,
            draw_for(self._recipe.seed, counted.key, BUDGET),
            cleanest_first=self._recipe.filters.cleanest_first,
        )
        self._account(BUDGET, right, taken)
        for one in taken:
            yield Solution(id=identity_of("sft", one), problem=counted.problem, side=one)

    def _pairs(self, counted: Counted, candidates: list[Candidate]) -> Iterator[Example]:
        if len({one.right for one in candidates}) < 2:
            self._account(NO_COUNTERPART, candidates, [])
            return
        recipe = self._recipe
        draw = draw_for(recipe.seed, counted.key, UNPAIRED)
        whole = recipe.kind is ExportKind.DPO
        found = (couples if whole else steps)(candidates, recipe.pairing, draw)
        used = {one.trajectory for couple in found for one in (couple.right, couple.wrong)}
        self._account(UNPAIRED, candidates, [one for one in candidates if one.trajectory in used])
        for couple in found:
            yield self._pair(counted, couple)

    def _pair(self, counted: Counted, couple: Couple) -> Pair:
        right, wrong, turns = couple
        rewards = right.reward, wrong.reward
        margin = rewards[0] - rewards[1] if rewards[0] is not None and rewards[1] is not None else None
        whole = self._recipe.kind is ExportKind.DPO
        return Pair(
            kind="dpo" if whole else "steps",
            id=identity_of("dpo" if whole else "steps", right, wrong),
            problem=counted.problem,
            chosen=right,
            rejected=wrong,
            margin=margin,
            prefix_turns=turns,
        )

    def _account(self, stage: str, before: list[Candidate], after: list[Candidate]) -> None:
        left = {one.trajectory for one in after}
        for one in before:
            if one.trajectory not in left:
                self._ledger.drop(stage, right=one.right)


def identity_of(kind: str, *sides: Candidate) -> str:
    """16 hexadecimal digits that hang on which trajectories these are, and from where to where."""
    words = [kind]
    for side in sides:
        conversation = side.conversation
        words += [side.trajectory, str(conversation.opening), str(len(conversation.messages))]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def needs_rewards(recipe: ExportRecipe) -> bool:
    """Whether the recipe cannot be followed without rewards."""
    return recipe.kind is ExportKind.DPO and recipe.pairing.rule is PairRule.HARDEST_NEGATIVE
