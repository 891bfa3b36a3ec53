"""Names that programs use without importing them, and the line that imports each."""

from __future__ import annotations

from typing import Final

__all__ = ["import_line"]

# Not E, N and S: who uses these has rather forgotten a variable.
_SYMPY: Final = frozenset(
    """
    Abs And apart besselj binomial cancel collect cos cosh cot csc degree Derivative det diff divisors
    dsolve Eq expand expand_trig factor factorial factorint fibonacci floor fraction Function gcd Ge
    groebner Gt I im init_printing Integer integer_nthroot Integral integrate Interval isprime Lambda
    lambdify latex lcm Le Limit limit linsolve ln log logcombine Lt Matrix Max Min Mod Ne nextprime
    nonlinsolve npartitions nroots nsimplify nsolve oo Or pi Piecewise plot Poly powsimp pprint
    prevprime prime primefactors primepi primerange Product product radsimp Range Rational re Reals
    reduce_inequalities residue root roots rsolve sec series simplify sin sinh solve solve_poly_system
    solveset sqrt Sum summation Symbol symbols sympify tan tanh together totient trigsimp Union zeta
    """.split()  # noqa: SIM905
)
_MODULES: Final = {
    "Counter": "from collections import Counter",
    "Decimal": "from decimal import Decimal",
    "Fraction": "from fractions import Fraction",
    "combinations": "from itertools import combinations",
    "comb": "from math import comb",
    "defaultdict": "from collections import defaultdict",
    "deque": "from collections import deque",
    "itertools": "import itertools",
    "lru_cache": "from functools import lru_cache",
    "math": "import math",
    "mp": "from mpmath import mp",
    "mpmath": "import mpmath",
    "networkx": "import networkx",
    "np": "import numpy as np",
    "numpy": "import numpy",
    "nx": "import networkx as nx",
    "pd": "import pandas as pd",
    "permutations": "from itertools import permutations",
    "plt": "import matplotlib.pyplot as plt",
    "product": "from itertools import product",
    "random": "import random",
    "reduce": "from functools import reduce",
    "scipy": "import scipy",
    "sp": "import sympy as sp",
    "sympy": "import sympy",
}


def import_line(name: str) -> str | None:
    """The line that imports `name`, where it is a well-known one.

    >>> import_line("symbols"), import_line("np"), import_line("f")
    ('from sympy import symbols', 'import numpy as np', None)
    """
    return _MODULES.get(name) or (f"from sympy import {name}" if name in _SYMPY else None)
