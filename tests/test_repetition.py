"""Texts that have fallen into a loop, and texts that have not."""

from __future__ import annotations

import pytest

from tir_agent.agent.repetition import Loop, LoopWatch, find_loop


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("again " * 50, Loop(0, 6)),
        ("I think so. " + "Wait, no.\n" * 30, Loop(12, 10)),
        ("x" * 300, Loop(0, 1)),
        ("Step 1.\nStep 2.\n" * 20, Loop(0, 16)),
    ],
)
def test_a_loop_is_found_where_it_begins(text: str, loop: Loop) -> None:
    assert find_loop(text, 200) == loop


@pytest.mark.parametrize(
    "text",
    [
        "",
        "again " * 20,
        "".join(f"Step {number}: add {number}.\n" for number in range(100)),
        "again " * 50 + "and that is all there is to it.",
        ("a" * 399 + "b") * 3,
    ],
)
def test_what_only_resembles_itself_is_no_loop(text: str) -> None:
    assert find_loop(text, 200) is None


@pytest.mark.parametrize("size", [1, 7, 64, 5000])
def test_the_watch_sees_a_loop_whatever_the_pieces(size: int) -> None:
    text = "Let me think about it. " + "So it is 4. " * 200
    watch = LoopWatch(500)
    assert any(watch.feed(text[start : start + size]) for start in range(0, len(text), size))


def test_the_watch_is_silent_where_it_is_told_to_be() -> None:
    assert not LoopWatch(None).feed("again " * 1000)


def test_a_long_text_costs_no_more_than_its_end() -> None:
    watch = LoopWatch(1000)
    text = "".join(f"{number} " for number in range(100_000))
    assert not any(watch.feed(text[start : start + 10]) for start in range(0, len(text), 10))
