"""A model that solves `What is A times B?` with a program, now and then wrongly, and fails when told to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

from tir_agent.errors import ModelUnavailable
from tir_agent.messages import Message, Role, Tool
from tir_agent.models.base import Listener
from tir_agent.models.capabilities import Capabilities
from tir_agent.models.scripted import ScriptedModel
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion, Problem

__all__ = ["Pupil", "times"]


def times(count: int) -> list[Problem]:
    """Problems that it can solve."""
    return [
        Problem(id=f"p{number}", text=f"What is {number + 2} times 7?", gold=str((number + 2) * 7))
        for number in range(count)
    ]


class Pupil:
    """Replies after `delay` seconds. A sample's seed decides whether it comes out right."""

    base_url = None

    def __init__(
        self,
        *,
        delay: float = 0.0,
        right: Callable[[int], bool] = lambda seed: seed % 3 != 0,
        fails: Callable[[str, int], Exception | None] = lambda text, request: None,
    ) -> None:
        """`fails` gets the problem's text and the number of the request, from 1."""
        self.name = "pupil"
        self.requests = 0
        self.at_once = 0
        self.most_at_once = 0
        self._delay = delay
        self._right = right
        self._fails = fails

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        stop: Sequence[str] = (),
        tools: Sequence[Tool] = (),
        timeout: float,
        listener: Listener | None = None,
    ) -> Completion:
        self.requests += 1
        number = self.requests
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await asyncio.sleep(self._delay)
            text = messages[1].content
            if (error := self._fails(text, number)) is not None:
                raise error
            script = ScriptedModel([_reply(messages, sampling.seed or 0, self._right)])
            return await script.complete(messages, sampling, stop=stop, timeout=timeout, listener=listener)
        finally:
            self.at_once -= 1

    async def capabilities(self) -> Capabilities:
        return await ScriptedModel([]).capabilities()

    async def describe(self) -> str | None:
        return None

    async def close(self) -> None:
        pass


def _reply(messages: Sequence[Message], seed: int, right: Callable[[int], bool]) -> str:
    last = messages[-1]
    if messages[-2].role is Role.ASSISTANT:
        found = re.search(r"```output\n(-?\d+)\n```", last.content)
        return f"It is \\boxed{{{found[1]}}}." if found else "I do not know."
    numbers = re.search(r"What is (\d+) times (\d+)", last.content)
    if numbers is None:
        raise ModelUnavailable("Not a problem for a pupil")
    product = f"{numbers[1]} * {numbers[2]}" + ("" if right(seed) else " + 1")
    return f"```python\nprint({product})\n```\n"
