"""Subtasks: a program for each, its title known, and an answer from the summary alone."""

from __future__ import annotations

import pytest

from tir_agent.answers import extract_answer
from tir_agent.protocols import Action, Malformed, SubtasksProtocol
from tir_agent.settings import Subtasks
from tir_agent.trajectory import Completion, FinishReason


def parse(text: str, finish: FinishReason = FinishReason.STOP) -> Action:
    return SubtasksProtocol(Subtasks()).parse(
        Completion(text=text, finish_reason=finish, prompt_tokens=1, completion_tokens=1, duration=0.0)
    )


def fenced(code: str) -> str:
    return f"```python\n{code}\n```\n"


def test_each_program_knows_its_subtask() -> None:
    text = f"### Subtask 1: the sum\n{fenced('s = 1')}**Subtask 2**: print it\n{fenced('print(s)')}"
    action = parse(text)
    assert [(block.title, block.code) for block in action.blocks] == [
        ("the sum", "s = 1"),
        ("print it", "print(s)"),
    ]


def test_a_decomposition_is_a_list_and_no_programs_title() -> None:
    text = f"1. Subtask 1: the sum\n2. Subtask 2: print it\n\n{fenced('print(1)')}"
    assert [block.title for block in parse(text).blocks] == [None]


def test_a_comment_names_the_subtask_before_any_heading() -> None:
    programs = fenced("# Subtask 1: the sum\ns = 1") + fenced("# Subtask 2\ns")
    text = f"Subtask 1: a\nSubtask 2: b\n{programs}"
    assert [block.title for block in parse(text).blocks] == ["the sum", "2"]


def test_a_program_that_goes_on_under_the_same_heading_has_no_title_of_its_own() -> None:
    assert [block.title for block in parse(f"Subtask 1: a\n{fenced('1')}{fenced('2')}").blocks] == ["a", None]


@pytest.mark.parametrize(
    "text",
    [
        "Final answer: \\boxed{4}",
        "Subtask 1 gave \\boxed{3}.\n\n## Summary\nTogether \\boxed{4}.",
        "The pieces add up, so \\boxed{4}.",
        f"Subtask 1: a\n{fenced('1')}Summary: \\boxed{{4}}",
    ],
)
def test_the_answer_is_in_the_summary(text: str) -> None:
    assert extract_answer(parse(text).prose) == "4"


@pytest.mark.parametrize(
    "text",
    [
        "Subtask 1: the sum is \\boxed{3}",
        f"So \\boxed{{3}}.\n{fenced('1')}",
        f"{fenced('1')}So \\boxed{{3}}.",
        f"Final answer: \\boxed{{3}}, but check:\n{fenced('1')}",
        "Final answer: none yet.\nSubtask 2: \\boxed{3}",
    ],
)
def test_no_answer_counts_elsewhere(text: str) -> None:
    assert extract_answer(parse(text).prose) is None


def test_an_invented_output_ends_the_reply() -> None:
    text = f"Subtask 1: a\n{fenced('1')}```output\n1\n```\nFinal answer: \\boxed{{1}}"
    action = parse(text)
    assert text[action.kept :].startswith("```output")
    assert action.prose == ""


def test_a_program_that_was_cut_off_is_told() -> None:
    action = parse("Subtask 1: a\n```python\nprint(", FinishReason.LENGTH)
    assert action.malformed is Malformed.CUT_OFF


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["Subtask 1: x\n" + fenced("1"), "Subtask ", "Subtask 1:\n", fenced("# Subtask")]
)
def test_hostile_replies_are_read_in_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert parse(text).kept == len(text)
