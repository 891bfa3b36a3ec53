"""How replies and outputs grow into what the model is sent."""

from __future__ import annotations

import pytest

from tir_agent.agent.conversation import Part, conversation_of
from tir_agent.messages import Message, Origin, Role, ToolCall
from tir_agent.settings import ConversationForm
from tir_agent.trajectory import Feedback

OPENING = (Message.of(Role.USER, ("2 + 2?", Origin.PROBLEM)),)
RAW = (Message.of(Role.RAW, ("2 + 2?", Origin.PROBLEM), ("\nA: ", Origin.PROMPT)),)
OUTPUT = Part(
    Feedback.OBSERVATION, [("\n[", Origin.PROMPT), ("4", Origin.INTERPRETER), ("]\n", Origin.PROMPT)]
)
NUDGE = Part(Feedback.NUDGE, [("Go on.", Origin.PROMPT)])


def test_an_output_is_a_users_message() -> None:
    talk = conversation_of(ConversationForm.MESSAGES, OPENING)
    talk.add_reply("print(2 + 2)")
    talk.tell([OUTPUT, NUDGE])
    assert [message.role for message in talk.messages] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert talk.messages[-1].content == "\n[4]\n\n\nGo on."


def test_a_tools_output_answers_its_call() -> None:
    talk = conversation_of(ConversationForm.MESSAGES, OPENING)
    calls = (ToolCall(id="a", name="python", arguments="{}"), ToolCall(id="b", name="python", arguments="{}"))
    talk.add_reply("", calls)
    first = Part(Feedback.OBSERVATION, [("4", Origin.INTERPRETER)], "a")
    second = Part(Feedback.MALFORMED, [("no", Origin.PROMPT)], "b")
    talk.tell([first, second, NUDGE])
    assert [(message.role, message.call_id) for message in talk.messages[2:]] == [
        (Role.TOOL, "a"),
        (Role.TOOL, "b"),
        (Role.USER, None),
    ]
    assert talk.messages[1].tool_calls == calls


def test_an_output_goes_on_in_the_assistants_message() -> None:
    talk = conversation_of(ConversationForm.PREFILL, OPENING)
    talk.add_reply("print(2 + 2)")
    talk.tell([OUTPUT])
    talk.add_reply("It is 4.")
    assert len(talk.messages) == 2
    assert talk.messages[1].pieces == [
        ("print(2 + 2)", Origin.MODEL),
        ("\n[", Origin.PROMPT),
        ("4", Origin.INTERPRETER),
        ("]\n", Origin.PROMPT),
        ("It is 4.", Origin.MODEL),
    ]


def test_a_mark_that_a_stop_string_took_away_ends_the_reply_where_the_output_cannot_go_on_in_it() -> None:
    talk = conversation_of(ConversationForm.MESSAGES, OPENING, "</code>")
    talk.add_reply("<code>\nprint(2 + 2)\n")
    lead, end = ("</code>\n<output>\n", Origin.PROMPT), ("\n</output>", Origin.PROMPT)
    talk.tell([Part(Feedback.OBSERVATION, [lead, ("4", Origin.INTERPRETER), end])])
    assert [message.content for message in talk.messages[1:]] == [
        "<code>\nprint(2 + 2)\n</code>",
        "<output>\n4\n</output>",
    ]
    assert talk.messages[1].pieces[-1] == ("</code>", Origin.PROMPT)
    talk.add_reply("So it is 4.")
    assert talk.messages[-1].role is Role.ASSISTANT


def test_what_is_no_output_is_a_message_in_any_chat() -> None:
    talk = conversation_of(ConversationForm.PREFILL, OPENING)
    talk.add_reply("Hm.")
    talk.tell([NUDGE])
    talk.add_reply("It is 4.")
    assert [message.role for message in talk.messages] == [
        Role.USER,
        Role.ASSISTANT,
        Role.USER,
        Role.ASSISTANT,
    ]


def test_a_raw_text_grows_and_keeps_who_wrote_what() -> None:
    talk = conversation_of(ConversationForm.COMPLETION, RAW)
    talk.add_reply("print(2 + 2)")
    talk.tell([OUTPUT])
    talk.add_reply("It is 4.")
    assert [message.content for message in talk.messages] == ["2 + 2?\nA: print(2 + 2)\n[4]\nIt is 4."]
    own = [text for text, origin in talk.messages[0].pieces if origin is Origin.MODEL]
    assert own == ["print(2 + 2)", "It is 4."]


@pytest.mark.parametrize("form", ConversationForm)
def test_a_begun_reply_is_gone_on_with(form: ConversationForm) -> None:
    talk = conversation_of(form, RAW if form is ConversationForm.COMPLETION else OPENING)
    talk.add_reply("Hm.")
    talk.begin_reply([("The answer is ", Origin.PROMPT)])
    before = len(talk.messages)
    talk.add_reply("4")
    assert len(talk.messages) == before
    assert talk.messages[-1].content.endswith("The answer is 4")
    assert talk.messages[-1].pieces[-1] == ("4", Origin.MODEL)
