"""Goes through a trajectory cell by cell and says of each: the same, or why not."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fidelity_reasons import Difference, how_versions_differ, library_version, ours, reason
from fidelity_run import HANG, Ran, Recorded, Results
from fidelity_text import Shown, from_ran, from_recorded, same

SAME = "identical"
_UNDEFINED = re.compile(r"name '(\w+)' is not defined")
_OF_IPYTHON = ("display", "get_ipython", "exit", "quit", "In", "Out", "_", "__")
_NAME = re.compile(r"[^\W\d]\w*")
_SET_BY_SYNTAX = re.compile(r"^\s*([^\W\d][\w, ]*?)\s*(?:[-+*/|&]|//|\*\*)?=(?!=)", re.MULTILINE)


@dataclass(frozen=True)
class Judged:
    """A recorded cell and the verdict on it."""

    file: str
    line: int
    cell: int
    code: str
    there: Shown
    here: Shown
    reason: str = SAME
    proof: str = ""
    """Of a version's difference: how it is shown."""
    status: str = "ok"
    """How the execution ended here."""


def pair(there: Shown, here: Shown) -> str:
    """The key of two outputs in the results."""
    return hashlib.sha256(f"{there.text}\0{here.text}".encode()).hexdigest()[:24]


def comparable(judged: Judged) -> bool:
    """Whether it makes sense to ask if the two outputs have equal values."""
    shown = judged.there, judged.here
    return all(one.text and not one.error and not one.timed_out and not one.cut for one in shown)


def judge(row: Recorded, ran: list[Ran], results: Results) -> Iterator[Judged]:
    """The verdict on each cell that was run."""
    there = [from_recorded(row.file, output) for _, output in row.cells]
    here = [from_ran(one) for one in ran]
    older = [[from_ran(one) for one in cells] for cells in results.older.get(row.key, {}).values()]
    codes = tuple(code for code, _ in row.cells)
    state = State()
    for index, one in enumerate(ran):
        judged = Judged(row.file, row.line, index, codes[index], there[index], here[index], status=one.status)
        difference = Difference(
            codes[index],
            there[index],
            here[index],
            row.file,
            earlier=codes[:index],
            late=row.file == "mathcoder" and is_late(index, there, here),
            follows=state.used_of(state.differs, codes[index]),
            follows_ours=state.used_of(state.ours, codes[index]),
            equal=results.equal.get(pair(there[index], here[index]), False),
            lacks=lacking(there[index], codes[index]),
            unset=unset_name(there[index], here[index], codes[: index + 1]),
            status=one.status,
            older=tuple(cells[index] for cells in older if index < len(cells)),
        )
        if one.status == HANG or not same(there[index], here[index]):
            judged = _with_reason(judged, difference)
        yield judged
        state.after(judged, difference)
        if one.state_lost:
            state.lost(codes[: index + 1])


class State:
    """The names of a trajectory that may have another value than they had there."""

    def __init__(self) -> None:
        self.differs: set[str] = set()
        self.ours: set[str] = set()
        """Those of them that are our fault."""

    @staticmethod
    def used_of(names: set[str], code: str) -> frozenset[str]:
        return frozenset(_NAME.findall(code)) & names

    def after(self, judged: Judged, difference: Difference) -> None:
        """A cell that differs, or uses a name that does, passes that on to what it sets."""
        set_here = names_set(judged.code) | names_set("\n".join(difference.lacks))
        if difference.follows or difference.lacks or judged.reason != SAME:
            self.differs |= set_here
        if difference.follows_ours or judged.reason == ours.__name__:
            self.ours |= set_here

    def lost(self, codes: tuple[str, ...]) -> None:
        """The kernel was replaced: every name that there was differs now."""
        self.differs |= {name for code in codes for name in names_set(code)}


def _with_reason(judged: Judged, difference: Difference) -> Judged:
    name = reason(difference)
    proof = how_versions_differ(difference) or "" if name == library_version.__name__ else ""
    return replace(judged, reason=name, proof=proof)


def lacking(there: Shown, code: str) -> tuple[str, ...]:
    """The lines of the cell that the recorder's traceback shows and the recorded code does not have."""
    if not there.quoted:
        return ()
    own = {"".join(line.split()) for line in code.splitlines()}
    return tuple(line for line in there.quoted if "".join(line.split()) not in own)


def unset_name(there: Shown, here: Shown, codes: tuple[str, ...]) -> str:
    """The name that is not defined here, if it was there and none of the cells sets it or imports all.
    A name that IPython itself should have set is no excuse."""
    match = _UNDEFINED.match(here.message or "") if here.error == "NameError" else None
    if match is None or match[1] in _OF_IPYTHON or there.error == "NameError":
        return ""
    if any("import *" in code for code in codes):
        return ""
    return "" if any(match[1] in names_set(code) for code in codes) else match[1]


def is_late(index: int, there: list[Shown], here: list[Shown]) -> bool:
    """Whether the recorded output is one of a cell before, for which the recorder had stopped to wait.

    Only MathCoder's recorder does so. Its outputs are then moved by one place for every time-out: it is our
    output of the cell that far before; or that cell is one that had timed out, whose output nobody has got.
    """
    stopped = [number for number in range(index) if there[number].timed_out]
    if not stopped:
        return False
    if any(same(there[index], here[number]) for number in range(stopped[0], index)):
        return True
    return there[index - len(stopped)].timed_out and index - len(stopped) >= stopped[0]


def names_set(code: str) -> set[str]:
    """The names that a cell sets at its top level or in place. Parsed, not run; read off the lines where it
    cannot be parsed.

    >>> sorted(names_set("a, b = 1, 2\\nc.append(3)\\ndef f(): pass\\nimport math"))
    ['a', 'b', 'c', 'f', 'math']
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {name for names in _SET_BY_SYNTAX.findall(code) for name in _NAME.findall(names)}
    return {name for node in ast.walk(tree) for name in _sets(node)}


def _sets(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            yield name
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
            yield name
