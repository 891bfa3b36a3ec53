"""Why a cell shows something else than what was recorded: one small function for each reason.

Each takes a `Difference` and says whether its reason is *shown* by what is at hand, not merely possible. The
first that applies is the cell's reason (`REASONS`); a cell that none applies to is `unexplained`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

from fidelity_text import SYNTAX_ERRORS, Shown, plain, same, same_text

_RANDOM = re.compile(
    r"\b(?:(?:\w+_)?random(?:_\w+)?|randint|randrange|shuffle|sample|uuid\d?|datetime|urandom|secrets|default_rng)\b|\btime\.\w+\(|\bid\("
)
_HISTORY = re.compile(
    r"The history saving thread hit an unexpected error \(.*?\)\."
    r"History will not be written to the database\."
)
_NUMPY = re.compile(
    r"\bnp\.(?:float|int|uint|complex|bool|str)\w*\(([^()]*|\([^()]*\))\)|\bnp\.(True|False)_"
)
_WARNING = re.compile(
    r"^\S+:\d+: (?:SymPyDeprecationWarning:[\s\S]*?in a future version of SymPy\.\n*|\w*Warning:.*\n?)"
    r"(?:^  .*\n?)?",
    re.MULTILINE,
)
_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")
_ABOUT_VALUES = ("NameError", "KeyError")
"""Errors whose message is a name or a value, not words."""
_OURS = ("died", "refused", "hang")
_NO_NAME = re.compile(r"module '[\w.]+' has no attribute|cannot import name '\w+' from")
_NO_NAME_ERRORS = ("AttributeError", "ImportError")
_INPUT = re.compile(r"\b(?:input|getpass)\s*\(")
_INPUT_ERRORS = ("EOFError", "StdinNotImplementedError", "OSError")


@dataclass(frozen=True)
class Difference:
    """A cell that did not show what was recorded, and what is known about it."""

    code: str
    there: Shown
    here: Shown
    file: str = ""
    earlier: tuple[str, ...] = ()
    """Code of the cells before it."""
    late: bool = False
    """Recorded was the output of an earlier cell, after a time-out."""
    follows: frozenset[str] = frozenset()
    """Names that this cell uses, and that a cell which differed has set."""
    follows_ours: frozenset[str] = frozenset()
    """The same of a cell where the difference was our fault."""
    equal: bool = False
    """The two outputs have equal values: worked out in the sandbox."""
    lacks: tuple[str, ...] = ()
    """Lines that the recorder's traceback shows of the cell, and that the recorded code lacks."""
    unset: str = ""
    """A name that is not defined here, was there, and that no recorded cell sets."""
    status: str = "ok"
    """How the execution ended here."""
    older: tuple[Shown, ...] = ()
    """What the same cell, after the same cells, shows with older libraries."""


def not_recorded(difference: Difference) -> bool:
    """The recorder kept no output: MINT's last reply, or one that it took as an answer, and did not run."""
    return difference.there.absent


def timed_out_there(difference: Difference) -> bool:
    """The recorder's own clock stopped the cell, and ours did not."""
    return difference.there.timed_out and not difference.here.timed_out


def timed_out_here(difference: Difference) -> bool:
    """Our clock stopped the cell, and the recorder's did not: a limit, or a slower machine."""
    return difference.here.timed_out and not difference.there.timed_out


def cut_there(difference: Difference) -> bool:
    """The recorder cut the output, and what it left is how ours begins; of an error, the same line of the
    cell raised it."""
    there, here = difference.there, difference.here
    if not there.cut:
        return False
    if there.error:
        return bool(here.error) and (there.error == here.error or _same_line(there, here))
    left = plain(there.text)
    return plain(here.text)[: len(left) - 2] == left[:-2]


def recorder_artefact(difference: Difference) -> bool:
    """The recorder's own fault, in one of five ways that can be shown.

    Its IPython's complaint about its history stands before the output, which is the same without it. Or
    it had stopped waiting for a cell, and gave that cell's output, when it came, as a later cell's. Or its
    traceback quotes lines of the cell that the recorded code lacks: another program was run. Or the same
    shows in its output (`runs_on`), or in a name that it knew and no recorded cell has set.
    """
    if difference.lacks or difference.unset or runs_on(difference):
        return True
    text = _HISTORY.sub("", difference.there.text)
    complained = text != difference.there.text
    return difference.late or (complained and same(_with_text(difference.there, text), difference.here))


def runs_on(difference: Difference) -> bool:
    """MINT ran all the code of a reply, of which the data has one block: its output begins with all of ours,
    and goes on. Where ours is nothing, the recorded code has nothing that could print."""
    ours_, theirs = plain_lines(difference.here), plain_lines(difference.there)
    if difference.file != "mint" or difference.status != "ok" or difference.here.error:
        return False
    goes_on = len(theirs) > len(ours_) and theirs[: len(ours_)] == ours_
    ends_in_error = theirs == ours_ and bool(difference.there.error)
    return (goes_on or ends_in_error) and (bool(ours_) or not may_print(difference.code))


def plain_lines(shown: Shown) -> list[str]:
    return [plain(line) for line in shown.text.splitlines() if line.strip()]


def may_print(code: str) -> bool:
    """Whether the code has anything that could show output or raise: a call, or an expression at its end.
    What functions would do that it only defines does not count."""
    try:
        body = ast.parse(code.strip()).body
    except (SyntaxError, ValueError, RecursionError):
        return True
    done = [statement for statement in body if not isinstance(statement, ast.FunctionDef)]
    calls = any(isinstance(node, ast.Call) for statement in done for node in ast.walk(statement))
    return calls or (bool(body) and isinstance(body[-1], ast.Expr))


