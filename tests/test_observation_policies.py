"""The policies by themselves: literal text in, literal text out, hostile text among it."""

from __future__ import annotations

import itertools

import pytest

from tir_agent.observation.containers import summarise_containers
from tir_agent.observation.excerpt import cut
from tir_agent.observation.figures import name_figures
from tir_agent.observation.floats import round_floats
from tir_agent.observation.python_warnings import collapse_syntax_warnings, drop_warnings
from tir_agent.observation.repetition import collapse_repeats
from tir_agent.observation.terminal import resolve_returns, strip_ansi, strip_controls
from tir_agent.observation.tokens import estimated_tokens, token_ends
from tir_agent.settings import LengthUnit, ObservationPolicy
from tir_agent.trajectory import Image


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\shell", "shell"),
        ("\x1b[2J\x1b[1;1Hhome", "home"),
        ("\x1b(B\x1b7saved\x1b8", "saved"),
        ("no escape [31m here", "no escape [31m here"),
        ("\x1b[0m" * 1000, ""),
        ("\x1b[" + "0" * 1000, "[" + "0" * 1000),
        ("\x1b]never closed", "never closed"),
    ],
)
def test_escape_sequences_are_removed(text: str, plain: str) -> None:
    assert strip_controls(strip_ansi(text)) == plain


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("10%\r55%\r100%\n", "100%\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("  0%|   |\r100%|###|\ndone", "100%|###|\ndone"),
        ("bar\r   \r", "   "),
        ("plain", "plain"),
        ("\r\r\r", ""),
        ("x\r" * 1000 + "y", "y"),
        ("a\rb\nc\rd", "b\nd"),
    ],
)
def test_a_progress_bar_is_shown_in_its_last_state(text: str, resolved: str) -> None:
    assert resolve_returns(text) == resolved


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\x00b", "ab"),
        ("\x00" * 1000, ""),
        ("tab\tline\n", "tab\tline\n"),
        ("bell\x07 back\x08", "bell back"),
        ("\ud800", "\ufffd"),
        ("\udc00x\udfff", "\ufffdx\ufffd"),
        ("déjà 中文 🙂", "déjà 中文 🙂"),
        ("\x85\x9b", ""),
    ],
)
def test_characters_that_nobody_can_see_are_removed(text: str, left: str) -> None:
    assert strip_controls(text) == left


WORDS = "".join(chr(ord("a") + index % 26) for index in range(1000))


@pytest.mark.parametrize("length", [0, 1, 29, 30, 31, 63, 64, 100, 1000])
def test_a_cut_keeps_head_and_tail_and_counts_the_rest(length: int) -> None:
    text = WORDS[:length]
    shown = cut(text, ObservationPolicy(head=20, tail=10))
    if length < 64:
        # The note has 33 characters, or more.
        assert shown == text
    else:
        assert shown == f"{text[:20]}\n... [{length - 30} characters omitted] ...\n{text[-10:]}"


@pytest.mark.parametrize(
    ("text", "policy", "shown"),
    [
        ("a\n" * 50, {"head": 4, "tail": 2}, "a\na\n\n... [94 characters, 47 lines omitted] ...\na\n"),
        ("x" * 100, {"head": 5, "tail": 0}, "xxxxx\n... [95 characters omitted] ..."),
        ("x" * 100, {"head": 0, "tail": 5}, "... [95 characters omitted] ...\nxxxxx"),
        ("x" * 100, {"head": 0, "tail": 0}, "... [100 characters omitted] ..."),
        ("x" * 100, {"head": 2, "tail": 2, "omitted": "..."}, "xx...xx"),
        ("x" * 100, {"head": 2, "tail": 2, "omitted": " {count}/{lines} "}, "xx 96/0 xx"),
        ("1" * 100, {"head": 2, "tail": 3, "unit": "tokens"}, "11\n... [about 95 tokens omitted] ...\n111"),
        ("1" * 100, {"head": 2, "tail": 0, "unit": "tokens"}, "11\n... [about 98 tokens omitted] ..."),
        ("e\u0301" * 50, {"head": 3, "tail": 3, "omitted": "|"}, "e\u0301|e\u0301"),
        (
            "👩\u200d👩\u200d👧" * 20,
            {"head": 7, "tail": 6, "omitted": "|"},
            "👩\u200d👩\u200d👧|👩\u200d👩\u200d👧",
        ),
        ("👍🏽" * 50, {"head": 3, "tail": 3, "omitted": "|"}, "👍🏽|👍🏽"),
        ("\ud83d\ude42" * 50, {"head": 3, "tail": 3, "omitted": "|"}, "\ud83d\ude42|\ud83d\ude42"),
        ("e" + "\u0301" * 99, {"head": 50, "tail": 0, "omitted": "|"}, "e" + "\u0301" * 49 + "|"),
    ],
)
def test_a_long_text_is_cut(text: str, policy: dict[str, object], shown: str) -> None:
    assert cut(text, ObservationPolicy.model_validate(policy)) == shown


