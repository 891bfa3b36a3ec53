"""The rows of TRL's dialect, and the way back to the conversations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialect_examples import called, candidate, fenced, made, one_text, prefilled

from tir_agent.errors import DataError
from tir_agent.messages import Message, Origin, Role
from tir_agent.preferences import Conversation, Pair, sides
from tir_agent.preferences.dialects import DialectError, Misfit, argument_of, conversations_of, dialect_for
from tir_agent.settings import Dialect, ExportKind

FORMS = {
    "fenced": (fenced("42"), fenced("41")),
    "called": (called("42"), called("41", text="Let me run it.")),
    "prefilled": (prefilled("42"), prefilled("")),
    "nothing seen": (fenced("42"), fenced("")),
}


@pytest.mark.parametrize("kind", ExportKind)
@pytest.mark.parametrize("form", FORMS)
def test_a_row_read_back_is_exactly_the_conversations_that_were_written(form: str, kind: ExportKind) -> None:
    example = made(kind, *FORMS[form])
    writer = dialect_for(Dialect.TRL, kind, argument=argument_of(example))
    row = json.loads(json.dumps(writer.row(example)))
    assert conversations_of(row) == tuple(side.conversation for side in sides(example))


@pytest.mark.parametrize("kind", ExportKind)
def test_every_row_has_the_columns_in_their_order(kind: ExportKind) -> None:
    for argument, conversations in ((None, FORMS["fenced"]), ("code", FORMS["called"])):
        writer = dialect_for(Dialect.TRL, kind, argument=argument)
        row = writer.row(made(kind, *conversations))
        assert list(row) == [column.name for column in writer.columns]


def test_a_dpo_row_has_the_given_messages_once_and_both_sides() -> None:
    row = dialect_for(Dialect.TRL, ExportKind.DPO, argument=None).row(
        made(ExportKind.DPO, fenced("42"), fenced("41"))
    )
    assert [message["role"] for message in _list(row["prompt"])] == ["system", "user", "assistant", "user"]
    assert [message["role"] for message in _list(row["chosen"])] == ["assistant", "user", "assistant"]
    assert _list(row["chosen"])[1] == {"role": "user", "content": "```output\n42\n```"}
    assert _list(row["rejected_spans"])[1][1] == {"start": 10, "end": 12, "origin": "interpreter"}
    assert _list(row["chosen_replies"])[0] == {
        "message": 0,
        "start": 0,
        "end": 25,
        "ended": True,
        "token_ids": [5, 6, 7],
    }
    assert (row["chosen_verdict"], row["rejected_verdict"]) == ("correct", "wrong")
    assert (row["chosen_reward"], row["rejected_reward"], row["gold"]) == (0.5, None, "42")


def test_calls_are_objects_for_the_template_and_their_letters_are_kept_beside() -> None:
    row = dialect_for(Dialect.TRL, ExportKind.SFT, argument="code").row(
        made(ExportKind.SFT, called(), called())
    )
    calling, answering, _ = _list(row["completion"])
    assert calling["tool_calls"][0]["function"] == {
        "name": "python",
        "arguments": {"code": "print(42)\n# 试一试"},
    }
    assert (answering["role"], answering["tool_call_id"], answering["name"]) == ("tool", "call-1", "python")
    assert row["completion_arguments"] == [['{ "code":"print(42)\\n# 试一试" }'], [], []]
    assert json.loads(str(row["tools"]))[0]["function"]["name"] == "python"


@pytest.mark.parametrize(
    "arguments",
    [
        "print(42)",
        '"print(42)"',
        '{"code": 42}',
        '{"code": "1", "lang": "py"}',
        "{}",
        '{"code": "\\ud800"}',
        "[" * 9999,
    ],
)
def test_a_call_without_the_one_text_is_refused(arguments: str) -> None:
    example = made(ExportKind.SFT, called(arguments=arguments), called())
    with pytest.raises(DialectError) as refused:
        dialect_for(Dialect.TRL, ExportKind.SFT, argument="code").row(example)
    assert refused.value.why is Misfit.ARGUMENTS


def test_what_has_no_row_is_refused_with_its_reason() -> None:
    given = (Message.of(Role.USER, ("6*7?", Origin.PROBLEM)),)
    refused = {
        Misfit.RAW: one_text(),
        Misfit.NOTHING_LEARNT: Conversation(messages=given, opening=1),
        Misfit.NOTHING_GIVEN: fenced().opened_at(0),
        Misfit.ARGUMENTS: called(),
    }
    writer = dialect_for(Dialect.TRL, ExportKind.SFT, argument=None)
    for why, conversation in refused.items():
        with pytest.raises(DialectError) as error:
            writer.row(made(ExportKind.SFT, conversation, conversation))
        assert error.value.why is why


def test_two_sides_that_were_not_given_the_same_are_refused() -> None:
    with pytest.raises(DialectError) as refused:
        dialect_for(Dialect.TRL, ExportKind.DPO, argument=None).row(
            made(ExportKind.DPO, fenced(), fenced(system="Think."))
        )
    assert refused.value.why is Misfit.GIVEN_DIFFERS


def test_an_example_of_another_kind_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="kind 'sft'"):
        dialect_for(Dialect.TRL, ExportKind.KTO, argument=None).row(made(ExportKind.SFT, fenced(), fenced()))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"chosen_spans": []}, "fit"),
        ({"chosen_spans": None}, "spans"),
        ({"prompt": [{"role": "user", "content": "other"}]}, "fit"),
        ({"tools": "["}, "fit"),
    ],
)
def test_a_row_that_was_changed_is_refused_in_one_sentence(change: dict[str, Any], says: str) -> None:
    row = dialect_for(Dialect.TRL, ExportKind.DPO, argument=None).row(
        made(ExportKind.DPO, fenced(), fenced("1"))
    )
    with pytest.raises(DataError, match=says):
        conversations_of({**row, **change})
    with pytest.raises(DataError, match="it has no rejected"):
        conversations_of({key: value for key, value in row.items() if not key.startswith("rejected")})


def test_a_pair_keeps_the_calls_of_what_both_were_given() -> None:
    chosen, rejected = (called().opened_at(3), called().opened_at(3))
    pair = Pair(
        kind="steps",
        id="x",
        problem=made(ExportKind.SFT, chosen, chosen).problem,
        chosen=candidate(chosen),
        rejected=candidate(rejected, right=False),
    )
    row = dialect_for(Dialect.TRL, ExportKind.STEPS, argument=argument_of(pair)).row(pair)
    assert conversations_of(row) == (chosen, rejected)
    assert row["prompt_arguments"] == [[], ['{ "code":"print(42)\\n# 试一试" }'], []]


def _list(value: Any) -> list[Any]:
    assert isinstance(value, list)
    return value
