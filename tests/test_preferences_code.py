"""Code without its wording."""

from __future__ import annotations

import ast
import warnings

import pytest

from tir_agent.preferences.code import digest, has_statement, normalised_code

PLAIN = "x = 'a'\nfor i in range(3):\n    print(x, i)"


@pytest.mark.parametrize(
    "other",
    [
        '# a comment\nx = "a"\n\n\nfor i in range( 3 ):\n\tprint(x,i)  # done',
        "x = '''a'''; \nfor i in range(3): print(x, i,)",
        "(x) = 'a'\r\nfor i in (range(3)):\r\n  print(x,\r\n        i)\r\n",
    ],
)
def test_layout_comments_and_quotes_make_no_difference(other: str) -> None:
    assert normalised_code([other]) == normalised_code([PLAIN]) == PLAIN


@pytest.mark.parametrize(
    "other", [PLAIN.replace(*change) for change in [("x", "y"), ("3", "4"), ("'a'", "'a '")]]
)
def test_names_numbers_and_strings_make_one(other: str) -> None:
    assert digest(normalised_code([other])) != digest(normalised_code([PLAIN]))


def test_where_one_cell_ends_and_the_next_begins_makes_no_difference() -> None:
    assert normalised_code(PLAIN.split("\n", 1)) == normalised_code([PLAIN])


def test_docstrings_are_comments_and_other_strings_are_not() -> None:
    bare = "def f():\n    return 1"
    assert normalised_code(['def f():\n    "Says what it does."\n    return 1']) == bare
    assert normalised_code(['class A:\n    """Alone."""']) == "class A:\n    pass"
    assert normalised_code(["'shown'"]) == normalised_code(['"shown"']) != ""


def test_magics_are_kept_and_the_python_beside_them_is_read() -> None:
    one = normalised_code(["%matplotlib inline\nx = 'a'  # a name"])
    assert one == normalised_code(['%matplotlib inline\n\nx = "a"'])
    assert one != normalised_code(["%matplotlib notebook\nx = 'a'"])
    assert one != normalised_code(["x = 'a'"])
    assert normalised_code(["if x:\n    !ls"]) == normalised_code(["if x:\n  !ls"])


def test_what_is_no_python_loses_blank_lines_comments_and_spaces() -> None:
    assert normalised_code(["Jack has  5 apples\n\n# so\n  x = = 3\t"]) == "Jack has 5 apples\nx = = 3"


def test_nothing_is_nothing() -> None:
    assert normalised_code([]) == normalised_code(["", "  \n", "# only this"]) == ""
    assert not has_statement(" # only this\n\n\t#")
    assert has_statement("# this\n%time")


HOSTILE = {
    "brackets": "(" * 100_000,
    "signs": "-" * 40_000 + "1",
    "sum": "+".join("1" * 20_000),
    "attributes": "a" + ".b" * 20_000,
    "calls": "f" + "()" * 20_000,
    "elifs": "if x:\n  pass\n" + "elif x:\n  pass\n" * 3_000,
    "indents": "".join(f"{' ' * depth}if x:\n" for depth in range(200)),
    "zero": "x = 1\x00\n",
    "surrogate": "x = '\ud800'",
    "digits": "1" * 10_000,
    "hexadecimal": "0x" + "f" * 40_000,
    "megabyte": "x = 1\n" * 180_000,
    "one line": "x" * 1_000_000,
    "blanks": " " * 1_000_000,
    "form feeds": "\x0c" * 100_000 + "%a",
    "f-strings": 'f"' + "{" * 400,
    "escapes": r"x = '\d\q'",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_hostile_code_has_a_digest_too(code: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert digest(normalised_code([code])) == digest(normalised_code([code]))


def test_what_is_normal_stays_as_it_is() -> None:
    once = normalised_code([PLAIN, "def f(a, *, b=1):\n    return {**a, 'b': [b for b in a if b]}"])
    ast.parse(once)
    assert normalised_code([once]) == once
