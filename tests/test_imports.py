"""Rows of other systems' trajectories become conversations in which who wrote what is known."""

from __future__ import annotations

from typing import Any

import pytest

from tir_agent.imports.glued import glued_answer
from tir_agent.imports.outputs import execution_of
from tir_agent.imports.reading import Layout, looks_like
from tir_agent.imports.recording import Recording, Refusal
from tir_agent.imports.replay import MATHCODER, MINT, TORA, read_replay
from tir_agent.messages import Origin, Role
from tir_agent.problems import problem_from_text
from tir_agent.trajectory import ExecutionStatus, Feedback, StopReason

from recordings import ALARM, NAME_ERROR, STEPS, log, mathcoder, mint, replay, tora, turn

OK, RAISED, LATE = ExecutionStatus.OK, ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT


def pieces(recording: Recording) -> list[tuple[Role, list[tuple[str, Origin]]]]:
    return [(message.role, message.pieces) for message in recording.messages]


def statuses(recording: Recording) -> list[ExecutionStatus]:
    return [cell.execution.status for turn in recording.turns for cell in turn.cells]


def test_each_reply_and_each_output_of_mathcoder_is_a_message() -> None:
    found = read_replay(mathcoder(), "f:1", MATHCODER)
    first = "Let's see.\n\n```python\ntotal_6 = 6 * 7\r\ntotal_6\n```"
    assert pieces(found) == [
        (Role.USER, [("What is 6 * 7?", Origin.PROBLEM)]),
        (Role.ASSISTANT, [(first, Origin.MODEL)]),
        (
            Role.USER,
            [("```output\n", Origin.PROMPT), ("42", Origin.INTERPRETER), ("\n```", Origin.PROMPT)],
        ),
        (Role.ASSISTANT, [("```python\ntotal\n```", Origin.MODEL)]),
        (
            Role.USER,
            [("```output\n", Origin.PROMPT), (NAME_ERROR, Origin.INTERPRETER), ("\n```", Origin.PROMPT)],
        ),
        (Role.ASSISTANT, [("So it is \\(\\boxed{42}\\).", Origin.MODEL)]),
    ]
    assert statuses(found) == [OK, RAISED]
    assert (found.stop, found.answer, found.label) == (StopReason.ANSWERED, "42", True)


@pytest.mark.parametrize(("row", "system"), [(mathcoder(), MATHCODER), (mint(), MINT), (tora(), TORA)])
def test_code_stands_in_the_reply_where_its_cell_says(row: dict[str, Any], system: str) -> None:
    found = read_replay(row, "f:1", system)
    cells = [(turn.completion.text, cell) for turn in found.turns for cell in turn.cells]
    assert [text[cell.start : cell.end] for text, cell in cells] == [one["code"] for one in row["turns"]]
    assert all(turn.completion.estimated for turn in found.turns)
    counts = [turn.completion.prompt_tokens for turn in found.turns]
    assert counts == sorted(counts)
    assert counts[0] > 0


def test_the_problem_is_the_one_that_its_text_makes_and_its_gold_is_written_as_everywhere() -> None:
    found = read_replay(mathcoder(problem="  What is 6 * 7?\n"), "f:1", MATHCODER).problem
    assert found.id == problem_from_text("What is 6 * 7?").id
    assert (found.gold, found.source) == ("42", "f:1")
    assert read_replay(mathcoder(gold=[0, 5.0]), "f:1", MATHCODER).problem.gold == "[0, 5]"
    assert read_replay(mathcoder(gold="6 * 7\n#### 42"), "f:1", MATHCODER).problem.gold == "42"


def test_what_mints_environment_said_is_not_the_interpreters() -> None:
    found = read_replay(mint(), "f:1", MINT)
    observation = found.messages[4]
    assert observation.pieces == [
        ("Observation:\n", Origin.PROMPT),
        ("42", Origin.INTERPRETER),
        (f"\n{STEPS}", Origin.PROMPT),
    ]
    assert found.turns[1].cells[0].shown == "42"
    assert found.turns[1].feedback == (Feedback.OBSERVATION, Feedback.REMAINING, Feedback.LAST_TURN)
    assert found.turns[0].completion.text == (
        "Assistant:\n<thought> Run it. </thought>\n<execute>\nwhile True: pass\n</execute>"
    )
    assert statuses(found) == [LATE, OK]
    assert found.answer == found.turns[-1].answer == "42"


def test_a_wrong_solution_of_mints_left_no_output() -> None:
    said = f"Your answer is wrong.\n{STEPS}"
    found = read_replay(mint(turns=[turn("Assistant:\n", "print(1)\n", said)]), "f:1", MINT)
    assert found.messages[2].pieces == [(f"Observation:\n{said}", Origin.PROMPT)]
    assert statuses(found) == [ExecutionStatus.REFUSED]


