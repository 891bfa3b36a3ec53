"""Tool calls, put together from the pieces in which servers send them.

Most send the id and the name once, then fragments of the arguments, all with the index of the call.
Seen or documented beside that: the id and the name in every piece; a fresh id in every piece, with the
name in the first alone; whole calls in one piece; one index for all calls; no index; no id, or the same
id in every turn.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection
from dataclasses import dataclass

from tir_agent.messages import ToolCall
from tir_agent.models.wire import CallDelta

__all__ = ["CallCollector"]


@dataclass
class _Call:
    index: int | None
    id: str
    """As the server gave it; empty where it did not."""
    name: str
    arguments: str = ""


class CallCollector:
    """The calls of one reply. `taken` are the ids that the conversation has already."""

    def __init__(self, taken: Collection[str] = ()) -> None:
        self._taken = frozenset(taken)
        self._calls: list[_Call] = []

    def feed(self, delta: CallDelta) -> tuple[str, str]:
        """Take a piece; returns the name of the function that is called, and the arguments' next piece."""
        name = delta.function.name or ""
        call = self._open(delta)
        if call is None:
            call = _Call(delta.index, delta.id or "", name)
            self._calls.append(call)
        call.name = call.name or name
        call.id = call.id or delta.id or ""
        piece = delta.function.arguments or ""
        call.arguments += piece
        return call.name, piece

    def _open(self, delta: CallDelta) -> _Call | None:
        """The call that the piece continues; None where it begins one."""
        same = [call for call in self._calls if delta.index is None or call.index == delta.index]
        if not same:
            return None
        call = same[-1]
        if not delta.function.name:
            return call
        if delta.id and call.id:
            # One index for all calls; a fresh id in every piece comes without a name.
            return call if delta.id == call.id else None
        return None if _is_complete(call.arguments) else call

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far, each with an id that no other of the conversation has."""
        taken = set(self._taken)
        made_up = (f"call_{number}" for number in itertools.count(1))
        given = {call.id for call in self._calls}
        calls: list[ToolCall] = []
        for call in self._calls:
            if not call.id or call.id in taken:
                call_id = next(name for name in made_up if name not in taken | given)
            else:
                call_id = call.id
            taken.add(call_id)
            calls.append(ToolCall(id=call_id, name=call.name, arguments=call.arguments))
        return tuple(calls)


def _is_complete(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True
