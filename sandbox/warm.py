"""What is done once, before the first fork, so that no session pays for it."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from importlib.metadata import version

_IMPORTED = (
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "kernel",
    "grader",
    "math_verify",
    "sympy",
    "numpy",
    "scipy.optimize",
    "scipy.integrate",
    "scipy.stats",
    "fractions",
    "decimal",
    "statistics",
    "itertools",
    "collections",
    "cmath",
)
_REPORTED = (
    "ipykernel",
    "ipython",
    "math-verify",
    "matplotlib",
    "mpmath",
    "networkx",
    "numpy",
    "pandas",
    "scipy",
    "sympy",
)


def up() -> None:
    """Import and exercise what mathematics cells use. Leaves this process with a single thread."""
    # Libraries read these when they are imported: threads would not survive the fork.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    # A debugger that nobody will attach costs a large part of a kernel's start.
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    # Exact results with many digits are wanted here; the time of a cell is limited otherwise.
    sys.set_int_max_str_digits(200_000)
    for name in _IMPORTED:
        importlib.import_module(name)
    _exercise()
    gc.collect()
    gc.freeze()


def _exercise() -> None:
    import grader
    import sympy

    x, y = sympy.symbols("x y")
    sympy.solve(x**2 - 3 * x - 7, x)
    sympy.solve([x + 2 * y - 5, x - y + 1], [x, y])
    sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
    sympy.integrate(x * sympy.exp(x), x)
    sympy.factor(x**4 - 1)
    sympy.factorint(360360)
    sympy.latex(sympy.Rational(3, 4) * sympy.sqrt(x))
    str(sympy.Matrix([[1, 2], [3, 4]]).inv())
    grader.grade("x + 1", "1 + x")


def versions() -> dict[str, str]:
    """Versions of the packages that matter for what an output looks like."""
    return {name: version(name) for name in _REPORTED}
