"""What an answer must pass before it counts: a critic's review, a check by the model itself.

The checks are those of CoSC (verification rounds) and of self-refinement with a critic. An answer that
is unchanged after a check has passed it, and a reply that says nothing new after one confirms it.
"""

from __future__ import annotations

from tir_agent.settings import Stages
from tir_agent.trajectory import Feedback

__all__ = ["Checks"]


class Checks:
    """The checks of one run."""

    def __init__(self, stages: Stages) -> None:
        self._left = {Feedback.CRITIQUE: stages.critiques, Feedback.VERIFY: stages.verifications}
        self._asked: Feedback | None = None
        self.answer: str | None = None
        """The newest answer, which stands if no other comes."""

    @property
    def under_way(self) -> bool:
        """Whether the model was asked to reconsider and has not answered since."""
        return self._asked is not None

    def next(self, answer: str) -> Feedback | None:
        """The check that `answer` must pass now; None where there is none, and it counts."""
        if self._asked is not None and answer == self.answer:
            self._left[self._asked] = 0
        self.answer = answer
        self._asked = next((kind for kind, left in self._left.items() if left > 0), None)
        if self._asked is not None:
            self._left[self._asked] -= 1
        return self._asked
