"""Messages and their spans."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tir_agent.messages import Message, Origin, Role, Span


def test_pieces_become_spans() -> None:
    message = Message.of(
        Role.USER, ("<o>", Origin.PROMPT), ("42", Origin.INTERPRETER), ("</o>", Origin.PROMPT)
    )
    assert message.content == "<o>42</o>"
    assert [message.content[span.start : span.end] for span in message.spans] == ["<o>", "42", "</o>"]
    assert [span.origin for span in message.spans] == [Origin.PROMPT, Origin.INTERPRETER, Origin.PROMPT]


def test_neighbours_of_one_origin_are_joined_and_empty_pieces_leave_no_span() -> None:
    message = Message.of(Role.USER, ("a", Origin.PROMPT), ("", Origin.INTERPRETER), ("b", Origin.PROMPT))
    assert message.spans == (Span(start=0, end=2, origin=Origin.PROMPT),)


def test_offsets_count_characters_not_bytes() -> None:
    message = Message.of(Role.USER, ("数学", Origin.PROBLEM), ("𝔸", Origin.PROMPT))
    assert message.spans[-1] == Span(start=2, end=3, origin=Origin.PROMPT)


@pytest.mark.parametrize(
    "spans",
    [
        (),
        (Span(start=0, end=1, origin=Origin.MODEL),),
        (Span(start=1, end=3, origin=Origin.MODEL),),
        (Span(start=0, end=2, origin=Origin.MODEL), Span(start=1, end=3, origin=Origin.MODEL)),
        (Span(start=0, end=4, origin=Origin.MODEL),),
    ],
)
def test_spans_that_do_not_cover_the_content_are_refused(spans: tuple[Span, ...]) -> None:
    with pytest.raises(ValidationError, match="character"):
        Message(role=Role.ASSISTANT, content="abc", spans=spans)
