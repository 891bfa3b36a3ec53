"""What the rows of each dialect hold, and what has no row in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tir_agent.errors import UsageError
from tir_agent.messages import Message, Origin, Role, Tool
from tir_agent.preferences import Conversation, Pair, Solution
from tir_agent.preferences.dialects import (
    DialectError,
    Misfit,
    Render,
    Row,
    argument_of,
    conversations_of,
    dialect_for,
)
from tir_agent.settings import Dialect, ExportKind
from tir_agent.trajectory import Problem

from dialect_examples import (
    PROBLEM,
    PYTHON,
    called,
    candidate,
    fenced,
    made,
    one_reply,
    one_text,
    prefilled,
)

ATIF = json.loads((Path(__file__).parent / "atif.schema.json").read_text(encoding="utf-8"))
EVERY = [
    (dialect, kind)
    for dialect in Dialect
    for kind in ExportKind
    if (dialect, kind) != (Dialect.OPENRLHF, ExportKind.KTO)
    and not (dialect is Dialect.VERL and kind in (ExportKind.KTO, ExportKind.STEPS))
]


def _render(messages: list[Row], tools: list[Row] | None, *, add_generation_prompt: bool) -> str:
    text = "".join(f"<{message['role']}>{message['content']}</>\n" for message in messages)
    return text + ("<assistant>" if add_generation_prompt else "")


def _row(
    dialect: Dialect,
    kind: ExportKind,
    good: Conversation,
    bad: Conversation | None = None,
    *,
    render: Render = _render,
) -> dict[str, Any]:
    example = made(kind, good, bad or good)
    return dialect_for(dialect, kind, argument=argument_of(example), render=render).row(example)


def _refusal(
    dialect: Dialect, kind: ExportKind, good: Conversation, bad: Conversation | None = None
) -> Misfit:
    with pytest.raises(DialectError) as refused:
        _row(dialect, kind, good, bad)
    return refused.value.why


@pytest.mark.parametrize(("dialect", "kind"), EVERY)
def test_every_row_has_the_columns_of_its_writer_in_their_order(dialect: Dialect, kind: ExportKind) -> None:
    writer = dialect_for(dialect, kind, render=_render)
    # A step fits everywhere.
    row = writer.row(made(kind, one_reply("\\boxed{42}"), one_reply("\\boxed{41}")))
    assert list(row) == [column.name for column in writer.columns]
    assert json.loads(json.dumps(row)) == row
    assert writer.card().endswith(".")


@pytest.mark.parametrize(("dialect", "kind"), EVERY)
def test_half_a_character_is_refused_by_every_dialect(dialect: Dialect, kind: ExportKind) -> None:
    assert _refusal(dialect, kind, one_reply("\ud83d"), one_reply("\udc00")) is Misfit.HALF_CHARACTER


@pytest.mark.parametrize(
    ("dialect", "kind"), [(dialect, kind) for dialect, kind in EVERY if dialect is not Dialect.TRL_TEXT]
)
def test_one_text_without_a_template_is_for_plain_text_alone(dialect: Dialect, kind: ExportKind) -> None:
    assert _refusal(dialect, kind, one_text(), one_text("1")) is Misfit.RAW


def test_what_a_trainer_does_not_have_is_said_in_one_sentence() -> None:
    with pytest.raises(UsageError, match="OpenRLHF has no KTO"):
        dialect_for(Dialect.OPENRLHF, ExportKind.KTO)
    with pytest.raises(UsageError, match="no tools"):
        dialect_for(Dialect.OPENRLHF, ExportKind.SFT, argument="code")
    for kind in (ExportKind.KTO, ExportKind.STEPS):
        with pytest.raises(UsageError, match=f"no form for {kind.value}"):
            dialect_for(Dialect.VERL, kind)


# Plain text


def test_plain_text_is_what_the_template_makes_of_it_divided_where_the_model_begins() -> None:
    row = _row(Dialect.TRL_TEXT, ExportKind.DPO, prefilled("42"), prefilled("41"))
    assert row["prompt"] == "<user>What is 6 times 7?</>\n<assistant>"
    assert row["rejected"] == "Let me see. <code>6*7</code><output>41</output>\\boxed{42}</>"
    assert row["rejected_spans"] is None


def test_a_line_break_that_the_model_wrote_last_stays() -> None:
    def bare(messages: list[Row], tools: list[Row] | None, *, add_generation_prompt: bool) -> str:
        return "".join(str(message["content"]) for message in messages)

    row = _row(Dialect.TRL_TEXT, ExportKind.SFT, one_reply("42\n\n"), render=bare)
    assert row["completion"] == "42\n\n"


def test_a_template_that_shows_the_given_otherwise_later_is_refused() -> None:
    def thinking(messages: list[Row], tools: list[Row] | None, *, add_generation_prompt: bool) -> str:
        text = _render(messages, tools, add_generation_prompt=add_generation_prompt)
        return text + "<think>" if add_generation_prompt else text

    with pytest.raises(DialectError) as refused:
        _row(Dialect.TRL_TEXT, ExportKind.SFT, fenced(), render=thinking)
    assert refused.value.why is Misfit.PREFIX


def test_messages_without_a_template_have_no_plain_text() -> None:
    with pytest.raises(DialectError) as refused:
        dialect_for(Dialect.TRL_TEXT, ExportKind.SFT).row(made(ExportKind.SFT, fenced(), fenced()))
    assert refused.value.why is Misfit.NO_TEMPLATE


@pytest.mark.parametrize("kind", ExportKind)
def test_one_text_is_divided_at_the_models_first_character_and_read_back_exactly(kind: ExportKind) -> None:
    good, bad = one_text("42"), one_text("不是")
    row = json.loads(json.dumps(_row(Dialect.TRL_TEXT, kind, good, bad)))
    assert row["prompt"] == "Question: What is 6 times 7?\n"
    written = {ExportKind.SFT: (good,), ExportKind.KTO: (bad,)}.get(kind, (good, bad))
    assert conversations_of(row) == written


def test_texts_that_begin_otherwise_are_no_pair() -> None:
    other = Conversation(
        messages=(Message.of(Role.RAW, ("Q: ", Origin.PROMPT), ("41", Origin.MODEL)),), opening=0
    )
    assert _refusal(Dialect.TRL_TEXT, ExportKind.DPO, one_text(), other) is Misfit.GIVEN_DIFFERS
    assert _refusal(Dialect.TRL_TEXT, ExportKind.DPO, one_text(), fenced()) is Misfit.RAW


# LLaMA-Factory


def test_llama_factory_gets_calls_and_observations_by_their_own_roles() -> None:
    row = _row(Dialect.LLAMA_FACTORY, ExportKind.SFT, called())
    assert [message["from"] for message in row["conversations"]] == [
        "human",
        "function_call",
        "observation",
        "gpt",
    ]
    assert json.loads(row["conversations"][1]["value"]) == {
        "name": "python",
        "arguments": {"code": "print(42)\n# 试一试"},
    }
    assert json.loads(row["tools"])[0]["name"] == "python"


def test_llama_factory_gets_the_system_text_beside_the_conversation() -> None:
    row = _row(Dialect.LLAMA_FACTORY, ExportKind.KTO, fenced("42"), fenced("41"))
    assert (row["system"], row["kto_tag"], row["tools"]) == ("Use Python. 请用中文回答。", False, "")
    assert len(row["conversations"]) == 6


def test_llama_factory_takes_steps_and_no_longer_pairs() -> None:
    row = _row(Dialect.LLAMA_FACTORY, ExportKind.STEPS, one_reply("42"), one_reply("41"))
    assert row["chosen"] == {"from": "gpt", "value": "42"}
    assert row["rejected"] == {"from": "gpt", "value": "41"}
    assert len(row["conversations"]) == 3
    for kind in (ExportKind.DPO, ExportKind.STEPS):
        assert _refusal(Dialect.LLAMA_FACTORY, kind, fenced("42"), fenced("41")) is Misfit.SEVERAL_MESSAGES


def test_llama_factory_refuses_what_it_would_skip_or_misread() -> None:
    refused = {
        Misfit.TEXT_BESIDE_CALL: called(text="I run it."),
        Misfit.EMPTY: one_reply(""),
        Misfit.ALTERNATION: Conversation(
            messages=(*fenced().messages, Message.of(Role.ASSISTANT, ("And again", Origin.MODEL))),
            opening=fenced().opening,
        ),
    }
    for why, conversation in refused.items():
        assert _refusal(Dialect.LLAMA_FACTORY, ExportKind.SFT, conversation) is why


def test_llama_factory_is_told_of_the_files() -> None:
    writer = dialect_for(Dialect.LLAMA_FACTORY, ExportKind.STEPS)
    files = writer.files({"train": "train.jsonl", "validation": "validation.jsonl"})
    told = json.loads(files["dataset_info.json"])
    assert told["validation"] == {
        "file_name": "validation.jsonl",
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {
            "messages": "conversations",
            "system": "system",
            "tools": "tools",
            "chosen": "chosen",
            "rejected": "rejected",
        },
    }
    labelled = json.loads(
        dialect_for(Dialect.LLAMA_FACTORY, ExportKind.KTO).files({"train": "a"})["dataset_info.json"]
    )
    assert (labelled["train"]["ranking"], labelled["train"]["columns"]["kto_tag"]) == (False, "kto_tag")


# OpenRLHF, verl, messages


def test_openrlhf_gets_lists_of_messages_and_no_margin_of_ours() -> None:
    row = _row(Dialect.OPENRLHF, ExportKind.DPO, fenced("42"), fenced("41"))
    assert [len(row[name]) for name in ("prompt", "chosen", "rejected")] == [4, 3, 3]
    assert row["rejected"][1] == {"role": "user", "content": "```output\n41\n```"}
    assert "margin" not in row
    solved = _row(Dialect.OPENRLHF, ExportKind.SFT, fenced())
    assert solved["input"] + solved["output"] == solved["messages"]


def test_verl_gets_the_problem_with_its_answer_and_for_sft_the_solution() -> None:
    row = _row(Dialect.VERL, ExportKind.SFT, called())
    assert row["reward_model"] == {"style": "rule", "ground_truth": "42"}
    assert (len(row["prompt"]), len(row["messages"])) == (1, 4)
    assert row["tools"][0]["function"]["parameters"] == PYTHON.parameters
    assert "messages" not in _row(Dialect.VERL, ExportKind.DPO, fenced("42"), fenced("41"))


def test_verl_needs_a_reference_answer() -> None:
    example = Solution(id="x", problem=Problem(id="p", text="?"), side=candidate(fenced()))
    with pytest.raises(DialectError) as refused:
        dialect_for(Dialect.VERL, ExportKind.SFT).row(example)
    assert refused.value.why is Misfit.NO_GOLD


@pytest.mark.parametrize("dialect", [Dialect.VERL, Dialect.MESSAGES, Dialect.ATIF])
def test_a_function_of_more_than_one_text_has_no_common_type(dialect: Dialect) -> None:
    wide = Tool(
        name="python",
        description="",
        parameters={
            "type": "object",
            "properties": {"code": {"type": "string", "description": ""}, "seconds": {"type": "integer"}},
            "required": ["code"],
            "additionalProperties": False,
        },
    )
    conversation = called().model_copy(update={"tools": (wide,)})
    assert _refusal(dialect, ExportKind.SFT, conversation) is Misfit.TOOLS
    assert json.loads(str(_row(Dialect.TRL, ExportKind.SFT, conversation)["tools"]))


def test_messages_are_the_whole_conversations() -> None:
    row = _row(Dialect.MESSAGES, ExportKind.DPO, fenced("42"), fenced("41"))
    assert row["chosen"][:4] == row["rejected"][:4]
    assert [message["content"] for message in row["rejected"]] == [
        message.content for message in fenced("41").messages
    ]
    assert _row(Dialect.MESSAGES, ExportKind.KTO, fenced())["label"] is False


# ATIF


@pytest.mark.parametrize("kind", ExportKind)
@pytest.mark.parametrize("form", [fenced, called, prefilled])
def test_trajectories_are_of_the_interchange_format(form: Any, kind: ExportKind) -> None:
    row = _row(Dialect.ATIF, kind, form("42"), form("41"))
    for trajectory in [row["chosen"], row["rejected"]] if "chosen" in row else [row]:
        jsonschema.validate(trajectory, ATIF)
        assert [step["step_id"] for step in trajectory["steps"]] == [
            number + 1 for number in range(len(trajectory["steps"]))
        ]


def test_an_output_is_an_observation_of_the_step_that_ran_the_code() -> None:
    step = _row(Dialect.ATIF, ExportKind.SFT, called())["steps"][1]
    assert step["tool_calls"][0]["arguments"] == {"code": "print(42)\n# 试一试"}
    assert step["observation"]["results"][0]["source_call_id"] == "call-1"
    steps = _row(Dialect.ATIF, ExportKind.SFT, fenced())["steps"]
    assert [step["source"] for step in steps] == ["system", "user", "agent", "user", "agent", "agent"]
    result = steps[4]["observation"]["results"][0]
    assert (result["source_call_id"], result["content"]) == (None, "```output\n42\n```")
    assert steps[4]["metrics"] == {"completion_token_ids": [5, 6, 7]}


def test_what_was_given_is_marked_as_not_to_be_trained_on() -> None:
    steps = _row(Dialect.ATIF, ExportKind.SFT, fenced())["steps"]
    assert [step["is_copied_context"] for step in steps] == [None, None, True, None, None, None]


def test_an_output_of_a_call_in_another_step_names_none() -> None:
    """A validator refuses a name that is not among the step's own calls."""
    conversation = called()
    nudged = (
        *conversation.messages[:2],
        Message.of(Role.USER, ("Wait.", Origin.PROMPT)),
        *conversation.messages[2:],
    )
    row = _row(
        Dialect.ATIF, ExportKind.SFT, conversation.model_copy(update={"messages": nudged, "replies": ()})
    )
    assert row["steps"][2]["observation"]["results"][0]["source_call_id"] is None