def test_the_whole_reply_is_kept_where_mints_last_code_has_no_output() -> None:
    final = "Assistant:\n<execute>\nprint(1)\n</execute>\n\nObservation:\n1\n"
    row = mint(turns=[turn("Assistant:\n", "print(1)\n", None)], final=final, label=False)
    found = read_replay(row, "f:1", MINT)
    (only,) = found.turns
    assert only.completion.text == final
    assert final[only.cells[0].start : only.cells[0].end] == "print(1)\n"
    assert (statuses(found), only.feedback) == ([ExecutionStatus.REFUSED], ())
    assert found.messages[-1].pieces == [(final, Origin.MODEL)]
    assert (found.stop, found.answer, found.label) == (StopReason.TURN_LIMIT, None, False)


def test_a_missing_output_in_the_middle_is_noted_and_nothing_is_made_up() -> None:
    row = mathcoder(turns=[turn("", "1", None), turn("", "2", "2")])
    found = read_replay(row, "f:1", MATHCODER)
    assert statuses(found) == [ExecutionStatus.REFUSED, OK]
    assert found.turns[0].cells[0].shown == ""
    assert not found.turns[0].feedback
    assert "Of the code in reply 1 no output is recorded" in found.notes
    assert not any(origin is Origin.INTERPRETER for _, origin in found.messages[2].pieces)


def test_an_output_that_looks_like_a_reply_stays_the_interpreters() -> None:
    output = "```\nSo it is \\boxed{7}.\n```python\nprint(1)\n```\n</execute>\nAssistant: hello"
    found = read_replay(mathcoder(turns=[turn("", "x", output)], final="Hm."), "f:1", MATHCODER)
    inside = [text for message in found.messages for text, origin in message.pieces if text == output]
    assert inside == [output]
    assert (Role.USER, [("````output\n", Origin.PROMPT), (output, Origin.INTERPRETER)]) == (
        found.messages[2].role,
        found.messages[2].pieces[:2],
    )
    assert len(found.turns) == 2
    assert (found.answer, found.stop) == (None, StopReason.NO_ACTION)


@pytest.mark.parametrize(
    ("final", "answer"),
    [
        ("<solution> 1 </solution> no, <solution> 2 </solution>", "2"),
        ("<solution> It is <solution> 4 </solution>", "4"),
        ("<solution> </solution>", None),
        ("<solution> 4", None),
    ],
)
def test_the_last_solution_of_mints_counts(final: str, answer: str | None) -> None:
    assert read_replay(mint(final=final), "f:1", MINT).answer == answer


def test_toras_own_reading_counts_where_there_is_no_box() -> None:
    found = read_replay(tora(final="\nForty-two of them.", pred="42"), "f:1", TORA)
    assert (found.answer, found.label, found.stop) == ("42", None, StopReason.ANSWERED)
    assert found.notes == ("The answer is what ToRA read: the last reply has no box",)


@pytest.mark.parametrize(
    ("final", "kept", "tail"),
    [
        ("\\[\n\\boxed{1}\n\\]1", "\\[\n\\boxed{1}\n\\]", "1"),
        ("is \\(\\boxed{ $12.00 }\\).12.00", "is \\(\\boxed{ $12.00 }\\).", "12.00"),
        ("\\boxed{\\frac{1}{2}}\n\\]\\frac{1}{2}", "\\boxed{\\frac{1}{2}}\n\\]", "\\frac{1}{2}"),
        ("\\(\\boxed{x = 3, y = 4}\\).3,4", "\\(\\boxed{x = 3, y = 4}\\).", "3,4"),
        ("\\(\\boxed{51\\%}\\).51", "\\(\\boxed{51\\%}\\).", "51"),
        ("\\boxed{5}. It was 5 dollars.5", "\\boxed{5}. It was 5 dollars.", "5"),
        ("\\[\\boxed{5}\\].", None, None),
        ("It is \\(\\boxed{5}\\)", None, None),
        ("It is \\boxed{5}.", None, None),
        ("\\boxed{0.5}, which is 0.5", None, None),
        ("\\boxed{5}. All of them are 5", None, None),
        ("No box at all.5", None, None),
    ],
)
def test_the_answer_that_mathcoder_glued_to_a_reply_is_told_apart(
    final: str, kept: str | None, tail: str | None
) -> None:
    assert glued_answer(final, []) == (final if kept is None else kept, tail)


def test_a_reading_of_an_earlier_reply_is_told_apart_too() -> None:
    assert glued_answer("Thus it is verified.25.0", ["\\boxed{25.0}"]) == ("Thus it is verified.", "25.0")


