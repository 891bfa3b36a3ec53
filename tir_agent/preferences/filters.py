"""The filters of single trajectories: which there are, and which a recipe wants.

Each is a pure function of the record that says whether the trajectory is dropped. A trajectory that
several would drop is counted by the first of them, in the order of `TRAJECTORY_FILTERS`: what says nothing
about the model comes first, then how the run ended, then what the model did in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tir_agent.preferences import code_filters, reply_filters
from tir_agent.settings import FilterSettings
from tir_agent.trajectory import Trajectory

__all__ = ["TRAJECTORY_FILTERS", "Filter", "Scope", "chosen_filters"]


class Scope(StrEnum):
    """Whom a filter drops."""

    ALL = "all"
    WINNERS = "winners"
    """Only what would be chosen, desirable or a solution: as a bad example it is good."""


@dataclass(frozen=True)
class Filter:
    """A named reason to leave a trajectory out."""

    name: str
    """That of its setting, where it has one."""
    drops: Callable[[Trajectory], bool]
    scope: Scope
    always: bool
    """Whether it is on whatever the settings say."""
    says: str
    """What it drops: one sentence for readers, without a full stop."""
    source: str
    """Whose idea it is."""


_OURS: Final = "this project"
_MULTI_TURN: Final = "arXiv:2409.02392"

TRAJECTORY_FILTERS: Final = (
    Filter(
        "environment",
        reply_filters.environment,
        Scope.ALL,
        True,
        "The machinery failed, or the user stopped the run",
        _MULTI_TURN,
    ),
    Filter(
        "undecided",
        reply_filters.undecided,
        Scope.ALL,
        True,
        "It was not graded, or the grader could not tell or ran out of time",
        _OURS,
    ),
    Filter("silent", reply_filters.silent, Scope.ALL, True, "The model wrote nothing that was kept", _OURS),
    Filter(
        "budget_exhausted",
        reply_filters.budget_exhausted,
        Scope.ALL,
        False,
        "The run came to a limit, to a repetition or to no action, or its answer was forced",
        _MULTI_TURN,
    ),
    Filter(
        "no_code",
        code_filters.no_code,
        Scope.ALL,
        False,
        "No cell was executed, or none that held more than comments",
        _MULTI_TURN,
    ),
    Filter(
        "guess_after_error",
        code_filters.guess_after_error,
        Scope.ALL,
        False,
        "The answer followed a failed cell, and no later one had run without an error",
        _MULTI_TURN,
    ),
    Filter(
        "answer_before_code",
        code_filters.answer_before_code,
        Scope.ALL,
        False,
        "A reply without code answered before any code had run, and code ran after it",
        _OURS,
    ),
    Filter(
        "code_and_answer",
        code_filters.code_and_answer,
        Scope.ALL,
        False,
        "A reply with code has an answer too, given before the output was seen",
        _OURS,
    ),
    Filter(
        "invented_output",
        reply_filters.invented_output,
        Scope.ALL,
        False,
        "A reply went on with output that the model made up",
        _OURS,
    ),
    Filter(
        "repeated_code",
        code_filters.repeated_code,
        Scope.ALL,
        False,
        "The same code ran twice with the same outcome, comments and formatting aside",
        _OURS,
    ),
    Filter(
        "last_error",
        code_filters.last_error,
        Scope.WINNERS,
        False,
        "The last executed cell did not run to its end",
        _MULTI_TURN,
    ),
    Filter(
        "verification_only",
        code_filters.verification_only,
        Scope.ALL,
        False,
        "The answer is concluded in the prose before the first program, and is not in the problem",
        _OURS,
    ),
)


def chosen_filters(settings: FilterSettings) -> tuple[Filter, ...]:
    """Those that are on, in the order in which they are applied."""
    on = {name for name, value in settings if value is True}
    return tuple(each for each in TRAJECTORY_FILTERS if each.always or each.name in on)
