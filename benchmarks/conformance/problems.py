"""The three problems that the solver can solve, and its programs for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PROBLEMS", "Problem", "problem_in"]


@dataclass(frozen=True)
class Problem:
    """A word problem with the programs that solve it, to be run in one kernel, one after the other."""

    text: str
    """As it must stand in the conversation."""
    gold: int
    idea: str
    reasons: tuple[str, ...]
    """Why each program is written."""
    programs: tuple[str, ...]


PROBLEMS: Final = (
    Problem(
        text="What is 6 times 7?",
        gold=42,
        idea="Two numbers are given and their product is wanted.",
        reasons=("I multiply the two numbers.",),
        programs=("print(6 * 7)",),
    ),
    Problem(
        text="What is the sum of the primes below 100?",
        gold=1060,
        idea="There are 25 primes below 100, too many to add by hand.",
        reasons=("I collect the primes below 100.", "I add them up."),
        programs=(
            "primes = [n for n in range(2, 100) if all(n % d for d in range(2, n))]\nprint(len(primes))",
            "print(sum(primes))",
        ),
    ),
    Problem(
        text="A train has 17 cars with 24 seats each, and 9 seats are broken. How many seats can be used?",
        gold=399,
        idea="The broken seats are to be taken from all seats.",
        reasons=(
            "I count all seats.",
            "The name was wrong, so I correct it.",
            "I take away the broken seats.",
        ),
        programs=(
            "seats_per_car = 24\nall_seats = cars * seats_per_car\nprint(all_seats)",
            "cars = 17\nall_seats = cars * seats_per_car\nprint(all_seats)",
            "print(all_seats - 9)",
        ),
    ),
)
"""The second program of the second problem and all later ones of the third need the state of those before;
the first one of the third raises NameError after it has set `seats_per_car`."""


def problem_in(text: str) -> tuple[Problem, int] | None:
    """The problem that stands last in `text`, and where it ends; None where there is none.

    Few-shot prompts hold solved examples before the problem that is meant.
    """
    found = [(at, problem) for problem in PROBLEMS if (at := text.rfind(problem.text)) >= 0]
    if not found:
        return None
    at, problem = max(found, key=lambda pair: pair[0])
    return problem, at + len(problem.text)
