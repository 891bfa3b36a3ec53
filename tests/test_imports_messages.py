"""Logs of messages become conversations in which who wrote what is known."""

from __future__ import annotations

from typing import Any

import pytest

from tir_agent.imports.coding import called_code, parts_of, unwrapped
from tir_agent.imports.messages import read_messages
from tir_agent.imports.recording import Refusal
from tir_agent.imports.verdicts import verdict_in
from tir_agent.imports.writing import trajectory_of
from tir_agent.messages import Origin, Role, ToolCall
from tir_agent.preferences import conversation_of
from tir_agent.trajectory import ExecutionStatus, Feedback, Sample, StopReason

from recordings import CODED, assistant, call, log, user

MODEL, PROMPT, PROBLEM, INTERPRETER = Origin.MODEL, Origin.PROMPT, Origin.PROBLEM, Origin.INTERPRETER
ASKED = user("What is 6 * 7?")


def test_a_users_message_behind_code_is_an_output_inside_its_fence() -> None:
    found = read_messages(log(model="m", id=7), "f:1")
    assert [(message.role, message.pieces) for message in found.messages] == [
        (Role.SYSTEM, [("You solve problems.", PROMPT)]),
        (Role.USER, [("What is 6 * 7?", PROBLEM)]),
        (Role.ASSISTANT, [(CODED, MODEL)]),
        (Role.USER, [("```output\n", PROMPT), ("42", INTERPRETER), ("\n```", PROMPT)]),
        (Role.ASSISTANT, [("It is \\boxed{42}.", MODEL)]),
    ]
    assert found.turns[0].cells[0].shown == "42"
    assert found.turns[0].cells[0].execution.stdout == "42"
    assert found.turns[0].feedback == (Feedback.OBSERVATION,)
    assert (found.model, found.own_id, found.answer, found.stop) == ("m", "7", "42", StopReason.ANSWERED)


def test_a_tools_message_answers_its_call() -> None:
    found = read_messages(
        log(
            ASKED,
            assistant(None, call("print(6)", "x"), call("print(7)", "y")),
            {"role": "tool", "tool_call_id": "y", "content": [{"type": "text", "text": "7"}]},
            {"role": "tool", "tool_call_id": "x", "content": "6"},
            assistant("\\boxed{42}"),
        ),
        "f:1",
    )
    assert [(cell.code, cell.shown, cell.call_id) for cell in found.turns[0].cells] == [
        ("print(6)", "6", "x"),
        ("print(7)", "7", "y"),
    ]
    assert [message.call_id for message in found.messages] == [None, None, "y", "x", None]
    assert [message.role for message in found.messages[2:4]] == [Role.TOOL, Role.TOOL]
    assert found.messages[2].pieces == [("7", INTERPRETER)]


def test_calls_without_ids_get_some_and_are_answered_in_order() -> None:
    found = read_messages(
        log(
            ASKED,
            assistant("One.", call("1", None)),
            {"role": "tool", "content": "1"},
            assistant("Two.", call("2", None)),
            {"role": "tool", "content": "2"},
        ),
        "f:1",
    )
    assert [cell.call_id for turn in found.turns for cell in turn.cells] == ["call-1", "call-2"]
    assert [message.call_id for message in found.messages] == [None, None, "call-1", None, "call-2"]


def test_sharegpts_words_and_call_are_one_reply() -> None:
    said = [
        {"from": "human", "value": "What is 6 * 7?"},
        {"from": "gpt", "value": "Run it."},
        {"from": "function_call", "value": '{"name": "python", "arguments": {"code": "1 / 0"}}'},
        {"from": "observation", "value": "ZeroDivisionError: division by zero"},
        {"from": "gpt", "value": "It is \\boxed{42}."},
    ]
    found = read_messages({"conversations": said, "system": "Be brief."}, "f:1")
    assert [message.role for message in found.messages] == [
        Role.SYSTEM,
        Role.USER,
        Role.ASSISTANT,
        Role.TOOL,
        Role.ASSISTANT,
    ]
    assert found.turns[0].completion.text == "Run it."
    (cell,) = found.turns[0].cells
    assert (cell.code, cell.execution.status) == ("1 / 0", ExecutionStatus.ERROR)


