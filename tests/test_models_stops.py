"""Stop strings: the same result however the text is cut, and nothing heard that is taken back."""

from __future__ import annotations

import itertools
import random

import pytest

from tir_agent.models.stops import StopFilter


def run(pieces: list[str], stops: list[str]) -> tuple[list[str], str | None]:
    stop = StopFilter(stops)
    heard = [stop.feed(piece) for piece in pieces]
    return [*heard, stop.flush()], stop.hit


@pytest.mark.parametrize(
    ("text", "stops", "kept", "hit"),
    [
        ("a```output b", ["```output"], "a", "```output"),
        ("nothing here", ["```output"], "nothing here", None),
        ("ends like ```out", ["```output"], "ends like ```out", None),
        ("````output", ["```output"], "`", "```output"),
        ("xabc", ["abc", "b"], "xa", "b"),
        ("xabc", ["bc", "abc"], "x", "abc"),
        ("ab abc", ["abc"], "ab ", "abc"),
        ("aab", ["ab"], "a", "ab"),
        ("数学。结束", ["。结"], "数学", "。结"),
        ("", ["x"], "", None),
        ("text", [], "text", None),
    ],
)
def test_every_way_to_cut_gives_the_same(text: str, stops: list[str], kept: str, hit: str | None) -> None:
    for cuts in range(min(len(text), 3) + 1):
        for places in itertools.combinations(range(1, len(text)), cuts):
            edges = [0, *places, len(text)]
            pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
            heard, found = run(pieces, stops)
            assert ("".join(heard), found) == (kept, hit), pieces


def test_random_texts_over_two_letters_agree_with_one_letter_at_a_time() -> None:
    dice = random.Random(7)
    for _ in range(3000):
        text = "".join(dice.choices("ab", k=dice.randint(0, 12)))
        stops = ["".join(dice.choices("ab", k=dice.randint(1, 4))) for _ in range(dice.randint(0, 3))]
        expected = run(list(text), stops)
        places = sorted(dice.sample(range(len(text) + 1), k=min(2, len(text) + 1)))
        pieces = [text[start:end] for start, end in itertools.pairwise([0, *places, len(text)])]
        heard, hit = run(pieces, stops)
        assert ("".join(heard), hit) == ("".join(expected[0]), expected[1]), (text, stops, pieces)
        assert not any(stop in "".join(heard) for stop in stops)


def test_only_what_may_begin_a_stop_is_held_back() -> None:
    stop = StopFilter(["```output"])
    assert stop.feed("x = 1\n```") == "x = 1\n"
    assert stop.feed("python") == "```python"


def test_nothing_passes_after_the_stop() -> None:
    stop = StopFilter(["END"])
    assert stop.feed("aEND b") == "a"
    assert stop.feed("c") + stop.flush() == ""


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        StopFilter(["ok", ""])
