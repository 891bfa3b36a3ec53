"""Problems as users give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tir_agent.errors import ProblemError
from tir_agent.problems import MAX_CHARS, problem_from_bytes, problem_from_file, problem_from_text


def test_the_id_depends_on_the_text_alone() -> None:
    first = problem_from_text(" What is $\\frac{1}{2}$ of 四? \n", gold="2")
    second = problem_from_text("What is $\\frac{1}{2}$ of 四?")
    assert first.id == second.id
    assert first.text == "What is $\\frac{1}{2}$ of 四?"
    assert first.id != problem_from_text("another").id


@pytest.mark.parametrize("text", ["", " \n\t", "\x00abc", "x" * (MAX_CHARS + 1)])
def test_what_is_no_problem_is_refused(text: str) -> None:
    with pytest.raises(ProblemError):
        problem_from_text(text)


def test_200_kilobytes_are_accepted() -> None:
    assert len(problem_from_text("数" * 200_000).text) == 200_000


def test_binary_data_is_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    with pytest.raises(ProblemError, match=r"image\.png is not UTF-8 text \(byte 0\)"):
        problem_from_file(path)


def test_a_byte_order_mark_is_not_part_of_the_problem() -> None:
    assert problem_from_bytes(b"\xef\xbb\xbf2+2", source="x").text == "2+2"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="No such file"):
        problem_from_file(tmp_path / "none.txt")
    with pytest.raises(ProblemError, match="directory"):
        problem_from_file(tmp_path)
