"""A sentence of advice for errors that programs about mathematics run into often, in English.

Each hint goes by the exception's name and message alone, as the kernel reported them, and says "may"
where these leave room for another cause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tir_agent.observation.names import import_line
from tir_agent.trajectory import ExecutionError

__all__ = ["hint_for"]

Packages = Mapping[str, str]


@dataclass(frozen=True)
class _Hint:
    """What to say of exceptions called `name` whose message `applies`."""

    name: str
    applies: Callable[[str], bool]
    sentence: Callable[[str, Packages], str | None]
    """From the message and what is installed; None where there is nothing to say after all."""


def hint_for(error: ExecutionError, packages: Packages) -> str | None:
    """The first hint that applies to `error`. `packages` are the installed versions by name.

    >>> error = ExecutionError(name="NameError", message="name 'symbols' is not defined", traceback="")
    >>> hint_for(error, {})
    'symbols was not imported: from sympy import symbols'
    """
    for hint in _HINTS:
        if hint.name == error.name and hint.applies(error.message):
            sentence = hint.sentence(error.message, packages)
            if sentence is not None:
                return sentence
    return None


def _says(*parts: str) -> Callable[[str], bool]:
    return lambda message: any(part in message for part in parts)


def _always(message: str) -> bool:
    return True


def _text(sentence: str) -> Callable[[str, Packages], str]:
    return lambda message, packages: sentence


def _quoted(message: str, number: int = 0) -> str:
    """What stands in the message's quotes, the first or a later time."""
    parts = message.split("'", 2 * number + 2)
    return parts[2 * number + 1] if len(parts) > 2 * number + 2 else ""


def _unquoted(message: str) -> bool:
    """A missing key that is no text: `KeyError` shows the key's `repr`, and a symbol's has no quotes."""
    return not message.startswith(("'", '"', "b'", 'b"'))


def _missing_module(message: str, packages: Packages) -> str:
    top, _, rest = _quoted(message).partition(".")
    if rest and top in packages:
        return f"{top} {packages[top]} is installed, but has no module {top}.{rest}."
    installed = f"Installed are {', '.join(sorted(packages))}. " if packages else ""
    return f"{installed}Nothing can be installed, since there is no network: use what is there."


def _missing_in_module(message: str, packages: Packages) -> str | None:
    name, module = _quoted(message), _quoted(message, 1)
    if message.startswith("module"):
        name, module = module, name
    package = module.partition(".")[0]
    version = packages.get(package)
    if version is None:
        return None
    return f"{module} has no {name} (this is {package} {version}): it may be elsewhere, or have another name."


def _undefined(message: str, packages: Packages) -> str | None:
    name = _quoted(message)
    if (line := import_line(name)) is not None:
        return f"{name} was not imported: {line}"
    if len(name) == 1 and name.isalpha():
        return f"{name} has no value yet; as an unknown, define it first: {name} = symbols('{name}')"
    return None


_SYMBOLS_LEFT: Final = "The expression still has symbols in it: give them values with .subs() first."
_SYMPY_IN_NUMPY: Final = (
    "Functions of NumPy and math take numbers: for expressions use SymPy's function of that name."
)

_HINTS: Final = (
    _Hint("ModuleNotFoundError", _always, _missing_module),
    _Hint("ImportError", _says("cannot import name"), _missing_in_module),
    _Hint("AttributeError", _says("has no attribute"), _missing_in_module),
    _Hint("NameError", _says("is not defined"), _undefined),
    _Hint(
        "TypeError",
        _says("cannot determine truth value of Relational"),
        _text(
            "A comparison that contains symbols is neither true nor false: give the symbols values first, "
            "or use solve, reduce_inequalities or Piecewise instead of if."
        ),
    ),
    _Hint(
        "NotImplementedError",
        _says("No algorithms are implemented", "multiple generators", "could not solve"),
        _text(
            "SymPy cannot solve this exactly: nsolve(expression, variable, start) finds a root near start."
        ),
    ),
    _Hint(
        "TypeError",
        _says("list indices must be integers or slices, not Symbol"),
        _text(
            "solve() may return a list: with dict=True it is a list of dictionaries, as in solutions[0][x]."
        ),
    ),
    _Hint(
        "KeyError",
        _unquoted,
        _text("If this is what solve() returned, print it first: a solution may leave unknowns out."),
    ),
    _Hint(
        "IndexError",
        _says("list index out of range"),
        _text("The list is shorter than that. If solve() returned it, it may be empty: print it first."),
    ),
    _Hint(
        "TypeError",
        _says("'FiniteSet' object is not subscriptable", "'EmptySet' object is not subscriptable"),
        _text("solveset() returns a set: make a list of it with list()."),
    ),
    _Hint("TypeError", _says("loop of ufunc does not support"), _text(_SYMPY_IN_NUMPY)),
    _Hint(
        "TypeError",
        _says("Cannot convert expression to float", "Cannot convert symbols to", "Cannot round symbolic"),
        _text(_SYMBOLS_LEFT),
    ),
    _Hint(
        "TypeError",
        _says("'Symbol' object cannot be interpreted as an integer"),
        _text("range() and the like need integers, and this is a symbol: give it a value first."),
    ),
    _Hint(
        "SyntaxError",
        _says("invalid decimal literal"),
        _text("Between a number and a name stands an operator: 2*x, not 2x."),
    ),
    _Hint(
        "SyntaxError",
        _says("unexpected character after line continuation character"),
        _text("A backslash stands in strings only: write Python, not LaTeX, and real line breaks."),
    ),
    _Hint(
        "SyntaxError",
        _says("cannot assign to expression", "cannot assign to operator"),
        _text("= gives a name a value. An equation is Eq(left, right)."),
    ),
    _Hint(
        "RecursionError",
        _always,
        _text("The function calls itself without end or too deeply: check where it stops, or use a loop."),
    ),
)
