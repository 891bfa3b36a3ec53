"""Native tool calls: which can be followed, and what the model is told of the others."""

from __future__ import annotations

import json

import pytest

from tir_agent.messages import ToolCall
from tir_agent.protocols import Action, Malformed, ToolCallsProtocol
from tir_agent.settings import ToolCalls
from tir_agent.trajectory import Completion, FinishReason


def parse(*calls: tuple[str, str], finish: FinishReason = FinishReason.STOP, text: str = "") -> Action:
    made = tuple(ToolCall(id=f"c{n}", name=name, arguments=said) for n, (name, said) in enumerate(calls))
    completion = Completion(
        text=text,
        finish_reason=finish,
        tool_calls=made,
        prompt_tokens=1,
        completion_tokens=1,
        duration=0.0,
    )
    return ToolCallsProtocol(ToolCalls()).parse(completion)


def test_the_function_is_offered_with_its_schema() -> None:
    (tool,) = ToolCallsProtocol(ToolCalls(name="run", argument="source", description="d")).tools
    assert (tool.name, tool.description) == ("run", "d")
    assert tool.parameters["required"] == ["source"]
    assert tool.parameters["additionalProperties"] is False


def test_several_calls_are_run_in_order() -> None:
    action = parse(("python", '{"code": "a = 1"}'), ("python", '{"code": "print(a)"}'), text="Look.")
    assert [(block.code, block.call_id) for block in action.blocks] == [("a = 1", "c0"), ("print(a)", "c1")]
    assert action.prose == "Look."
    assert action.kept == 5


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("python", json.dumps({"code": "print(1)\nprint(2)"})),
        ("python", '{"code": "print(1)\nprint(2)"}'),
        ("python", json.dumps(json.dumps({"code": "print(1)\nprint(2)"}))),
        ("python", json.dumps("print(1)\nprint(2)")),
        ("python", "print(1)\nprint(2)"),
        ("functions.python", '{"code": "print(1)\\nprint(2)"}'),
        ("functions.python:0", '{"code": "print(1)\\nprint(2)"}'),
        ("Python", '{"code": "print(1)\\nprint(2)"}'),
    ],
)
def test_the_habits_of_models_are_forgiven(name: str, arguments: str) -> None:
    action = parse((name, arguments))
    assert [block.code for block in action.blocks] == ["print(1)\nprint(2)"]
    assert action.bad_calls == ()


def test_a_fence_around_the_code_is_taken_off() -> None:
    (block,) = parse(("python", json.dumps({"code": "```python\nprint(1)\n```"}))).blocks
    assert block.code == "print(1)\n"


def test_a_program_that_begins_with_a_docstring_is_not_json() -> None:
    (block,) = parse(("python", '"""Adds."""\nprint(1)')).blocks
    assert block.code == '"""Adds."""\nprint(1)'


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ('{"code": "print(1)"', "not JSON: Expecting ',' delimiter at line 1, column 20"),
        ("{'code': 'print(1)'}", "line 1, column 2"),
        ("{}", "code is missing"),
        ("", "code is missing"),
        ('{"code": 1}', "code must be a string, not a number"),
        ('{"code": null}', "code must be a string, not null"),
        ('{"code": ["a"]}', "code must be a string, not a list"),
        ('{"code": "a", "language": "python"}', "there is no argument 'language'; the only one is code"),
        ('["print(1)"]', "must be an object, not a list"),
        ('{"code": "\\ud800"}', "half a character"),
        ("[" * 200_000, "nested too deeply"),
        ('{"code": ' + "1" * 5000 + "}", "digit"),
    ],
)
def test_bad_arguments_are_told_apart(arguments: str, detail: str) -> None:
    action = parse(("python", arguments))
    assert action.blocks == ()
    (bad,) = action.bad_calls
    assert (bad.call_id, bad.why) == ("c0", Malformed.BAD_ARGUMENTS)
    assert detail in bad.detail


def test_an_unknown_function_is_named_beside_the_known_one() -> None:
    (bad,) = parse(("search", '{"code": "1"}')).bad_calls
    assert bad.why is Malformed.UNKNOWN_TOOL
    assert "'search'" in bad.detail
    assert "'python'" in bad.detail


def test_a_bad_call_does_not_hide_a_good_one() -> None:
    action = parse(("search", "{}"), ("python", '{"code": "1"}'))
    assert [block.call_id for block in action.blocks] == ["c1"]
    assert [bad.call_id for bad in action.bad_calls] == ["c0"]


def test_an_empty_program_is_a_bad_call() -> None:
    (bad,) = parse(("python", '{"code": " "}')).bad_calls
    assert bad.why is Malformed.EMPTY


@pytest.mark.parametrize("arguments", ['{"code": "print(1', "print(1"])
def test_only_the_last_call_can_be_cut_off(arguments: str) -> None:
    action = parse(("python", '{"code": "a"}'), ("python", arguments), finish=FinishReason.LENGTH)
    assert [block.code for block in action.blocks] == ["a"]
    assert [(bad.call_id, bad.why) for bad in action.bad_calls] == [("c1", Malformed.CUT_OFF)]


def test_a_whole_call_before_the_token_limit_is_run() -> None:
    assert len(parse(("python", '{"code": "a"}'), finish=FinishReason.LENGTH).blocks) == 1


def test_code_in_the_text_is_only_text() -> None:
    assert parse(text="```python\nprint(1)\n```").blocks == ()


def test_a_call_that_another_follows_was_not_cut_off() -> None:
    action = parse(("python", '{"code": '), ("python", '{"code": "a"}'), finish=FinishReason.LENGTH)
    assert [bad.why for bad in action.bad_calls] == [Malformed.BAD_ARGUMENTS]
    assert len(action.blocks) == 1