@pytest.mark.parametrize("unit", list(LengthUnit))
def test_a_cut_never_makes_a_text_longer(unit: LengthUnit) -> None:
    text = "a1\n é\u0301" * 20
    for length, head, tail in itertools.product(range(0, len(text), 7), (0, 1, 5, 40), (0, 1, 5, 40)):
        policy = ObservationPolicy(head=head, tail=tail, unit=unit)
        shown = cut(text[:length], policy)
        assert len(shown) <= length
        assert shown == text[:length] or "omitted" in shown


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("x", 1),
        ("The answer", 2),
        ("2024", 4),
        ("-" * 64, 4),
        ("中文字", 3),
        ("solution", 2),
        ("\n\n\n", 1),
        ("\x00\ud800", 1),
    ],
)
def test_tokens_are_estimated(text: str, count: int) -> None:
    assert estimated_tokens(text) == count


def test_estimated_tokens_leave_nothing_out() -> None:
    text = "".join(map(chr, range(0x3000))) + WORDS
    ends = list(token_ends(text))
    assert ends == sorted(set(ends))
    assert ends[-1] == len(text)
    assert max(end - start for start, end in itertools.pairwise([0, *ends])) <= 16


HM = "<cell 1>:2: UserWarning: hm\n  warnings.warn('hm')\n"
SYMPY = (
    "<cell 3>:1: SymPyDeprecationWarning: \n\nThe old is deprecated:\n\n    from x import y\n\n"
    "This has been deprecated since SymPy version 1.9. It\nwill be removed in a future version of SymPy.\n\n"
    "  M._mat\n"
)
QUAD = (
    "<cell 2>:1: IntegrationWarning: The maximum number of subdivisions (50) has been achieved.\n"
    "  If increasing the limit yields no improvement it is advised to analyze \n"
    "  the integrand.\n  quad(f, 0, 1)\n"
)


@pytest.mark.parametrize(
    ("stderr", "left"),
    [
        (HM, ""),
        (f"before\n{HM}after\n", "before\nafter\n"),
        ("/opt/venv/lib/numpy/x.py:10: RuntimeWarning: overflow\n  return a * b\nleft\n", "left\n"),
        ("<cell 1>:2: DeprecationWarning: two\nlines\n", "lines\n"),
        ("<>:2: SyntaxWarning: no\n  is the program's\n", "  is the program's\n"),
        ("sys:1: ResourceWarning: open\n  mine\n", "  mine\n"),
        ("<cell 1>:2: UserWarning: hm\n    indented otherwise\n", "    indented otherwise\n"),
        (f"a\n{SYMPY}b\n", "a\nb\n"),
        (f"{QUAD}b\n", "b\n"),
        ("Warning: mine\nx: Warning\n", "Warning: mine\nx: Warning\n"),
        ("note:3: OddWarning: not a file\n", "note:3: OddWarning: not a file\n"),
        ("<cell 1>:1: SymPyDeprecationWarning: \n" + "x\n" * 99, "x\n" * 99),
    ],
)
def test_warnings_are_dropped_and_nothing_else(stderr: str, left: str) -> None:
    assert drop_warnings(stderr) == left


AGAIN = '<>:2: SyntaxWarning: "is" with a literal\n'
NAMED = '<cell 4>:2: SyntaxWarning: "is" with a literal\n  x is 1\n'


@pytest.mark.parametrize(
    ("stderr", "left"),
    [
        (AGAIN + AGAIN + NAMED, NAMED),
        (AGAIN + AGAIN, AGAIN),
        (AGAIN + "mine\n" + NAMED, "mine\n" + NAMED),
        (AGAIN + AGAIN.replace(":2:", ":3:"), AGAIN + AGAIN.replace(":2:", ":3:")),
        (NAMED + NAMED.replace("cell 4", "cell 5"), NAMED + NAMED.replace("cell 4", "cell 5")),
        (HM + HM, HM + HM),
        (AGAIN * 1000, AGAIN),
        ("no SyntaxWarning here\n" * 2, "no SyntaxWarning here\n" * 2),
    ],
)
def test_a_syntax_warning_is_shown_once(stderr: str, left: str) -> None:
    assert collapse_syntax_warnings(stderr) == left


