"""Making room: what is shortened, what never is, and how it can be undone."""

from __future__ import annotations

from tir_agent.agent.shortening import shorten
from tir_agent.messages import Message, Origin, Role

LONG = "x" * 1000
PROBLEM = Message.of(Role.USER, (LONG, Origin.PROBLEM))
REPLY = Message.of(Role.ASSISTANT, (LONG, Origin.MODEL))


def output(text: str = LONG) -> Message:
    return Message.of(Role.USER, ("<", Origin.PROMPT), (text, Origin.INTERPRETER), (">", Origin.PROMPT))


def test_old_outputs_go_first() -> None:
    messages, done = shorten([PROBLEM, REPLY, output(), REPLY, output()], turn=2)
    assert [len(message.content) < 300 for message in messages] == [False, False, True, False, False]
    assert [(one.turn, one.message) for one in done] == [(2, 2)]
    assert messages[2].content.startswith("<" + "x" * 100 + "... [900 characters removed")
    assert messages[2].content.endswith(">")


def test_the_newest_goes_where_no_other_is_left() -> None:
    messages, done = shorten([PROBLEM, REPLY, output()], turn=1)
    assert len(done) == 1
    assert len(messages[2].content) < 300


def test_nothing_is_done_where_nothing_can_be_saved() -> None:
    messages = [PROBLEM, REPLY, output("short")]
    assert shorten(messages, turn=1) == (messages, [])
    once, _ = shorten([PROBLEM, REPLY, output()], turn=1)
    assert shorten(once, turn=1) == (once, [])


def test_several_outputs_in_one_message_are_all_found() -> None:
    raw = Message.of(
        Role.RAW,
        (LONG, Origin.PROBLEM),
        (LONG, Origin.INTERPRETER),
        (LONG, Origin.MODEL),
        (LONG, Origin.INTERPRETER),
        (LONG, Origin.MODEL),
        (LONG, Origin.INTERPRETER),
    )
    (message,), done = shorten([raw], turn=3)
    assert len(done) == 2
    short = len(message.pieces[1][0])
    assert [len(text) for text, _ in message.pieces] == [1000, short, 1000, short, 1000, 1000]
    # From the last to the first, each is undone with the places that it recorded.
    content = message.content
    for one in reversed(done):
        end = one.start + len(one.replacement)
        assert content[one.start : end] == one.replacement
        content = content[: one.start] + one.removed + content[end:]
    assert content == raw.content
