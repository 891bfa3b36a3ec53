"""A model as the judge of what the grader cannot tell.

Covered: the question, the strict reading of its reply, what it took, and when to stop asking. Not covered:
whether to believe it. A judge reads text that another model wrote to please it; docs/grading.md tells of it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from tir_agent.completion import Completion, FinishReason
from tir_agent.costs import Price, cost
from tir_agent.errors import ModelError
from tir_agent.grades import Grade, Verdict
from tir_agent.models.base import Model
from tir_agent.prompts import JudgePrompt
from tir_agent.settings import Sampling
from tir_agent.trajectory import Problem
from tir_agent.usage import Usage

__all__ = ["JUDGE_SECONDS", "LONGEST", "Judge"]

JUDGE_SECONDS: Final = 120.0
"""For one answer, unless the caller says otherwise: waiting for its turn and all attempts included."""
LONGEST: Final = 4000
"""Characters of an answer, or of a gold one, about which a judge is asked."""
_GIVE_UP: Final = 8
"""Failures in a row after which the server is not asked any more."""
_QUOTED: Final = 300
_THOUGHTS: Final = "</think>"
"""Where servers leave the thinking in the text, it ends so."""
_REPLY: Final = re.compile(r"REASON:(?P<reason>[^\n]*\S)\s*\nVERDICT:[ \t]*(?P<word>CORRECT|WRONG|UNSURE)\.?")
_VERDICTS: Final = {"CORRECT": Verdict.CORRECT, "WRONG": Verdict.WRONG, "UNSURE": Verdict.UNGRADABLE}


class Judge:
    """Asks one model, by one prompt, whether answers agree with gold ones."""

    def __init__(
        self,
        model: Model,
        prompt: JudgePrompt,
        *,
        price: Price | None = None,
        timeout: float = JUDGE_SECONDS,
        at_once: int = 16,
    ) -> None:
        """`timeout` is in seconds, for one answer; `at_once` is how many are asked about at the same time,
        as far as the model's rate limiter lets them. The model stays the caller's to close."""
        self._model = model
        self._prompt = prompt
        self._price = price
        self._timeout = timeout
        self._places = asyncio.Semaphore(at_once)
        self._in_a_row = 0
        self.name = f"judge {model.name}"
        """As it stands in the grades."""
        self.usage = Usage()
        """What it took so far; `turns` counts the replies."""
        self.failure: ModelError | None = None
        """The server's newest failure."""

    @property
    def gave_up(self) -> bool:
        """The server failed so often in a row that it is not asked any more."""
        return self._in_a_row >= _GIVE_UP

    async def grade(self, problem: Problem, gold: str, answer: str) -> Grade | None:
        """The judge's verdict; a reply in any other form than was asked for is `ungradable`.

        None where the server failed, which says nothing about the answer; `failure` tells why.
        """
        sampling = Sampling(temperature=0.0, max_tokens=self._prompt.max_tokens)
        messages = self._prompt.request(problem, gold, answer)
        async with self._places:
            if self.gave_up:
                return None
            try:
                reply = await self._model.complete(messages, sampling, timeout=self._timeout)
            except ModelError as error:
                self.failure = error
                self._in_a_row += 1
                return None
        self._in_a_row = 0
        self._count(reply)
        verdict, reason = _read(reply)
        return Grade(verdict=verdict, reason=reason, grader=self.name)

    def _count(self, reply: Completion) -> None:
        before = self.usage
        price = None if self._price is None else cost(self._price, [reply])
        if price is not None and before.cost is not None:
            price = price.model_copy(
                update={
                    "amount": price.amount + before.cost.amount,
                    "estimated": price.estimated or before.cost.estimated,
                }
            )
        self.usage = Usage(
            turns=before.turns + 1,
            prompt_tokens=before.prompt_tokens + reply.prompt_tokens,
            completion_tokens=before.completion_tokens + reply.completion_tokens,
            cached_tokens=before.cached_tokens + reply.cached_tokens,
            reasoning_tokens=before.reasoning_tokens + reply.reasoning_tokens,
            cost=price,
        )


def _read(reply: Completion) -> tuple[Verdict, str]:
    text = reply.text.rpartition(_THOUGHTS)[2].strip()
    if reply.finish_reason is not FinishReason.STOP:
        return Verdict.UNGRADABLE, f"The judge did not come to an end ({reply.finish_reason.value})"
    match = _REPLY.fullmatch(text)
    if match is None:
        return Verdict.UNGRADABLE, f"The judge gave no verdict in the form asked for: {_quoted(text)}"
    return _VERDICTS[match["word"]], f"The judge says: {_quoted(match['reason'])}"


def _quoted(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= _QUOTED else f"{words[:_QUOTED]}...")