def test_outputs_inside_the_models_own_text_are_the_interpreters() -> None:
    text = f"{CODED}\n```output\n42\n```\nIt is \\boxed{{42}}."
    found = read_messages(log(ASKED, assistant(text)), "f:1")
    assert found.messages[-1].pieces == [
        (f"{CODED}\n", MODEL),
        ("```output\n", PROMPT),
        ("42", INTERPRETER),
        ("\n```", PROMPT),
        ("\nIt is \\boxed{42}.", MODEL),
    ]
    assert [len(turn.cells) for turn in found.turns] == [1, 0]
    first, second = (turn.completion for turn in found.turns)
    assert second.prompt_tokens > first.prompt_tokens + first.completion_tokens
    assert found.notes == ("Outputs stand in the model's own text, and were taken as the interpreter's",)


def test_an_output_that_the_model_made_up_beside_real_ones_stays_its_own() -> None:
    invented = f"{CODED}\n```output\n41\n```\nSo 41."
    found = read_messages(log(ASKED, assistant(invented), user("42"), assistant("\\boxed{42}")), "f:1")
    assert found.messages[1].pieces == [(invented, MODEL)]
    assert found.turns[0].cells[0].shown == "42"


def test_in_a_log_with_outputs_a_last_reply_made_its_own_up() -> None:
    invented = f"{CODED}\n```output\n41\n```\nSo 41."
    found = read_messages(log(ASKED, assistant(CODED), user("42"), assistant(invented)), "f:1")
    assert found.messages[-1].pieces == [(invented, MODEL)]
    assert found.turns[-1].cells[0].execution.status is ExecutionStatus.REFUSED


def test_an_output_block_without_code_before_it_is_the_models() -> None:
    text = "It prints\n```output\n42\n```\nSo \\boxed{42}."
    assert read_messages(log(ASKED, assistant(text)), "f:1").messages[-1].pieces == [(text, MODEL)]


def test_what_a_user_says_behind_words_is_the_prompts() -> None:
    found = read_messages(log(ASKED, assistant("Hm."), user("Go on."), assistant("\\boxed{42}")), "f:1")
    assert found.messages[2].pieces == [("Go on.", PROMPT)]
    assert [turn.cells for turn in found.turns] == [(), ()]


def test_exemplars_before_the_problem_are_the_prompts() -> None:
    found = read_messages(
        log(
            user("What is 1 + 1?"),
            assistant("It is \\boxed{2}."),
            user("Now: What is 6 * 7? Go."),
            assistant("It is \\boxed{42}."),
            question="What is 6 * 7?",
        ),
        "f:1",
    )
    assert found.problem.text == "What is 6 * 7?"
    assert found.messages[1].pieces == [("It is \\boxed{2}.", PROMPT)]
    assert found.messages[2].pieces == [("Now: ", PROMPT), ("What is 6 * 7?", PROBLEM), (" Go.", PROMPT)]
    assert len(found.turns) == 1


def test_one_output_of_several_programs_stands_at_the_last_of_them() -> None:
    found = read_messages(log(ASKED, assistant(f"{CODED}\n{CODED}"), user("42\n42")), "f:1")
    assert [cell.shown for cell in found.turns[0].cells] == ["", "42\n42"]
    assert found.notes == ("The output of several pieces of code in one reply stands at the last of them",)


def test_code_without_an_output_was_not_seen_to_run() -> None:
    found = read_messages(log(ASKED, assistant(CODED)), "f:1")
    assert found.turns[0].cells[0].execution.status is ExecutionStatus.REFUSED
    assert found.stop is StopReason.TURN_LIMIT
    assert found.notes == ("Of code in reply 1 no output is recorded",)