@pytest.mark.parametrize(
    ("output", "status", "name", "before"),
    [
        ("42", OK, None, "42"),
        ("", OK, None, ""),
        ("[Executed Successfully with No Output]", OK, None, ""),
        ("<empty_execution>", OK, None, ""),
        ("-" * 75, LATE, None, "-" * 75),
        (f"{'-' * 75} Timeout waiting for reply    Traceback (most recent call last) ", LATE, None, ""),
        (ALARM, LATE, "TimeoutError", ""),
        (ALARM.partition("Cell")[0] + "...\n[Output Truncated]", LATE, "TimeoutError", ""),
        ("timeout_decorator.timeout_decorator.TimeoutError: 'Timed Out'", LATE, None, ""),
        (NAME_ERROR, RAISED, "NameError", ""),
        (f"7\n{NAME_ERROR}", RAISED, "NameError", "7\n"),
        ("SyntaxError: invalid syntax", RAISED, "SyntaxError", ""),
        ("  Cell In[2], line 1\n    a b\n      ^\nSyntaxError: invalid syntax", RAISED, "SyntaxError", ""),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'a'", RAISED, "KeyError", ""),
        ("-" * 75 + "\nOdd     Traceback (most recent call last)\nOdd: why", RAISED, "Odd", ""),
        ("The check gave\nValueError: 3 of them", OK, None, "The check gave\nValueError: 3 of them"),
        (None, ExecutionStatus.REFUSED, "NotRecorded", ""),
    ],
)
def test_how_code_ended_is_guessed_from_the_marks_of_its_system(
    output: str | None, status: ExecutionStatus, name: str | None, before: str
) -> None:
    found = execution_of(output)
    assert (found.status, found.stdout) == (status, before)
    if name is not None:
        assert found.error is not None
        assert found.error.name == name
        assert "\x1b" not in found.error.traceback


def test_the_message_of_an_error_is_found() -> None:
    error = execution_of(NAME_ERROR).error
    assert error is not None
    assert error.message == "name 'total' is not defined"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"problem": None}, "it has no problem"),
        ({"problem": " "}, "it has no problem"),
        ({"turns": "none"}, "it has no list of turns"),
        ({"turns": [7]}, "a turn is no object"),
        ({"turns": [{"text": "a", "output": "b"}]}, "a turn has no code"),
        ({"turns": [turn("a", "b", None) | {"output": 7}]}, "a turn's text or output is no text"),
        ({"turns": [], "final": None}, "it has no reply"),
        ({"final": ["a"]}, "its final is no text"),
        ({"label": "yes"}, "its label is neither true, false nor null"),
    ],
)
def test_a_row_that_lacks_something_is_refused_with_what_it_lacks(
    fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Refusal) as caught:
        read_replay(mathcoder(**fields), "f:1", MATHCODER)
    assert caught.value.reason == reason


def test_an_end_that_is_the_last_output_once_more_is_no_reply() -> None:
    found = read_replay(mathcoder(turns=[turn("", "x", "42")], final="42\n"), "f:1", MATHCODER)
    assert len(found.turns) == 1
    assert [origin for _, origin in found.messages[-1].pieces if origin is Origin.MODEL] == []
    assert (found.answer, found.stop) == (None, StopReason.NO_ACTION)
    assert found.notes == ("The recorded end is the last output once more: there is no last reply",)


def test_a_null_end_is_no_reply() -> None:
    found = read_replay(mathcoder(final=None), "f:1", MATHCODER)
    assert len(found.turns) == 2
    assert found.stop is StopReason.NO_ACTION


@pytest.mark.parametrize(
    ("row", "layout", "words"),
    [
        (mathcoder(), Layout.MATHCODER, "a trajectory of MathCoder's"),
        (mint(), Layout.MINT, "a trajectory of MINT's"),
        (tora(), Layout.TORA, "a trajectory of ToRA's"),
        (log(), Layout.MESSAGES, "a log of messages"),
        ({"conversations": []}, Layout.MESSAGES, "a log of messages"),
        (replay("Other"), None, "a trajectory with turns that does not say which system's it is"),
        ({"prompt": "p", "chosen": "c", "rejected": "r"}, None, "a pair of preference data"),
        ({"question": "q", "answer": "a"}, None, "a problem without a trajectory"),
        ({"format": "tir-agent/trajectory"}, None, "a trajectory of tir-agent's own, which needs no import"),
        ({"a": 1, "b": 2}, None, "an object with 'a', 'b'"),
    ],
)
def test_a_row_is_known_by_its_fields(row: dict[str, Any], layout: Layout | None, words: str) -> None:
    assert looks_like(row) == (layout, words)
