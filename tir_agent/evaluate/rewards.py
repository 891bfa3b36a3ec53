"""What says how good a solution looks without the gold answer: a function, a server, or a file."""

from __future__ import annotations

import importlib
import inspect
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tir_agent.errors import DataError, UsageError
from tir_agent.messages import Role
from tir_agent.trajectory import Trajectory

__all__ = ["Candidate", "FunctionReward", "RecordedReward", "Reward", "candidate", "load_function"]

Function = Callable[[str, list[dict[str, str]], str | None], float | Awaitable[float]]
"""From the problem, the messages and the answer to a reward; larger is better."""
_SHOWN = 80


@dataclass(frozen=True)
class Candidate:
    """What a reward sees of a trajectory."""

    id: str
    """The trajectory's."""
    problem: str
    messages: tuple[tuple[str, str], ...]
    """Role and content of each. A tool's output is a user's message, since reward models know no tools; a
    conversation that is one raw text is the problem and what follows it."""
    answer: str | None

    def as_messages(self) -> list[dict[str, str]]:
        """In the words of the chat API."""
        return [{"role": role, "content": content} for role, content in self.messages]

    @property
    def solution(self) -> str:
        """What follows the last message before the first reply, as one text."""
        start = next((n for n, (role, _) in enumerate(self.messages) if role == Role.ASSISTANT.value), 0)
        return "\n\n".join(content for _, content in self.messages[start:])


class Reward(Protocol):
    """Scores candidates. It never sees the gold answer."""

    async def score(self, candidates: Sequence[Candidate]) -> list[float | None]:
        """One number for each, larger is better; None where there is none.

        Raises:
            MachineryError: the rewards cannot be had.
        """

    async def close(self) -> None:
        """Let go of what it holds. Idempotent."""


def candidate(trajectory: Trajectory) -> Candidate:
    """What a reward sees of this trajectory: the last attempt's conversation."""
    messages: list[tuple[str, str]] = []
    for message in trajectory.messages:
        if message.role is Role.RAW:
            begin = next((span.start for span in message.spans if span.origin.value == "model"), 0)
            messages += [(Role.USER.value, trajectory.problem.text)]
            messages += [(Role.ASSISTANT.value, message.content[begin:])]
        elif message.role is Role.TOOL:
            messages.append((Role.USER.value, message.content))
        else:
            calls = "".join(f"\n{call.arguments}" for call in message.tool_calls)
            messages.append((message.role.value, message.content + calls))
    return Candidate(trajectory.id, trajectory.problem.text, tuple(messages), trajectory.answer)


def finite(value: object, source: str) -> float:
    """`value` as a reward.

    Raises:
        DataError: it is not a number, or not a finite one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{source} gave {str(value)[:_SHOWN]!r} as a reward, which is no finite number")
    return float(value)


class FunctionReward:
    """A function of the user's own, plain or async."""

    def __init__(self, function: Function, name: str = "The reward function") -> None:
        self._function = function
        self._name = name

    async def score(self, candidates: Sequence[Candidate]) -> list[float | None]:
        """One after the other.

        Raises:
            DataError: the function raised, or gave no finite number.
        """
        rewards: list[float | None] = []
        for one in candidates:
            try:
                value = self._function(one.problem, one.as_messages(), one.answer)
                if inspect.isawaitable(value):
                    value = await value
            except Exception as error:
                raise DataError(f"{self._name} raised {type(error).__name__}: {error}") from error
            rewards.append(finite(value, self._name))
        return rewards

    async def close(self) -> None:
        """Nothing to do."""


def load_function(name: str) -> FunctionReward:
    """The function that `module:function` names.

    Raises:
        UsageError: there is no such module, or no such function in it.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"There is no reward function {name}: {error}", hint="Name one that Python finds: module:function"
        ) from None
    if not callable(function):
        raise UsageError(f"{name} is not a function", hint="Name one that Python finds: module:function")
    return FunctionReward(function, name)


class RecordedReward:
    """Rewards that were reckoned before, by the trajectories' ids."""

    def __init__(self, rewards: Mapping[str, float]) -> None:
        self._rewards = rewards

    @classmethod
    def read(cls, path: Path) -> RecordedReward:
        """From a file with an object {"id", "reward"} on each line.

        Raises:
            DataError: it cannot be read as that.
        """
        rewards: dict[str, float] = {}
        try:
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        identity, reward = _row(line, f"{path}:{number}")
                        rewards[identity] = reward
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise DataError(f"{path} is not UTF-8 text") from None
        return cls(rewards)

    async def score(self, candidates: Sequence[Candidate]) -> list[float | None]:
        """As recorded; None for trajectories that are not there."""
        return [self.of(one.id) for one in candidates]

    def of(self, trajectory: str) -> float | None:
        """The reward of the trajectory with this id; None where it is not there."""
        return self._rewards.get(trajectory)

    async def close(self) -> None:
        """Nothing to do."""


def _row(line: str, source: str) -> tuple[str, float]:
    try:
        row: Any = json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        raise DataError(f"{source} is not JSON") from None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise DataError(f"{source} has no id", hint='Each line is like {"id": "0123...", "reward": 0.5}')
    return row["id"], finite(row.get("reward"), source)
