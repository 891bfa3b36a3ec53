"""Problems that are too much like a benchmark's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tir_agent.preferences.overlap import Hit, NgramIndex, words_of
from tir_agent.problems import load_problems
from tir_agent.settings import ProblemSource

LONG = "Janet has three brown ducks that lay sixteen eggs a day and she eats 3 of them at breakfast"


def index(*texts: str, n: int = 13) -> NgramIndex:
    made = NgramIndex(n)
    for number, text in enumerate(texts):
        made.add(text, "bench", f"bench.jsonl:{number + 1}")
    return made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Janet\u2019s 1,000 ducks.", "janet's 1000 DUCKS"),
        (r"Find $\dfrac{1}{2}\times x\,$!", r"find \frac 1 2 \cdot x !"),
        (r"$\left( 3,\ \frac{\pi}{2} \right)$", r"(3, \frac{\pi}{2})"),
        (r"$5 \le x$ and $10{,}000$", "5 ≤ x and 10000"),
        ("\uff13\uff0b\uff14", "3+4"),
    ],
)
def test_writings_of_one_problem_are_the_same_words(one: str, other: str) -> None:
    assert words_of(one) == words_of(other)


@pytest.mark.parametrize(
    ("one", "other"), [("3 + 4", "3 - 4"), ("3.5 kg", "35 kg"), ("x < 2", "x > 2"), ("1,2", "12")]
)
def test_other_problems_are_other_words(one: str, other: str) -> None:
    assert words_of(one) != words_of(other)


def test_chinese_is_read_by_character() -> None:
    assert words_of("芳芳买了99页。") == ["芳", "芳", "买", "了", "99", "页"]


def test_enough_words_in_a_row_are_a_hit_that_says_which() -> None:
    found = index("Something else altogether", LONG).find(f"Well: {LONG.upper()}, says Tom. How many?")
    assert found == Hit("bench", "bench.jsonl:2", LONG.lower())


def test_one_word_fewer_is_none() -> None:
    words = LONG.split()
    apart = " ".join([*words[:12], "not", *words[12:]])
    assert index(LONG, n=13).find(apart) is None
    assert index(LONG, n=12).find(apart) is not None


def test_problems_that_differ_in_numbers_alone_do_not_overlap() -> None:
    text = "Tom has {} apples and buys {} more, then eats {}. How many apples has he left?"
    found = index(text.format(5, 7, 2))
    assert found.find(text.format(5, 7, 2)) is not None
    assert found.find(text.format(6, 8, 3)) is None


def test_a_short_problem_of_the_benchmark_must_stand_in_ours_as_a_whole() -> None:
    found = index("What is the sum of 17 and 25?")
    assert found.find(
        "Anna asks: What is the sum of 17 and 25? She waits for an answer, and gets none."
    ) == Hit("bench", "bench.jsonl:1", "what is the sum of 17 and 25")
    assert found.find("Anna asks what is the sum of 17 and 26, and she waits for an answer for hours") is None


def test_a_short_problem_of_ours_must_stand_in_the_benchmark_as_a_whole() -> None:
    found = index(LONG)
    assert found.find("she eats 3 of them") == Hit("bench", "bench.jsonl:1", "she eats 3 of them")
    assert found.find("she eats 4 of them") is None
    assert found.find("she eats 3 of them now") is None


def test_a_very_short_problem_must_be_equal() -> None:
    found = index("Compute 7 + 5", LONG)
    assert found.find("compute $7+5$.") == Hit("bench", "bench.jsonl:1", "compute 7 + 5")
    assert found.find("Compute 7 + 5 + 1 for every one of the ducks that Janet has") is None
    assert found.find("she eats 3") is None


def test_small_n_compares_so_many_words() -> None:
    assert index("a b c d", n=3).find("x b c d y") is not None
    assert index("a b c d", n=3).find("x b c y") is None
    assert index("a b", n=1).find("b") == Hit("bench", "bench.jsonl:1", "b")
    with pytest.raises(ValueError, match="at least one"):
        NgramIndex(0)


@pytest.mark.parametrize("text", ["", " ", "?!", "\\,\\left", "\x00", "\ud800"])
def test_a_text_without_words_overlaps_with_nothing(text: str) -> None:
    assert index(text, LONG).find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "the " * 100_000,
        "1," * 100_000,
        "\\left" * 100_000,
        "-" * 100_000,
        "{,}" * 100_000,
        "1 " * 50_000 + "-",
    ],
)
def test_hostile_text_is_read_to_its_end(text: str) -> None:
    assert index(LONG).find(text + LONG) is not None
    assert index(text).find(LONG) is None


def test_a_benchmark_overlaps_with_itself_and_hardly_with_others(shared_data: Path) -> None:
    sets = {
        name: load_problems(ProblemSource(path=str(shared_data / "benchmarks" / f"{name}.jsonl"))).problems
        for name in ("gsm8k", "svamp", "mawps_singleop", "cmath")
    }
    found = NgramIndex(13)
    for problem in sets["gsm8k"]:
        found.add(problem.text, "gsm8k", problem.source or "")
    for problem in sets["gsm8k"]:
        hit = found.find(problem.text)
        assert hit is not None
        assert hit.line == problem.source
    for name in ("svamp", "mawps_singleop", "cmath"):
        assert not [problem.text for problem in sets[name] if found.find(problem.text)]
