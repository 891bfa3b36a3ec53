"""What was asked, as typed data."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from conformance.tokens import Tokenizer, count

__all__ = ["Request", "ToolCall", "Turn"]


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool; `arguments` is JSON, as the model wrote it."""

    name: str
    arguments: str
    id: str = ""
    """Empty until the server gives it one."""


@dataclass(frozen=True)
class Turn:
    """One message of the conversation."""

    role: str
    text: str
    calls: tuple[ToolCall, ...] = ()
    answers: str | None = None
    """The id of the call that a tool's message answers."""

    @cached_property
    def rendered(self) -> str:
        """As the chat template writes it."""
        calls = "".join(f"\n<tool_call>{call.name} {call.arguments}</tool_call>" for call in self.calls)
        return f"<|im_start|>{self.role}\n{self.text}{calls}<|im_end|>\n"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request for a reply, after the server's rules were applied to it."""

    model: str
    turns: tuple[Turn, ...] = ()
    prompt: str | None = None
    """The raw prompt; None for a chat."""
    continued: str | None = None
    """The text of the assistant's last message, where the reply continues it."""
    tools: tuple[Mapping[str, object], ...] = ()
    stop: tuple[str, ...] = ()
    keeps_stop: bool = False
    limit: int | None = None
    """Tokens that the reply may have, as far as the request says."""
    seed: int | None = None
    n: int = 1
    sample: int = 0
    """Which of the `n` replies is to be written."""
    temperature: float = 1.0
    stream: bool = False
    usage_wanted: bool = False
    logprobs: int | None = None
    """Alternatives to be given beside each token's own logprob; None for no logprobs."""
    wants_ids: bool = False
    wants_prompt_ids: bool = False

    @property
    def chat(self) -> bool:
        """Whether it is a chat rather than a raw prompt."""
        return self.prompt is None

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The prompt in pieces that are tokenised one by one."""
        if self.prompt is not None:
            return (self.prompt,)
        tools = (json.dumps(self.tools),) if self.tools else ()
        if self.continued is None:
            return (*tools, *(turn.rendered for turn in self.turns), "<|im_start|>assistant\n")
        before = tuple(turn.rendered for turn in self.turns[:-1])
        return (*tools, *before, f"<|im_start|>assistant\n{self.continued}")

    @cached_property
    def prompt_tokens(self) -> int:
        """How many tokens the prompt has."""
        return sum(count(part) for part in self.parts)

    def prompt_ids(self, tokenizer: Tokenizer) -> list[int]:
        """The ids of the prompt."""
        return [number for part in self.parts for number in tokenizer.encode(part)]

    @cached_property
    def written(self) -> str:
        """What is to be continued: a raw prompt, the assistant's open message, or nothing."""
        return self.prompt if self.prompt is not None else self.continued or ""

    @cached_property
    def transcript(self) -> str:
        """All text of the conversation, in order, without the template's marks."""
        if self.prompt is not None:
            return self.prompt
        return "\n".join(turn.text for turn in self.turns)

    def turns_since(self, length: int) -> tuple[Turn, ...]:
        """The assistant's messages within the last `length` characters of the transcript."""
        found: list[Turn] = []
        end = 0
        for turn in reversed(self.turns):
            if end >= length:
                break
            found.append(turn)
            end += len(turn.text) + 1
        return tuple(turn for turn in reversed(found) if turn.role == "assistant")

    @property
    def replies(self) -> int:
        """How many complete replies of the assistant the conversation has."""
        said = sum(turn.role == "assistant" for turn in self.turns)
        return said - (self.continued is not None)

    def tool_named(self, name: str) -> str | None:
        """`name` where it is among the tools, else the first one's name; None where there are none."""
        names = [_function_name(tool) for tool in self.tools]
        return name if name in names else next(iter(names), None)

    def chance(self) -> random.Random:
        """A source of chance for this sample; the same for the same seed."""
        if self.seed is None:
            return random.Random()
        return random.Random(f"{self.seed}/{self.sample}")

    def without(self, left_out: Turn) -> Request:
        """The same without one message."""
        return replace(self, turns=tuple(turn for turn in self.turns if turn is not left_out))


def _function_name(tool: Mapping[str, object]) -> str:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else ""
