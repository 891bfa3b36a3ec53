"""Problems that are too much like those of a benchmark."""

from __future__ import annotations

from tir_agent.export.manifest import Overlap
from tir_agent.preferences.overlap import NgramIndex
from tir_agent.problems import load_problems
from tir_agent.settings import Contamination
from tir_agent.trajectory import Problem

__all__ = ["Contaminated"]


class Contaminated:
    """Knows the benchmarks, and remembers which problems were like theirs."""

    def __init__(self, settings: Contamination) -> None:
        """Read the benchmarks.

        Raises:
            DataError: one of them cannot be read.
        """
        self.asked = bool(settings.against)
        self._index = NgramIndex(settings.ngram)
        self._found: dict[str, Overlap | None] = {}
        for source in settings.against:
            for problem in load_problems(source).problems:
                self._index.add(problem.text, source.path, problem.source or problem.id)

    def holds(self, key: str, problem: Problem) -> bool:
        """Whether this problem is too much like one of theirs."""
        if not self.asked:
            return False
        if key not in self._found:
            hit = self._index.find(problem.text)
            self._found[key] = (
                None
                if hit is None
                else Overlap(problem=problem.id, benchmark=hit.benchmark, line=hit.line, shared=hit.shared)
            )
        return self._found[key] is not None

    @property
    def overlaps(self) -> tuple[Overlap, ...]:
        """Those that were."""
        return tuple(overlap for overlap in self._found.values() if overlap is not None)