@pytest.mark.parametrize(
    ("fields", "gold", "answer"),
    [
        ({"answer": "42"}, "42", "42"),
        ({"answer": 41, "gold": 42}, "42", "41"),
        ({"reward_model": {"ground_truth": "42"}, "pred": "41"}, "42", "41"),
        ({"metadata": {"expected_answer": "x\n#### 1,042"}}, "1042", "42"),
        ({}, None, "42"),
    ],
)
def test_gold_and_answer_are_found_under_their_usual_names(
    fields: dict[str, Any], gold: str | None, answer: str
) -> None:
    found = read_messages(log(**fields), "f:1")
    assert (found.problem.gold, found.answer) == (gold, answer)


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"label": True}, True),
        ({"is_correct": 0}, False),
        ({"verdict": "Incorrect"}, False),
        ({"reward": 1.0}, True),
        ({"reward": -1}, False),
        ({"label": None, "score": 0}, False),
        ({"info": {"passed": True}}, True),
        ({}, None),
    ],
)
def test_a_verdict_is_found_in_its_many_forms(fields: dict[str, Any], label: bool | None) -> None:
    assert verdict_in(fields)[0] is label
    assert verdict_in(fields)[2] is None


@pytest.mark.parametrize("fields", [{"reward": 0.7}, {"label": "maybe"}, {"score": [1]}])
def test_what_is_no_verdict_is_said_and_gives_no_grade(fields: dict[str, Any]) -> None:
    label, _, said = verdict_in(fields)
    assert label is None
    assert said is not None
    assert said in read_messages(log(**fields), "f:1").notes


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('{"code": "1"}', "1"),
        ('{"source": "1", "timeout": 3}', "1"),
        ('{"anything": "1"}', "1"),
        ('"1"', "1"),
        ("print(1)", "print(1)"),
        ('{"a": "1", "b": "2"}', '{"a": "1", "b": "2"}'),
    ],
)
def test_the_code_of_a_call_is_found(arguments: str, code: str) -> None:
    assert called_code(ToolCall(id="a", name="python", arguments=arguments)) == code


@pytest.mark.parametrize(
    "text",
    ["```output\n42\n```", "```\n42\n```", "<output>42</output>", "Observation: 42", "Output:\n42", "42"],
)
def test_what_is_laid_around_an_output_is_told_apart_and_kept(text: str) -> None:
    before, output, after = unwrapped(text)
    assert output == "42"
    assert before + output + after == text


@pytest.mark.parametrize(
    "text", ["", "a", CODED, f"{CODED}\n```output\n1\n```\n{CODED}\n```output\n2\n```", "```output\n"]
)
def test_nothing_of_a_reply_is_lost_when_it_is_cut(text: str) -> None:
    parts = list(parts_of(text))
    assert "".join(part.text + "".join(part.output or ()) for part in parts) == text
    assert parts


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "it has no list of messages"),
        (log("hello"), "a message is no object"),  # type: ignore[arg-type]
        (log({"role": "robot", "content": "x"}), "a message has a role that is not known here"),
        (log({"content": "x"}), "a message has a role that is not known here"),
        (log({"role": "user", "content": 7}), "a message's content is neither a text nor a list of texts"),
        (log({"role": "user", "content": [{"type": "image"}]}), "a part of a message is no text"),
        (log(assistant("x")), "it has no problem"),
        (log(ASKED), "it has no reply"),
        (log(ASKED, assistant("x"), problem="Other?"), "its problem is in none of its user's messages"),
        (log(ASKED, {"role": "assistant", "tool_calls": "x"}), "a message's tool_calls are no list"),
        (log(ASKED, {"role": "assistant", "tool_calls": [{"id": "a"}]}), "a tool call has no name"),
        (log(ASKED, {"from": "function_call", "value": "not json"}), "a function call is no JSON"),
    ],
)
def test_a_log_that_cannot_be_read_is_refused_with_the_reason(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_messages(row, "f:1")
    assert caught.value.reason == reason


def test_every_reply_is_found_where_training_looks_for_it() -> None:
    inline = f"{CODED}\n```output\n42\n```\nIt is \\boxed{{42}}."
    for row in [log(), log(ASKED, assistant(inline)), log(ASKED, assistant(None, call("1")), user("1"))]:
        found = read_messages(row, "f:1")
        trajectory = trajectory_of(found, found.problem, Sample(arm="a", index=0), 0)
        conversation = conversation_of(trajectory)
        assert len(conversation.replies) == len(found.turns)
        for reply, turn in zip(conversation.replies, found.turns, strict=True):
            content = conversation.messages[reply.message].content
            assert content[reply.start : reply.end] == turn.completion.text
