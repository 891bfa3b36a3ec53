"""Tool calls in every way in which servers cut them to pieces."""

from __future__ import annotations

import pytest

from tir_agent.models.calls import CallCollector
from tir_agent.models.wire import CallDelta, Delta

Piece = dict[str, object]


def piece(**fields: object) -> Piece:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**fields, "function": function}


def collect(*pieces: Piece) -> list[tuple[str, str, str]]:
    collector = CallCollector()
    for each in pieces:
        collector.feed(CallDelta.model_validate(each))
    return [(call.id, call.name, call.arguments) for call in collector.calls()]


ONE = [("a", "f", '{"x": 1}')]
TWO = [("a", "f", '{"x": 1}'), ("b", "g", "{}")]


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        pytest.param(
            [
                piece(index=0, id="a", name="f"),
                piece(index=0, arguments='{"x"'),
                piece(index=0, arguments=": 1}"),
            ],
            ONE,
            id="the name once",
        ),
        pytest.param(
            [
                piece(index=0, id="a", name="f", arguments='{"x"'),
                piece(index=0, id="a", name="f", arguments=": 1}"),
            ],
            ONE,
            id="the name in every piece",
        ),
        pytest.param(
            [
                piece(index=0, id="a", name="f", arguments='{"x"'),
                piece(index=0, id="z", arguments=": 1}"),
            ],
            ONE,
            id="a fresh id in every piece",
        ),
        pytest.param(
            [
                piece(index=0, id="a", name="f", arguments=""),
                piece(index=1, id="b", name="g", arguments="{"),
                piece(index=0, arguments='{"x": 1}'),
                piece(index=1, arguments="}"),
            ],
            TWO,
            id="two calls, mixed",
        ),
        pytest.param(
            [
                piece(index=0, id="a", name="f", arguments='{"x": 1}'),
                piece(index=0, id="b", name="g", arguments="{}"),
            ],
            TWO,
            id="one index for all",
        ),
        pytest.param(
            [piece(id="a", name="f", arguments='{"x": 1}'), piece(id="b", name="g", arguments="{}")],
            TWO,
            id="whole calls without an index",
        ),
        pytest.param(
            [piece(name="f", arguments='{"x"'), piece(arguments=": 1}"), piece(name="g", arguments="{}")],
            [("call_1", "f", '{"x": 1}'), ("call_2", "g", "{}")],
            id="neither index nor id",
        ),
        pytest.param(
            [
                piece(index=0, id="", name="f", arguments="{"),
                piece(index=0, id="", name="f", arguments="}"),
                piece(index=0, id="", name="f", arguments="{}"),
            ],
            [("call_1", "f", "{}"), ("call_2", "f", "{}")],
            id="empty ids, and the name in every piece",
        ),
        pytest.param(
            [piece(index=0, id="0", name="f", arguments={"x": 1}), piece(index=1, id="0", name="g")],
            [("0", "f", '{"x": 1}'), ("call_1", "g", "")],
            id="an object for arguments, and one id for all",
        ),
        pytest.param(
            [piece(index=0, id="a", name="f", arguments='{"x": ')], [("a", "f", '{"x": ')], id="broken off"
        ),
    ],
)
def test_pieces_join_to_calls(pieces: list[Piece], calls: list[tuple[str, str, str]]) -> None:
    assert collect(*pieces) == calls


def test_one_call_in_the_place_of_a_list() -> None:
    assert len(Delta.model_validate({"tool_calls": piece(index=0, name="f")}).tool_calls) == 1
    assert Delta.model_validate({"tool_calls": None}).tool_calls == []
