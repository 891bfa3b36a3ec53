"""Which errors get a hint, and which."""

from __future__ import annotations

import pytest

from tir_agent.observation import observe
from tir_agent.observation.hints import hint_for
from tir_agent.settings import ObservationPolicy
from tir_agent.trajectory import Execution, ExecutionError, ExecutionStatus

PACKAGES = {"sympy": "1.14.0", "numpy": "2.4.6"}


def hint(name: str, message: str) -> str:
    return hint_for(ExecutionError(name=name, message=message, traceback=""), PACKAGES) or ""


# Messages as Python 3.11 to 3.13 and SymPy 1.14 word them.
@pytest.mark.parametrize(
    ("name", "message", "said"),
    [
        ("ModuleNotFoundError", "No module named 'cvxpy'", "Installed are numpy, sympy. Nothing can"),
        (
            "ModuleNotFoundError",
            "No module named 'sympy.foo'",
            "is installed, but has no module sympy.foo",
        ),
        ("ModuleNotFoundError", "No module named 'a.b'", "Installed are"),
        ("ModuleNotFoundError", "", "Installed are"),
        (
            "ImportError",
            "cannot import name 'foo' from 'sympy' (x.py)",
            "sympy has no foo (this is sympy 1.14.0)",
        ),
        ("ImportError", "cannot import name 'foo' from 'mine'", ""),
        (
            "AttributeError",
            "module 'sympy' has no attribute 'foo'",
            "sympy has no foo (this is sympy 1.14.0)",
        ),
        ("AttributeError", "'Symbol' object has no attribute 'foo'", ""),
        ("NameError", "name 'symbols' is not defined", "symbols was not imported: from sympy import symbols"),
        ("NameError", "name 'np' is not defined", "import numpy as np"),
        ("NameError", "name 'x' is not defined", "x = symbols('x')"),
        ("NameError", "name 'total' is not defined", ""),
        ("NameError", "name 'math' is not defined. Did you forget to import 'math'?", "import math"),
        ("TypeError", "cannot determine truth value of Relational: x > 1", "neither true nor false"),
        ("NotImplementedError", "multiple generators [x, cos(x)]\nNo algorithms are", "nsolve("),
        ("NotImplementedError", "", ""),
        ("TypeError", "list indices must be integers or slices, not Symbol", "dict=True"),
        ("TypeError", "list indices must be integers or slices, not str", ""),
        ("KeyError", "x", "print it first"),
        ("KeyError", "'name'", ""),
        ("IndexError", "list index out of range", "it may be empty"),
        ("IndexError", "string index out of range", ""),
        ("TypeError", "'FiniteSet' object is not subscriptable", "list()"),
        ("TypeError", "loop of ufunc does not support argument 0 of type Symbol which", "SymPy's function"),
        ("TypeError", "Cannot convert expression to float", ".subs()"),
        ("TypeError", "Cannot round symbolic expression", ".subs()"),
        ("TypeError", "'Symbol' object cannot be interpreted as an integer", "range()"),
        ("SyntaxError", "invalid decimal literal (<cell 1>, line 1)", "2*x, not 2x"),
        ("SyntaxError", "unexpected character after line continuation character", "not LaTeX"),
        ("SyntaxError", "cannot assign to expression here. Maybe you meant '==' instead of '='?", "Eq(left"),
        ("RecursionError", "maximum recursion depth exceeded", "calls itself"),
        ("ValueError", "list index out of range", ""),
        ("NameError", "'" * 100_000, ""),
        ("NameError", "is not defined", ""),
    ],
)
def test_an_error_gets_its_hint(name: str, message: str, said: str) -> None:
    shown = hint(name, message)
    assert (said in shown) if said else not shown


def test_without_a_list_of_packages_nothing_is_said_to_be_installed() -> None:
    error = ExecutionError(name="ModuleNotFoundError", message="No module named 'x'", traceback="")
    assert (hint_for(error, {}) or "").startswith("Nothing can be installed")


ERROR = ExecutionError(name="ModuleNotFoundError", message="No module named 'x'", traceback="E: x")
FAILED = Execution(status=ExecutionStatus.ERROR, error=ERROR)


def test_a_hint_follows_its_error_on_request() -> None:
    shown = observe(FAILED, ObservationPolicy(hints=True), seconds=1, packages=PACKAGES)
    assert shown.startswith("E: x\nHint: Installed are numpy, sympy.")


def test_no_hint_is_given_unasked() -> None:
    assert observe(FAILED, ObservationPolicy(), seconds=1, packages=PACKAGES) == "E: x"


def test_code_that_was_not_run_gets_no_hint() -> None:
    error = ExecutionError(name="NotRun", message="not run", traceback="not run")
    refused = Execution(status=ExecutionStatus.REFUSED, error=error)
    assert observe(refused, ObservationPolicy(hints=True), seconds=1) == "not run"
