"""The fidelity benchmark's judgement: each rule on examples written by hand, and one trajectory for real."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tir_agent.kernel.base import Sandbox

import fidelity_reasons
from fidelity_equal import equal
from fidelity_judge import Judged, is_late, judge, lacking, names_set, pair, unset_name
from fidelity_reasons import Difference, how_versions_differ, may_print, reason, without_numpy_types
from fidelity_report import counts, page
from fidelity_run import HANG, Ran, Recorded, Results, appending, play, play_all, read
from fidelity_text import Shown, from_ran, from_recorded, same, same_text, wording

DASHES = "-" * 75
LAST = "\nYou have 1 steps left and 2 chances to propose solution left."
ALARM = "TimeoutError: Timed out after 30 seconds."
TORA_ALARM = "timeout_decorator.timeout_decorator.TimeoutError: 'Timed Out'"
SYNTAX = "SyntaxError: invalid syntax"
DEPRECATED = "<cell>:5: SymPyDeprecationWarning: \n\nold\n\nIt\nwill go in a future version of SymPy."
NAME = "name 'x' is not defined"
NO_INT = "int() argument must be a string, a bytes-like object or a real number, not 'complex'"
TRACEBACK = f"""{DASHES} KeyError                 Traceback (most recent call last) Cell In[3], line 2
      1 x = \x1b[38;5;241m1
----> 2 f(x)
 File /somewhere/lib.py:10, in f(x)
     10 raise KeyError(x)
 KeyError: 1
During handling of the above exception, another exception occurred:
 ValueError                                Traceback (most recent call last) Cell In[3], line 2
----> 2 f(x)
 ValueError: x: is not
 an integer"""


@pytest.mark.parametrize(
    ("file", "output", "shown"),
    [
        ("mathcoder", "\x1b[31m4\x1b[0m\n", Shown("4")),
        ("mathcoder", "<empty_execution>", Shown()),
        (
            "mathcoder",
            TRACEBACK,
            Shown("", "ValueError", "x: is not\n an integer", 2, quoted=("x = 1", "f(x)", "f(x)")),
        ),
        ("mathcoder", f"{DASHES} Timeout waiting for reply    Traceback (most rec", Shown(timed_out=True)),
        ("mint", "", Shown(absent=True)),
        ("mint", "[Executed Successfully with No Output]", Shown()),
        ("mint", "Out[3]: \n4.0\nYour answer is wrong.", Shown("4.0")),
        ("mint", f"4{LAST}\nYou should take the last step to propose a solution.", Shown("4")),
        ("mint", f"4{LAST}\nAnd more", Shown(f"4{LAST}\nAnd more")),
        ("mint", "a\nb...\n[Output Truncated]", Shown("a\nb", cut=True)),
        ("mint", ALARM, Shown(ALARM, timed_out=True)),
        (
            "mint",
            f"1\n  Cell In[1], line 2\n  )\n{SYNTAX}",
            Shown("1", "SyntaxError", "invalid syntax", quoted=(")",)),
        ),
        ("mint", "Your answer is wrong.", Shown(absent=True)),
        ("tora", TORA_ALARM, Shown(TORA_ALARM, timed_out=True)),
        ("tora", f"NameError: {NAME}", Shown(error="NameError", message=NAME)),
        ("tora", "NameError is no error", Shown("NameError is no error")),
    ],
)  # fmt: skip
def test_recorded_outputs_are_read(file: str, output: str, shown: Shown) -> None:
    assert from_recorded(file, output) == shown


def test_an_execution_shows_its_streams_then_its_result_then_its_error() -> None:
    traceback = "Cell In[1], line 7\n----> 7 g()\nCell In[1], line 2, in g()\n"
    ran = Ran("error", "a\n", "warned\n", "\x1b[1m4\x1b[0m", "TypeError", "no", traceback)
    assert from_ran(ran) == Shown("a\nwarned\n4", "TypeError", "no", 7)
    assert from_ran(Ran("timeout")).timed_out


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<f at 0x7f00aa00>", "<f at 0x7f11bb11>"),
        ("[ 1,\n  2]  ", "[1, 2]"),
        ("{1: 'a', 2: 'b'}", "{2: 'b', 1: 'a'}"),
        ("{3, 1, 2}", "{1, 2, 3}"),
        ("x = 0.30000000000000004", "x = 0.3"),
        ("-1.2e-17 or 1e-3", "0.0 or 0.001"),
        ("/tmp/ipykernel_1/22.py:1: w", "/scratch/s9/ipykernel_7/22.py:1: w"),
    ],
)
def test_what_no_two_runs_share_is_taken_off(one: str, other: str) -> None:
    assert same_text(one, other)
    assert same_text(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "2"), ("1", "1.0"),
        ("a b", "ab"), ("1 2", "12"), ("[1, 2]", "[2, 1]"), ("0.5", "0.50001"), ("x", ""),
        ("1.5*x", "1.5*y"), ("{1: 2}", "{1: 3}"), ("[1] [2]", "[1][2]"), ("1 -2", "1 2"),
    ],
)  # fmt: skip
def test_what_is_another_output_stays_one(one: str, other: str) -> None:
    assert not same_text(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("__new__() missing 1 argument", "Symbol.__new__()  missing 1 argument"),
        ("cannot import name 'a' from 'b' (/old/b.py)", "cannot import name 'a' from 'b' (unknown location)"),
        ("integer division or modulo by zero", "integer modulo by zero"),
        ("can't convert complex to int", NO_INT),
        ("cannot determine truth value of Relational", "cannot determine truth value of Relational: x > 2"),
        ("can't mod complex numbers.", "unsupported operand type(s) for %: 'complex' and 'int'"),
    ],
)  # fmt: skip
def test_errors_are_compared_in_the_words_of_every_version(one: str, other: str) -> None:
    assert wording(one) == wording(other)
    assert wording("name 'x' is not defined") != wording("name 'y' is not defined")


def test_same_needs_text_type_and_message() -> None:
    error = Shown("a", "TypeError", "no", 1)
    assert same(error, replace(error, line=9))
    for other in (
        Shown("b", "TypeError", "no"),
        Shown("a", "ValueError", "no"),
        Shown("a", "TypeError", "yes"),
    ):
        assert not same(error, other)
    assert same(Shown("", "SyntaxError", "invalid syntax"), Shown("", "SyntaxError", "'(' was never closed"))
    assert same(Shown(timed_out=True), Shown("5", timed_out=True))
    assert not same(Shown(timed_out=True), Shown())
    assert not same(Shown("5", cut=True), Shown("5"))
    assert not same(Shown(absent=True), Shown())
    assert not same(Shown(error="TypeError", message=None), Shown(error="TypeError", message=""))


FIVE, SIX = Shown("5"), Shown("6")
NONE = Shown(error="ModuleNotFoundError", message="No module named 'asy'", line=1)
HISTORY = (
    "The history saving thread hit an unexpected error (OperationalError('database is locked'))."
    "History will not be written to the database."
)
BASE = Difference("f(x)", FIVE, SIX)
EXAMPLES = [
    ("unexplained", BASE),
    ("ours", replace(BASE, status="died", there=Shown(timed_out=True))),
    ("ours", replace(BASE, status=HANG)),
    ("ours", replace(BASE, code=" x = 1\nx", here=Shown("", "IndentationError", "unexpected indent", 1))),
    (
        "unexplained",
        replace(BASE, code="x = 1\n x", here=Shown("", "IndentationError", "unexpected indent", 2)),
    ),
    ("not_recorded", replace(BASE, there=Shown(absent=True))),
    ("timed_out_there", replace(BASE, there=Shown(timed_out=True))),
    ("timed_out_here", replace(BASE, here=Shown(timed_out=True))),
    ("cut_there", replace(BASE, there=Shown("[1, 2, 3", cut=True), here=Shown("[1, 2, 3, 4]"))),
    ("cut_there", replace(BASE, there=Shown("", "A", None, 2, cut=True), here=Shown("", "B", "b", 2))),
    ("unexplained", replace(BASE, there=Shown("", "A", None, 2, cut=True), here=Shown("", "B", "b", 3))),
    ("unexplained", replace(BASE, there=Shown("[1, 7, 8, 9", cut=True), here=Shown("[1, 2, 3, 4]"))),
    ("recorder_artefact", replace(BASE, there=Shown(HISTORY + "6"))),
    ("unexplained", replace(BASE, there=Shown(HISTORY + "5"))),
    ("recorder_artefact", replace(BASE, late=True)),
    ("recorder_artefact", replace(BASE, unset="x")),
    ("recorder_artefact", replace(BASE, lacks=("x = 1",))),
    ("recorder_artefact", replace(BASE, file="mint", there=Shown("6\n7"))),
    ("recorder_artefact", replace(BASE, file="mint", code="x = 1", there=Shown("7"), here=Shown())),
    ("unexplained", replace(BASE, file="mint", there=Shown("7\n6"))),
    ("unexplained", replace(BASE, file="mint", there=Shown("7"), here=Shown())),
    ("unexplained", replace(BASE, file="mathcoder", there=Shown("6\n7"))),
    ("library_version", replace(BASE, equal=True)),
    ("library_version", replace(BASE, older=(SIX, FIVE))),
    ("unexplained", replace(BASE, older=(SIX,))),
    ("input_call", replace(BASE, code="n = input('n')", there=Shown(error="EOFError", message="EOF"))),
    ("unexplained", replace(BASE, code="n = inputs('n')", there=Shown(error="EOFError", message="EOF"))),
    ("unexplained", replace(BASE, code="n = input('n')")),
    ("missing_package", replace(BASE, code="import asy", there=NONE)),
    ("unexplained", replace(BASE, code="import asy")),
    ("randomness", replace(BASE, code="random.randint(1, 6)")),
    ("randomness", replace(BASE, earlier=("t = time.time()",))),
    ("randomness", replace(BASE, code="gnm_random_graph(4, 4)")),
    ("unexplained", replace(BASE, code="timely(randomly)")),
    ("follows_ours", replace(BASE, follows=frozenset("x"), follows_ours=frozenset("x"))),
    ("follows_a_difference", replace(BASE, follows=frozenset("x"))),
]


@pytest.mark.parametrize(("name", "difference"), EXAMPLES)
def test_a_difference_gets_the_reason_that_is_shown(name: str, difference: Difference) -> None:
    assert reason(difference) == name


def test_every_reason_has_an_example_and_says_what_it_means() -> None:
    names = {named.__name__ for named in fidelity_reasons.REASONS}
    assert {name for name, _ in EXAMPLES} == names | {"unexplained"}
    assert all(named.__doc__ for named in fidelity_reasons.REASONS)


@pytest.mark.parametrize(
    ("proof", "there", "here"),
    [
        ("numpy_repr", Shown("-3.0"), Shown("np.float64(-3.0)")),
        ("numpy_repr", Shown("[1, True]"), Shown("[np.int64(1), np.True_]")),
        (None, Shown("-3.0"), Shown("np.float64(3.0)")),
        ("warnings", Shown("4"), Shown("<cell>:1: SyntaxWarning: invalid escape\n  x = '\\d'\n4")),
        ("warnings", Shown("4"), Shown(f"{DEPRECATED}\n\n  m = 4\n4")),
        (None, Shown("5"), Shown("<cell>:1: SyntaxWarning: invalid escape\n  x = '\\d'\n4")),
        ("attribute", Shown("", "AttributeError", "module 'math' has no attribute 'cbrt'", 1), Shown("2")),
        (None, Shown("", "AttributeError", "'int' object has no attribute 'subs'", 1), Shown("2")),
        ("syntax", Shown("", "IndentationError", "expected"), Shown("", "SyntaxError", "incomplete input")),
        ("wording", Shown("", "TypeError", "a", 3), Shown("", "TypeError", "b", 3)),
        ("wording", Shown("", "TypeError", None, 3), Shown("", "TypeError", "b", 3)),
        (None, Shown("", "TypeError", "a", 3), Shown("", "TypeError", "b", 4)),
        (None, Shown("", "TypeError", "a"), Shown("", "TypeError", "b")),
        (None, Shown("1", "TypeError", "a", 3), Shown("2", "TypeError", "b", 3)),
        (None, Shown("", "NameError", "name 'a'", 3), Shown("", "NameError", "name 'b'", 3)),
    ],
)
def test_a_difference_of_versions_is_proved(proof: str | None, there: Shown, here: Shown) -> None:
    assert how_versions_differ(replace(BASE, there=there, here=here)) == proof


def test_numpy_types_are_taken_off_and_calls_are_not() -> None:
    assert without_numpy_types("np.float64(2.5), np.array([1]), np.False_") == "2.5, np.array([1]), False"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("x**2 + 2*x + 1", "(x + 1)**2", True),
        ("[{x: 1/2, y: 2}]", "[{y: 2, x: 0.5}]", True),
        ("[-1, sqrt(2)]", "[sqrt(2), -1]", True),
        ("Eq(x, 2)", "Eq(x, 2.0)", True),
        ("(x > 1) & (x < 2)", "(x < 2) & (x > 1)", True),
        ("x = 1/2\ny: 3", "x = 0.5\ny: 3", True),
        ("[np.float64(0.5)]", "[0.5]", True),
        ("x**2 + 2*x + 1", "(x + 2)**2", False),
        ("[1, 1, 2]", "[1, 2, 2]", False),
        ("(1, 2)", "[1, 2]", False),
        ("True", "1", False),
        ("True", "False", False),
        ("no sense at all", "none", False),
        ("a: 1", "b: 1", False),
        ("x", "x\nx", False),
        ("1e-9", "2e-9", False),
        ("f(x", "f(y", False),
    ],
)
def test_equality_of_values(one: str, other: str, expected: bool) -> None:
    sympy = pytest.importorskip("sympy", reason="the check runs where SymPy is: in the sandbox")
    assert sympy
    assert equal(one, other) is expected


def test_late_outputs_are_told_by_the_cells_they_belong_to() -> None:
    stopped = Shown(timed_out=True)
    here = [FIVE, SIX, Shown("7"), Shown("8")]
    there = [FIVE, stopped, SIX, Shown("7")]
    assert [is_late(index, there, here) for index in range(4)] == [False, False, True, True]
    unknown = [FIVE, stopped, Shown("what the stopped cell printed at last"), Shown("9")]
    assert [is_late(index, unknown, here) for index in range(4)] == [False, False, True, False]


def test_names_that_a_cell_sets() -> None:
    code = "a, b = 1, 2\nc.append(3)\nd[0] = 4\nfor i in x: pass\ndef f(y): return y\nfrom m import n as o"
    assert names_set(code) == {"a", "b", "c", "d", "i", "f", "o"}
    assert names_set("a = (1\nb == 2\nc += 3") == {"a", "c"}


def judged(
    cells: tuple[tuple[str, str], ...], *ran: Ran, equal: dict[str, bool] | None = None
) -> list[Judged]:
    results = Results({}, {}, equal or {}, {})
    return list(judge(Recorded("mathcoder", 1, cells), list(ran), results))


def test_a_difference_is_followed_by_the_names_it_sets() -> None:
    cells = (("a = f(1); a", "5"), ("b = a; b", "5"), ("b", "5"), ("c", "9"))
    found = judged(cells, *(Ran("ok", result=text) for text in ("6", "6", "6", "8")))
    follows = "follows_a_difference"
    assert [one.reason for one in found] == ["unexplained", follows, follows, "unexplained"]


def test_what_follows_a_fault_of_ours_is_ours_too() -> None:
    refused = Ran(
        "error", error="IndentationError", message="unexpected indent", traceback="Cell In[1], line 1"
    )
    lost = Ran("error", error="NameError", message="name 'x' is not defined")
    found = judged(((" x = 5\nx", "5"), ("x", "5"), ("y", "5")), refused, lost, Ran("ok", result="5"))
    assert [one.reason for one in found] == ["ours", "follows_ours", "identical"]


def test_a_proof_of_equality_is_found_by_its_pair() -> None:
    proved = {pair(Shown("(x + 1)**2"), Shown("x**2 + 2*x + 1")): True}
    [found] = judged((("f", "(x + 1)**2"),), Ran("ok", result="x**2 + 2*x + 1"), equal=proved)
    assert (found.reason, found.proof) == ("library_version", "equal_value")


def test_the_traceback_may_quote_lines_that_the_code_lacks() -> None:
    there = from_recorded("mathcoder", TRACEBACK)
    assert lacking(there, "x = 1\nf(x)") == ()
    assert lacking(there, "f( x )") == ("x = 1",)
    assert lacking(Shown("5"), "f(x)") == ()


def test_a_name_may_be_known_there_that_no_recorded_cell_sets() -> None:
    here = Shown(error="NameError", message="name 'x' is not defined")
    assert unset_name(FIVE, here, ("y = 1", "x")) == "x"
    assert unset_name(here, here, ("y = 1", "x")) == ""
    assert unset_name(FIVE, here, ("x = 1", "x")) == ""
    assert unset_name(FIVE, here, ("from m import *", "x")) == ""
    display = Shown(error="NameError", message="name 'display' is not defined")
    assert unset_name(FIVE, display, ("display(1)",)) == ""
    assert unset_name(FIVE, SIX, ("y = 1", "x")) == ""


def test_code_that_only_defines_prints_nothing() -> None:
    assert not may_print("import m\nx = 1\ndef f():\n    print(1)")
    assert may_print("def f(): pass\nf()")
    assert may_print("x")
    assert may_print("x = (")


def test_after_a_lost_state_every_name_is_a_difference() -> None:
    cells = (("import m", "<empty_execution>"), ("f()", "1"), ("m", "<m>"))
    lost = Ran("timeout", state_lost=True)
    found = judged(cells, Ran("ok"), lost, Ran("error", error="NameError", message="name 'm' is not defined"))
    assert [one.reason for one in found] == ["identical", "timed_out_here", "follows_a_difference"]


def test_results_survive_being_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with appending(path) as keep:
        keep({"file": "tora", "line": 1, "cells": [{"status": "ok", "stdout": "1\n"}]})
    with path.open("a") as file:
        file.write('{"file": "tora", "li')
    with appending(path) as keep:
        keep({"file": "tora", "line": 1, "older": "old", "cells": [{"status": "ok", "stdout": "2\n"}]})
        keep({"pair": "ab", "equal": True})
    results = read(path)
    assert results.cells == {("tora", 1): [Ran("ok", "1\n")]}
    assert results.older == {("tora", 1): {"old": [Ran("ok", "2\n")]}}
    assert results.equal == {"ab": True}


async def test_cells_run_in_order_in_one_session(local_sandbox: Sandbox) -> None:
    cells = (("x = 1; x", "1"), ("x + 1", "2"), ("print(x); 1/0", "no"), ("while True: pass", "never"))
    kept: list[dict[str, object]] = []
    row = Recorded("mathcoder", 1, cells)
    await play_all([row], local_sandbox, kept.append, patience=lambda file, output: 1, at_once=1)
    results = Results({}, {}, {}, {})
    [line] = json.loads(json.dumps(kept))
    found = list(judge(row, [Ran(**cell) for cell in line["cells"]], results))
    assert [one.reason for one in found] == ["identical", "identical", "unexplained", "timed_out_here"]
    assert found[2].here == Shown("1", "ZeroDivisionError", "division by zero", 1)


async def test_a_cell_that_never_comes_back_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck:
        async def execute(self, code: str, *, timeout: float) -> object:
            raise TimeoutError

    row = Recorded("mathcoder", 1, (("1", "1"), ("2", "2")))
    done = await play(row, Stuck(), lambda file, output: 1)  # type: ignore[arg-type]
    assert [ran.status for ran in done] == [HANG]
    [found] = judged((("1", "1"),), *done)
    assert found.reason == "ours"
    assert counts([found])["mathcoder"].hangs == 1


def test_the_page_counts_and_cuts() -> None:
    cells = (("a = " + "1" * 500, "5"), ("b", "7"), ("c", "7"))
    found = judged(cells, Ran("ok", result="6"), Ran("ok", result="7"), Ran("ok", result="8"))
    text = page(found, {"kernel": "docker"})
    assert "|identical|1 (33.33 %)|" in text
    assert "|unexplained|2 (66.67 %)|" in text
    assert "1" * 190 in text
    assert "1" * 200 not in text