@pytest.mark.parametrize(
    ("text", "digits", "rounded"),
    [
        ("0.30000000000000004", 6, "0.3"),
        ("3.141592653589793*x", 4, "3.142*x"),
        ("0.99999 -9.9999 99.999", 3, "1.0 -10.0 100.0"),
        ("123456.789", 3, "123457.0"),
        ("1.23456789e-17 9.9999e+05 1e-10", 3, "1.23e-17 1.0e+06 1e-10"),
        ("0.000123456", 2, "0.00012"),
        (
            "1.2.34567 x1.23456 v2.34567 plot_1.23456.png a[1.23456]",
            2,
            "1.2.34567 x1.23456 v2.34567 plot_1.23456.png a[1.2]",
        ),
        ("12345678901234567890 0x1.23456p3 1_000.23456", 2, "12345678901234567890 0x1.23456p3 1_000.23456"),
        ("(1.23456+2.34567j)", 3, "(1.23+2.35j)"),
        ("It is 0.333333333. Or 2.0, 1.5.", 3, "It is 0.333. Or 2.0, 1.5."),
        ("0.300000000000000 0.000000", 4, "0.3 0.000000"),
        ("1.23456e9999999 1.2345ex", 2, "1.23456e9999999 1.2345ex"),
        ("0." + "9" * 5000, 3, "1.0"),
        ("9" * 5000 + "." + "9" * 5000, 3, "1" + "0" * 5000 + ".0"),
        ("1.23.45.67 1..23456 .23456", 2, "1.23.45.67 1..23456 .23456"),
        ("[1.23456, 2.34567]\n1,234.56789", 5, "[1.2346, 2.3457]\n1,234.57"),
    ],
)
def test_floats_are_rounded_and_nothing_else(text: str, digits: int, rounded: str) -> None:
    assert round_floats(text, digits) == rounded


NUMBERS = list(range(100))
OMITTED = "... 96 of 100 items omitted ..."
STRINGS = ["a, b", "it's", '"', "\\", "[" * 9] * 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (str(NUMBERS), f"[0, 1, {OMITTED}, 98, 99]"),
        (str(tuple(NUMBERS)), f"(0, 1, {OMITTED}, 98, 99)"),
        (f"Matrix([{NUMBERS}, [1, 2]])", f"Matrix([[0, 1, {OMITTED}, 98, 99], [1, 2]])"),
        (str({key: str(key) for key in NUMBERS}), f"{{0: '0', 1: '1', {OMITTED}, 98: '98', 99: '99'}}"),
        (f"({','.join(['1'] * 100)},)", f"(1,1,{OMITTED},1,1)".replace("...,1,1)", "...,1,1,)")),
        ("[" + ",\n ".join(map(str, NUMBERS)) + "]", f"[0,\n 1,\n {OMITTED},\n 98,\n 99]"),
        (
            "[" + ",\n ".join([*map(str, NUMBERS), "..."]) + "]",
            "[0,\n 1,\n ... 96 of 100 or more items omitted ...,\n 98,\n 99,\n ...]",
        ),
        (str(STRINGS), "['a, b', \"it's\", ... 46 of 50 items omitted ..., '\\\\', '[[[[[[[[[']"),
        ("[1, 2, 3, 4, 5]", "[1, 2, 3, 4, 5]"),
        (f"f({str(NUMBERS)[1:-1]})", f"f({str(NUMBERS)[1:-1]})"),
        (f"[0, 1) and {NUMBERS}", f"[0, 1) and [0, 1, {OMITTED}, 98, 99]"),
        ("[" * 50 + str(NUMBERS), "[" * 50 + f"[0, 1, {OMITTED}, 98, 99]"),
        (f"don't {NUMBERS} it's", f"don't [0, 1, {OMITTED}, 98, 99] it's"),
        (f"['unclosed, {NUMBERS}", f"['unclosed, [0, 1, {OMITTED}, 98, 99]"),
        ("]" * 50 + "}" * 50, "]" * 50 + "}" * 50),
        ("a, " * 100, "a, " * 100),
        (f"(0, 1], {str(NUMBERS)[1:-1]})", f"(0, 1], {str(NUMBERS)[1:-1]})"),
        (
            str([NUMBERS] * 100),
            "[" + f"[0, 1, {OMITTED}, 98, 99], " * 2 + OMITTED + f", [0, 1, {OMITTED}, 98, 99]" * 2 + "]",
        ),
    ],
)
def test_large_containers_are_summarised(text: str, shown: str) -> None:
    assert summarise_containers(text, 4) == shown


