"""ToRA's form, read by ToRA's own rule of lines."""

from __future__ import annotations

import pytest

from tir_agent.protocols import Action, Malformed, RationaleProtocol
from tir_agent.settings import Rationale
from tir_agent.trajectory import Completion, FinishReason


def parse(text: str, finish: FinishReason = FinishReason.STOP) -> Action:
    return RationaleProtocol(Rationale()).parse(
        Completion(text=text, finish_reason=finish, prompt_tokens=1, completion_tokens=1, duration=0.0)
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Multiply.\n```python\nprint(1)\n```", "print(1)\n"),
        ("```python\nprint(1)\n```\n```output\n", "print(1)\n"),
        ("```python\nprint(1)", "print(1)\n"),
        ("```python\na = 1\n```\nNo.\n```python\nprint(2)\n```", "print(2)\n"),
        ("```python\na = 1\n```python\nprint(2)\n```", "print(2)\n"),
        ("```python3 title\nprint(1)\n```", "print(1)\n"),
        ("```python\ns = '''\n```\n'''\n", "s = '''\n"),
        ("```python\n\nprint(1)\n\n```", "\nprint(1)\n\n"),
    ],
)
def test_the_last_program_of_a_reply_runs(text: str, code: str) -> None:
    (block,) = parse(text).blocks
    assert block.code == code
    assert text[block.start : block.end] == code.removesuffix("\n") + "\n" * text[block.end - 1].isspace()


@pytest.mark.parametrize(
    "text", ["", "prose", " ```python\nprint(1)\n ```", "```\nprint(1)\n```", "```sql\n1\n```"]
)
def test_what_is_no_program_is_prose(text: str) -> None:
    action = parse(text)
    assert action.blocks == ()
    assert action.malformed is None


def test_an_invented_output_ends_the_reply() -> None:
    text = "```python\nprint(1)\n```output\n7\n```\nSo \\boxed{7}."
    action = parse(text)
    assert text[action.kept :].startswith("```output\n7")
    assert [block.code for block in action.blocks] == ["print(1)\n"]
    assert "boxed" not in action.prose


def test_no_program_is_prose_not_even_one_that_does_not_run() -> None:
    action = parse("a\n```python\n'\\boxed{1}'\n```\nb\n```python\n2\n```\nc")
    assert action.prose.split() == ["a", "b", "c"]


def test_a_program_that_was_cut_off_is_not_run() -> None:
    action = parse("```python\n1\n```\n```python\nprint(", FinishReason.LENGTH)
    assert action.blocks == ()
    assert action.malformed is Malformed.CUT_OFF


def test_an_empty_program_is_malformed() -> None:
    assert parse("```python\n\n```").malformed is Malformed.EMPTY


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["`", "```python\n", "```\n", "```python\n1\n```\n"])
def test_hostile_replies_are_read_in_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert parse(text).kept == len(text)
