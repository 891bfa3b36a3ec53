"""A collection under way where there is no terminal: plain lines, few of them.

One at the start; one whenever it pauses, goes on or is asked to stop; and between them one when half a
minute has passed *and* five percent more are done, or when ten minutes have passed.
"""

from __future__ import annotations

from tir_agent.collect.progress import Progress
from tir_agent.console.amounts import count_text, share_text
from tir_agent.console.collect_frame import done_text, left_text, one_line

__all__ = ["CollectLines"]

_SECONDS = 30.0
_PART = 0.05
_LONGEST = 600.0


class CollectLines:
    """Turns pictures of the collection into the lines that are due."""

    def __init__(self) -> None:
        self._last: Progress | None = None
        """At the last line about how far it has come."""
        self._paused: str | None = None
        self._stopping = False

    def due(self, progress: Progress) -> list[str]:
        """The lines to print now; the clock is the collection's own."""
        lines: list[str] = []
        if self._last is None:
            lines.append(_first_line(progress))
            self._last = progress
        elif self._is_time(self._last, progress):
            lines.append(_line(progress))
            self._last = progress
        if (progress.paused is None) is not (self._paused is None):
            reason = progress.paused
            lines.append("going on" if reason is None else f"paused: {one_line(reason)}")
        self._paused = progress.paused
        if progress.stopping and not self._stopping:
            lines.append(
                f"stopping: {count_text(progress.running)} still under way, a second signal stops at once"
            )
            self._stopping = True
        return lines

    def _is_time(self, last: Progress, progress: Progress) -> bool:
        passed = progress.elapsed - last.elapsed
        enough = progress.done - last.done >= _PART * max(progress.expected, 1)
        return (passed >= _SECONDS and enough) or passed >= _LONGEST


def _first_line(progress: Progress) -> str:
    problems = f" of {count_text(progress.problems)} problems" if progress.problems else ""
    line = f"collecting {count_text(progress.expected)} trajectories{problems}"
    return f"{line}, {count_text(progress.before)} of them are there" if progress.before else line


def _line(progress: Progress) -> str:
    pieces = [done_text(progress)]
    if progress.correct or progress.wrong:
        pieces.append(f"{share_text(progress.correct, progress.done)} correct")
    pieces.append(f"{count_text(progress.tokens_per_second)} tokens/s")
    pieces.append(f"{progress.per_minute:,.1f} trajectories/min")
    pieces.append(f"{count_text(progress.running)} running")
    if failures := sum(progress.failures.values()):
        pieces.append(f"{count_text(failures)} failures")
    if left := left_text(progress):
        pieces.append(left)
    return ", ".join(pieces)
