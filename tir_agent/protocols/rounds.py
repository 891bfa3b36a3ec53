"""Rounds of program, output, verification and conclusion: the Chain of Self-Correction.

    ```python
    print(6 * 7)
    ```
    ```output
    42
    ```
    Verification: the product of 6 and 7 is asked for, and 42 is it.
    Conclusion: the answer is $\\boxed{42}$.

After Gao et al., "Embedding Self-Correction as an Inherent Ability in Large Language Models for Enhanced
Mathematical Reasoning" (2024), which names the four parts; the headings can be chosen. An answer counts
only in the conclusion of the last round: a box in a verification is a candidate, and a conclusion that a
program follows has been taken back.
"""

from __future__ import annotations

from tir_agent.messages import Tool
from tir_agent.protocols.base import Action
from tir_agent.protocols.fences import FencesProtocol
from tir_agent.protocols.headings import HeadingFinder
from tir_agent.settings import Rounds
from tir_agent.trajectory import Completion

__all__ = ["RoundsProtocol"]


class RoundsProtocol:
    """Code in fences, and answers in conclusions alone."""

    executes = True
    tools: tuple[Tool, ...] = ()

    def __init__(self, choice: Rounds) -> None:
        self._fences = FencesProtocol(choice.fences)
        self._headings = HeadingFinder(verification=choice.verification, conclusion=choice.conclusion)

    def parse(self, completion: Completion) -> Action:
        text = completion.text
        reading = self._fences.read(completion)
        # What stands behind the last program is the last round's.
        last_gap = reading.gaps[-1]
        part = ""
        for heading in self._headings.find(text, [last_gap]):
            part = text[heading.body : last_gap[1]] if heading.kind == "conclusion" else ""
        return Action(kept=reading.kept, blocks=reading.blocks, prose=part, malformed=reading.malformed)