def library_version(difference: Difference) -> bool:
    """Other versions of Python, SymPy or NumPy do it otherwise (`how_versions_differ`)."""
    return how_versions_differ(difference) is not None


def how_versions_differ(difference: Difference) -> str | None:
    """The proof that it is the version: the name of the first of these that holds.

    `numpy_repr`: the same without NumPy 2's type names. `warnings`: the same but for warnings. `syntax`: both
    parsers refuse the code. `older_libraries`: the recorded output comes back when the trajectory is run with
    older libraries. `attribute`: one library has a name that the other has not. `equal_value`: equal, as
    worked out in the sandbox. `wording`: the same type of error, raised by the same line of the cell.
    """
    return next((name for name, holds in _VERSION_PROOFS if holds(difference)), None)


def _numpy_repr(difference: Difference) -> bool:
    text = without_numpy_types(difference.here.text)
    return text != difference.here.text and same(difference.there, _with_text(difference.here, text))


def without_numpy_types(text: str) -> str:
    """As NumPy 1 printed its scalars.

    >>> without_numpy_types("[np.float64(3.0), np.True_]")
    '[3.0, True]'
    """
    return _NUMPY.sub(lambda match: match[1] if match[1] is not None else match[2], text)


def _warnings(difference: Difference) -> bool:
    there = _with_text(difference.there, _WARNING.sub("", difference.there.text))
    here = _with_text(difference.here, _WARNING.sub("", difference.here.text))
    return (there, here) != (difference.there, difference.here) and same(there, here)


def _syntax(difference: Difference) -> bool:
    return difference.there.error in SYNTAX_ERRORS and difference.here.error in SYNTAX_ERRORS


def _wording(difference: Difference) -> bool:
    there, here = difference.there, difference.here
    return (
        there.error != ""
        and there.error == here.error
        and there.error not in _ABOUT_VALUES
        and same_text(there.text, here.text)
        and _same_line(there, here)
    )


def _equal_value(difference: Difference) -> bool:
    return difference.equal


def _attribute(difference: Difference) -> bool:
    """A module has, in one of the two, no such name; the same code and line, so it is not the code."""
    there, here = difference.there, difference.here
    lacking = [
        bool(_NO_NAME.match(one.message or "")) for one in (there, here) if one.error in _NO_NAME_ERRORS
    ]
    return any(lacking) and (there.error, there.message) != (here.error, here.message)


def _older_libraries(difference: Difference) -> bool:
    return any(same(difference.there, older) for older in difference.older)


def _same_line(there: Shown, here: Shown) -> bool:
    return there.line is not None and there.line == here.line


def _with_text(shown: Shown, text: str) -> Shown:
    return Shown(text.strip(), shown.error, shown.message, shown.line, shown.timed_out, shown.cut)


def input_call(difference: Difference) -> bool:
    """The cell asks a user, whom neither has: each says so in its own way."""
    asks = _INPUT.search(difference.code) is not None
    return asks and (difference.there.error in _INPUT_ERRORS or difference.here.error in _INPUT_ERRORS)


def missing_package(difference: Difference) -> bool:
    """An import failed on one side alone, or for another module: the packages are not the same."""
    failed = {difference.there.error, difference.here.error} & set(_IMPORT_ERRORS)
    return bool(failed) and "import" in difference.code


def randomness(difference: Difference) -> bool:
    """The cell, or an earlier one that it may depend on, uses chance, the clock or an identity."""
    return any(_RANDOM.search(code) for code in (*difference.earlier, difference.code))


def follows_a_difference(difference: Difference) -> bool:
    """The cell uses a name that an earlier cell set, and that cell, or one before it, already differed."""
    return bool(difference.follows)


def ours(difference: Difference) -> bool:
    """Our kernel's fault: its process died, it refused the cell or never came back; or it cannot do what
    theirs could, and a rule below names it."""
    return difference.status in _OURS or indented_first_line(difference)


def indented_first_line(difference: Difference) -> bool:
    """The first line of the cell is indented and others are not: earlier IPythons took its indentation
    off, IPython 9 takes off what all lines share, and Python refuses the rest."""
    first = difference.code.lstrip("\n").partition("\n")[0]
    refused = difference.here.error == "IndentationError" and difference.here.line == 1
    return first[:1] in (" ", "\t") and refused and difference.there.error not in SYNTAX_ERRORS


def follows_ours(difference: Difference) -> bool:
    """The cell uses a name that an earlier cell set, and there the difference was our fault."""
    return bool(difference.follows_ours)


Reason = Callable[[Difference], bool]
_VERSION_PROOFS: tuple[tuple[str, Reason], ...] = (
    ("numpy_repr", _numpy_repr),
    ("warnings", _warnings),
    ("syntax", _syntax),
    ("older_libraries", _older_libraries),
    ("attribute", _attribute),
    ("equal_value", _equal_value),
    ("wording", _wording),
)
REASONS: tuple[Reason, ...] = (
    ours,
    not_recorded,
    timed_out_there,
    timed_out_here,
    cut_there,
    recorder_artefact,
    input_call,
    library_version,
    missing_package,
    randomness,
    follows_ours,
    follows_a_difference,
)
UNEXPLAINED = "unexplained"
NOT_EXPLAINED = (UNEXPLAINED, ours.__name__, follows_ours.__name__)
"""What no change outside explains."""


def reason(difference: Difference) -> str:
    """The name of the first reason that is shown."""
    return next((named.__name__ for named in REASONS if named(difference)), UNEXPLAINED)