LINE = "the same line again, and rather long"


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([LINE] * 5, [LINE, "[the line above was repeated 4 more times]"]),
        (["a", *[LINE] * 3, "b"], ["a", *[LINE] * 3, "b"]),
        (["a", *[LINE] * 4, "b"], ["a", LINE, "[the line above was repeated 3 more times]", "b"]),
        (
            ["one", "two", "three"] * 20,
            ["one", "two", "three", "[the 3 lines above were repeated 19 more times]"],
        ),
        (["0"] * 10, ["0"] * 10),
        (["0"] * 100, ["0", "[the line above was repeated 99 more times]"]),
        ([""] * 100_000, ["", "[the line above was repeated 99999 more times]"]),
        (list("abcdefghi") * 20, list("abcdefghi") * 20),
        ([LINE, LINE, "x"] * 9, [LINE, LINE, "x", "[the 3 lines above were repeated 8 more times]"]),
        ([LINE * 9, "x", LINE * 9], [LINE * 9, "x", LINE * 9]),
    ],
)
def test_repeated_lines_are_shown_once(lines: list[str], shown: list[str]) -> None:
    assert collapse_repeats("\n".join(lines)).split("\n") == shown


FIGURE = "<Figure size 640x480 with 1 Axes>"
PICTURES = [Image(width=5, height=4, png=""), Image(width=7, height=6, png="")]


@pytest.mark.parametrize(
    ("stdout", "images", "shown"),
    [
        (f"{FIGURE}\n", PICTURES[:1], "[1: 5 x 4]\n"),
        (f"a\n{FIGURE}\nb\n", PICTURES[:1], "a\n[1: 5 x 4]\nb\n"),
        (f"{FIGURE}\n{FIGURE}\n", PICTURES, "[1: 5 x 4]\n[2: 7 x 6]\n"),
        (f"{FIGURE}\n{FIGURE}\n", PICTURES[:1], f"[1: 5 x 4]\n{FIGURE}\n"),
        ("a", PICTURES, "a\n[1: 5 x 4]\n[2: 7 x 6]\n"),
        ("", PICTURES[:1], "[1: 5 x 4]\n"),
        (f"{FIGURE}\n", [], f"{FIGURE}\n"),
        (f"see {FIGURE}\n", PICTURES[:1], f"see {FIGURE}\n[1: 5 x 4]\n"),
    ],
)
def test_figures_are_named_once(stdout: str, images: list[Image], shown: str) -> None:
    assert name_figures(stdout, images, "[{number}: {width} x {height}]") == shown


def test_without_a_template_a_figure_keeps_its_text() -> None:
    assert name_figures(f"{FIGURE}\n", PICTURES, "") == f"{FIGURE}\n"


HOSTILE = {
    "one line": "x" * 10**6,
    "digits": "1" * 10**6,
    "versions": "1." * 500_000,
    "nines": "0." + "9" * 10**6,
    "floats": "0.123456789 " * 80_000,
    "lines": "line\n" * 100_000,
    "different lines": "".join(f"{number}\n" for number in range(100_000)),
    "blank lines": "\n" * 10**6,
    "openers": "[" * 10**6,
    "nested": "[1,2,3," * 100_000 + "]" * 100_000,
    "nested at the front": "[" * 100_000 + ",1,2,3]" * 100_000,
    "mismatched": "([{" * 100_000 + "}])" * 100_000 + "]",
    "commas": "[" + "," * 10**6 + "]",
    "blanks in brackets": "[" + ("," + " " * 100) * 10_000 + "]",
    "quotes": "['" + "\\'" * 500_000,
    "other quotes": "[" + "'\"" * 500_000,
    "escapes": "\x1b[" * 500_000,
    "unfinished escape": "\x1b[" + "0" * 500_000 + "/" * 500_000,
    "unfinished commands": "\x1b]0;" * 250_000,
    "returns": "50%\r" * 250_000,
    "NUL": "\0" * 10**6,
    "surrogates": "\ud800" * 10**6,
    "marks": "e" + "\u0301" * 10**6,
    "colons": "<" + ":" * 10**6,
    "headers": "<cell 1>:1: SymPyDeprecationWarning: \n" * 30_000,
    "warnings": "a.py:1: SyntaxWarning: x\n" * 40_000,
    "figures": f"{FIGURE}\n" * 30_000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(60)
def test_hostile_text_is_shown_in_linear_time_and_not_longer(name: str) -> None:
    """What costs the square of a million takes hours."""
    text = HOSTILE[name]
    for policy in (strip_ansi, resolve_returns, strip_controls, drop_warnings, collapse_syntax_warnings):
        assert len(policy(text)) <= len(text)
    assert len(collapse_repeats(text)) <= len(text)
    assert len(round_floats(text, 3)) <= len(text)
    assert len(summarise_containers(text, 4)) <= len(text)
    for unit in LengthUnit:
        assert len(cut(text, ObservationPolicy(unit=unit))) <= len(text)
