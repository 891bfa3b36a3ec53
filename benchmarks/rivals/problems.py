"""The programs that are run: small SymPy cells with known outputs, no two sessions' alike."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["FIRST", "PRINT", "Cell", "small_problem"]


@dataclass(frozen=True)
class Cell:
    """Code, and what it must print."""

    code: str
    output: str


FIRST = Cell("from sympy import *; x=symbols('x'); print(solve(x**2-5*x+6,x))", "[2, 3]\n")
PRINT = Cell("print(1)", "1\n")


def small_problem(number: int) -> tuple[Cell, Cell, Cell]:
    """Three cells, the last of which needs what the first two left behind."""
    low, high = number % 89 + 1, number % 89 + number % 7 + 2
    integral = Fraction(low**3, 3) + high * low
    return (
        Cell(
            f"from sympy import *\nx = symbols('x')\nroots = solve(x**2 - {low + high}*x + {low * high}, x)\n"
            "print(roots)",
            f"[{low}, {high}]\n",
        ),
        Cell(f"area = integrate(x**2 + {high}, (x, 0, {low}))\nprint(area)", f"{integral}\n"),
        Cell("print(simplify(area + sum(roots)))", f"{integral + low + high}\n"),
    )