def test_the_name_of_the_argument_is_found_in_the_tools_or_is_code() -> None:
    renamed = PYTHON.model_copy(update={"parameters": {**PYTHON.parameters, "required": ["source"]}})
    pair = Pair(
        kind="dpo",
        id="x",
        problem=PROBLEM,
        chosen=candidate(called().model_copy(update={"tools": (renamed,)})),
        rejected=candidate(called()),
    )
    assert argument_of(pair) == "source"
    assert argument_of(made(ExportKind.SFT, called().model_copy(update={"tools": ()}), called())) == "code"
    assert argument_of(made(ExportKind.SFT, fenced(), called())) is None


def test_a_conversation_that_ends_with_a_question_is_none_for_llama_factory() -> None:
    whole = fenced()
    asked = whole.model_copy(update={"messages": whole.messages[:-1], "replies": whole.replies[:1]})
    assert _refusal(Dialect.LLAMA_FACTORY, ExportKind.SFT, asked) is Misfit.ALTERNATION


def test_a_row_says_which_trajectory_it_is_of_and_how_it_went() -> None:
    row = _row(Dialect.MESSAGES, ExportKind.SFT, fenced())
    del row["messages"]
    assert row == {
        "id": "example",
        "problem_id": "p-1",
        "problem": "What is 6 times 7?",
        "gold": "42",
        "trajectory": "t-right",
        "arm": "base",
        "answer": "42",
        "verdict": "correct",
        "stop": "ANSWERED",
        "cells": 1,
        "errors": 0,
        "tokens": 120,
        "model_tokens": 30,
        "reward": 0.5,
    }
