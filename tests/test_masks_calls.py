"""Tool calls are the model's, all of them; templates that lose or rewrite something are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.messages import Message, Origin, Role, Tool, ToolCall
from tir_agent.preferences import Conversation, Reply, decoded_loss, encode

from encoders import HOSTILE, expected_runs, hostile_conversation, template, tokenizer

TOOLS = (Path(__file__).parent / "tool_template.jinja").read_text(encoding="utf-8")
PYTHON = Tool(name="python", description="Runs code.", parameters={"type": "object"})
CODE = 'print("<|im_end|>", "é")\n'


def calling(
    *arguments: str, said: str = "", output: str = "42", ended: bool = True, name: str = "python"
) -> Conversation:
    """One reply with calls, their outputs, and an answer."""
    calls = tuple(ToolCall(id=f"call_{n}", name=name, arguments=one) for n, one in enumerate(arguments))
    outputs = (Message.of(Role.TOOL, (output, Origin.INTERPRETER), call_id=call.id) for call in calls)
    messages = (
        Message.of(Role.USER, ("6*7?", Origin.PROBLEM)),
        Message.of(Role.ASSISTANT, (said, Origin.MODEL), tool_calls=calls),
        *outputs,
        Message.of(Role.ASSISTANT, ("42.", Origin.MODEL)),
    )
    replies = (
        Reply(message=1, start=0, end=len(said), ended=ended),
        Reply(message=len(messages) - 1, start=0, end=3, ended=True),
    )
    return Conversation(messages=messages, opening=1, replies=replies, tools=(PYTHON,))


def block(arguments: str) -> str:
    said = json.dumps(json.loads(arguments), ensure_ascii=False)
    return f'<tool_call>\n{{"name": "python", "arguments": {said}}}\n</tool_call>'


@pytest.mark.parametrize("which", ["bytes", "spaced", "smollm2"])
@pytest.mark.parametrize("said", ["", "Let me see.", " ", "so:\n"])
def test_calls_are_learnt_as_the_template_writes_them(which: str, said: str) -> None:
    reader = tokenizer(which)
    arguments = json.dumps({"code": CODE, "n": 3, "more": ["x", {"deep": "y"}]})
    for ended in (True, False):
        conversation = calling(arguments, '{"n": 1}', "{}", said=said, ended=ended)
        encoded = encode(conversation, reader, template=TOOLS)
        blocks = "\n".join(block(one) for one in (arguments, '{"n": 1}', "{}"))
        first = f"{said}\n{blocks}" if said else blocks
        found = decoded_loss(encoded, reader)
        wanted = [first + "<|im_end|>" * ended, "42.<|im_end|>"]
        if which == "spaced":
            found, wanted = (["".join(text.split()) for text in texts] for texts in (found, wanted))
        assert found == wanted
        assert encoded.loss_mask[encoded.opening] == 1
        end = reader.convert_tokens_to_ids("<|im_end|>")
        ends = sum(one == end for one, mask in zip(encoded.input_ids, encoded.loss_mask, strict=True) if mask)
        assert ends == 1 + ended, "the text in the code is no end of a turn"


@pytest.mark.parametrize("output", HOSTILE)
def test_outputs_of_tools_are_never_learnt(output: str) -> None:
    reader = tokenizer("bytes")
    arguments = json.dumps({"code": output.encode("utf-8", "replace").decode()})
    found = decoded_loss(encode(calling(arguments, output=output), reader, template=TOOLS), reader)
    assert found == [block(arguments) + "<|im_end|>", "42.<|im_end|>"]


def test_calls_in_an_opening_are_not_learnt() -> None:
    reader = tokenizer("bytes")
    conversation = calling('{"code": "1"}')
    whole = encode(conversation, reader, template=TOOLS)
    step = encode(conversation.opened_at(3), reader, template=TOOLS)
    assert step.input_ids == whole.input_ids
    assert decoded_loss(step, reader) == ["42.<|im_end|>"]


def test_calls_may_have_an_end_of_their_own() -> None:
    reader = tokenizer("bytes")
    encoded = encode(calling(json.dumps({"code": CODE})), reader, template=template("python_tag"))
    assert decoded_loss(encoded, reader) == [f"python\n```\n{CODE}\n```<|im_end|>", "42.<|eot_id|>"]


@pytest.mark.parametrize("arguments", ['{"code": "print(1)"}', "{}", '{"n": 1}'])
@pytest.mark.parametrize("name", ["chatml", "chatml_generation", "gemma", "llama3"])
def test_a_template_that_leaves_calls_out_is_refused(name: str, arguments: str) -> None:
    with pytest.raises(MaskError, match=r"leaves out .*message 2 of 4 \(assistant\)") as caught:
        encode(calling(arguments), tokenizer("bytes"), template=template(name))
    assert caught.value.refusal is MaskRefusal.CALLS_LEFT_OUT
    assert caught.value.hint


def test_the_small_models_own_template_leaves_calls_out() -> None:
    with pytest.raises(MaskError) as caught:
        encode(calling('{"code": "print(1)"}'), tokenizer("smollm2"))
    assert caught.value.refusal is MaskRefusal.CALLS_LEFT_OUT


@pytest.mark.parametrize("arguments", ["print(1)", "[1]", '{"code": "', "", '"text"'])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(MaskError, match="no JSON object") as caught:
        encode(calling(arguments), tokenizer("bytes"), template=TOOLS)
    assert caught.value.refusal is MaskRefusal.ARGUMENTS


def test_a_name_that_would_end_the_turn_is_refused() -> None:
    for conversation in (calling('{"a<|im_end|>": "1"}'), calling("{}", name="python<|im_end|>")):
        with pytest.raises(MaskError) as caught:
            encode(conversation, tokenizer("bytes"), template=TOOLS)
        assert caught.value.refusal is MaskRefusal.FORGED


def thinking(*replies: str, role: Role = Role.USER) -> Conversation:
    messages = [Message.of(Role.USER, ("?", Origin.PROBLEM))]
    for text in replies:
        messages += [
            Message.of(Role.ASSISTANT, (text, Origin.MODEL)),
            Message.of(role, ("out", Origin.INTERPRETER)),
        ]
    messages.pop()
    return Conversation(
        messages=tuple(messages),
        opening=1,
        replies=tuple(
            Reply(message=2 * n + 1, start=0, end=len(text), ended=True) for n, text in enumerate(replies)
        ),
    )


THOUGHT = "<think>\nSix sevens.\n</think>\n\nIt is 42."


def test_a_template_that_takes_reasoning_out_of_earlier_replies_is_refused() -> None:
    reader = tokenizer("bytes")
    with pytest.raises(MaskError, match=r"rewrites message 2 of 6 \(assistant\)") as caught:
        encode(thinking(THOUGHT, "so", "42"), reader, template=template("qwen3"))
    assert caught.value.refusal is MaskRefusal.REWRITTEN


def test_reasoning_that_is_written_back_as_it_was_is_learnt() -> None:
    reader = tokenizer("bytes")
    encoded = encode(thinking(THOUGHT, THOUGHT, role=Role.TOOL), reader, template=template("qwen3"))
    assert decoded_loss(encoded, reader) == [f"{THOUGHT}<|im_end|>"] * 2
    plain = encode(thinking("first", "second"), reader, template=template("qwen3"))
    assert decoded_loss(plain, reader) == ["first<|im_end|>", "second<|im_end|>"]


def test_reasoning_that_is_written_back_differently_is_refused() -> None:
    for text in ("<think>Six sevens.</think>It is 42.", "a<think>\nb\n</think>\n\nc"):
        with pytest.raises(MaskError, match="rewrites message 2 of 2"):
            encode(thinking(text), tokenizer("bytes"), template=template("qwen3"))


def test_reasoning_before_calls_is_learnt_with_them() -> None:
    reader = tokenizer("bytes")
    conversation = calling('{"code": "print(1)"}', said=THOUGHT)
    final = conversation.messages[-1]
    last = Message.of(Role.ASSISTANT, (THOUGHT, Origin.MODEL))
    assert final.role is last.role
    replies = (conversation.replies[0], Reply(message=3, start=0, end=len(THOUGHT), ended=True))
    conversation = conversation.model_copy(
        update={"messages": (*conversation.messages[:-1], last), "replies": replies}
    )
    encoded = encode(conversation, reader, template=template("qwen3"))
    call = block('{"code": "print(1)"}')
    assert decoded_loss(encoded, reader) == [f"{THOUGHT}\n{call}<|im_end|>", f"{THOUGHT}<|im_end|>"]
    forged = calling('{"code": "<|im_end|>"}', said=THOUGHT)
    messages = (*forged.messages[:-1], last)
    with pytest.raises(MaskError):
        encode(
            forged.model_copy(update={"messages": messages, "replies": replies}),
            reader,
            template=template("qwen3"),
        )


def test_replies_are_learnt_though_a_template_rewrites_what_others_wrote() -> None:
    reader = tokenizer("bytes")
    refusals: set[MaskRefusal | None] = set()
    for seed in range(60):
        conversation = hostile_conversation(seed)
        runs = expected_runs(conversation, strip=False, end="<|im_end|>")
        try:
            found = decoded_loss(encode(conversation, reader, template=template("shouting")), reader)
        except MaskError as error:
            refusals.add(error.refusal)
        else:
            refusals.add(None)
            assert found == runs, seed
    assert refusals == {None, MaskRefusal.FORGED}
