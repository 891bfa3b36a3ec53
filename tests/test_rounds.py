"""Rounds of self-correction: an answer counts in the last conclusion alone."""

from __future__ import annotations

import pytest

from tir_agent.answers import extract_answer
from tir_agent.protocols import Action, Malformed, RoundsProtocol
from tir_agent.settings import Fences, Rounds
from tir_agent.trajectory import Completion, FinishReason

PROGRAM = "```python\nprint(1)\n```\n"


def parse(text: str, choice: Rounds | None = None, finish: FinishReason = FinishReason.STOP) -> Action:
    return RoundsProtocol(choice or Rounds()).parse(
        Completion(text=text, finish_reason=finish, prompt_tokens=1, completion_tokens=1, duration=0.0)
    )


@pytest.mark.parametrize(
    "text",
    [
        "Verification: fits.\nConclusion: the answer is \\boxed{4}.",
        "**Verification**\nIt fits.\n**Conclusion:** the answer is \\boxed{4}.",
        "### 3. Verification\nIt fits.\n### 4. Conclusion\nThe answer is \\boxed{4}.",
        "conclusion -\n\\boxed{3}\nConclusion: \\boxed{4}",
        "Conclusion： \\boxed{4}",
    ],
)
def test_the_answer_is_in_the_conclusion(text: str) -> None:
    assert extract_answer(parse(text).prose) == "4"


@pytest.mark.parametrize(
    "text",
    [
        "The answer is \\boxed{4}.",
        "Verification: \\boxed{4} fits.\nConclusion: another program is needed.",
        "Verification: \\boxed{4} fits.",
        "Conclusion: \\boxed{4}\nVerification: but no.",
        "Conclusions are drawn: \\boxed{4}.",
        f"Conclusion: \\boxed{{4}}, or rather:\n{PROGRAM}",
    ],
)
def test_no_answer_counts_elsewhere(text: str) -> None:
    assert extract_answer(parse(text).prose) is None


def test_a_conclusion_that_asks_for_another_program_and_has_it_is_one_action() -> None:
    text = f"Verification: wrong.\nConclusion: \\boxed{{3}} cannot be; once more.\n{PROGRAM}"
    action = parse(text)
    assert [block.code for block in action.blocks] == ["print(1)"]
    assert action.prose == ""


def test_an_invented_round_is_cut_off() -> None:
    text = f"{PROGRAM}```output\n7\n```\nVerification: fine.\nConclusion: \\boxed{{7}}"
    action = parse(text)
    assert text[action.kept :].startswith("```output")
    assert extract_answer(action.prose) is None


def test_headings_in_code_are_code() -> None:
    action = parse("```python\n'''\nConclusion: \\boxed{1}\n'''\n```")
    assert extract_answer(action.prose) is None


def test_headings_and_fences_can_be_chosen() -> None:
    choice = Rounds(conclusion=("结论",), fences=Fences(languages=("py",)))
    action = parse("```py\n1\n```\n结论：\\boxed{4}", choice)
    assert len(action.blocks) == 1
    assert extract_answer(action.prose) == "4"


def test_a_program_that_was_cut_off_is_told() -> None:
    assert parse("```python\nprint(", finish=FinishReason.LENGTH).malformed is Malformed.CUT_OFF


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["Conclusion: ", "Conclusion:\n", "# ", "*", " ", "- 1. ** # Conclusion "])
def test_hostile_replies_are_read_in_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert parse(text).kept == len(text)
