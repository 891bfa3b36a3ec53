"""What is done once, before the first fork, so that no session pays for it."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

_IMPORTED = (
    "tornado.platform.asyncio",
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


OWN_MODULES: list[str] = []
"""Names of the jail's own modules, known before the fork: to look at all modules would copy their pages."""


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
    _make_shell()
    _note_own_modules()
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


# What models write; not what any benchmark measures.
_CELLS = (
    "import sympy as sp\nt = sp.Symbol('t', positive=True)\nsp.solve(sp.Eq(t**2 + t, 12), t)",
    "from sympy import *\na, b = symbols('a b')\nprint(expand((a + b)**3), simplify(a/a))",
    "[k for k in range(10) if k % 3 == 1]",
    "import numpy as np\nnp.arange(4).sum()",
    "def f(n):\n    return 1 / n\nf(0)",
    "for i in range(3)\n    pass",
    "undefined_name",
    "print('text')\n3.5",
    "solve([a + b - 3, a - b - 1], [a, b])",
    "Rational(3, 7) + sqrt(2)",
)


def _make_shell() -> None:
    """What every session begins with. What it needs has been used before, by another one."""
    import kernel
    import shell

    # The server can write nowhere, and nothing is written: but the question where one could is asked.
    tempfile.tempdir = "/"
    shell.warm(list(_CELLS))
    kernel.Kernel.instance(shell.new_shell())
    tempfile.tempdir = None


def _note_own_modules() -> None:
    folder = str(Path(__file__).parent)
    OWN_MODULES[:] = [
        name
        for name, module in sys.modules.items()
        if name != "__main__" and str(getattr(module, "__file__", "")).startswith(f"{folder}/")
    ]


def versions() -> dict[str, str]:
    """Versions of the packages that matter for what an output looks like."""
    return {name: version(name) for name in _REPORTED}
