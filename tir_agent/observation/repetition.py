"""Runs of the same thing, said once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["collapse_repeats", "runs"]

_LONGEST: Final = 8
"""Lines in a block that is looked for."""
_OFTEN: Final = 3
"""Times in a row that a block may come before it counts as repeated."""


def collapse_repeats(text: str) -> str:
    """Show a line, or a block of up to 8 lines, that comes more than 3 times in a row once, with a note.

    Only where that is shorter: ten lines of "0" stay, for the note is longer than they are.

    >>> print(collapse_repeats("working...\\n" * 50 + "done"))
    working...
    [the line above was repeated 49 more times]
    done
    """
    if text.count("\n") < _OFTEN:
        return text
    shown: list[str] = []
    for block, times in runs(text.split("\n")):
        note = repeated_note(len(block), times - 1)
        left_out = (sum(map(len, block)) + len(block)) * (times - 1)
        shown += [*block, note] if times > 1 and len(note) + 1 < left_out else block * times
    return "\n".join(shown)


def repeated_note(lines: int, times: int) -> str:
    """What stands for the repetitions.

    >>> repeated_note(2, 5)
    '[the 2 lines above were repeated 5 more times]'
    """
    above = "the line above was" if lines == 1 else f"the {lines} lines above were"
    return f"[{above} repeated {times} more times]"


def runs(items: Sequence[str]) -> Iterator[tuple[list[str], int]]:
    """The items in order, as blocks and how often each comes in a row; more than 3 times or once.

    Of the blocks that begin at an item, the one that covers most is taken, the shortest of these. Each
    period's matches are counted by one pointer that never goes back, so this is linear.

    >>> list(runs("abababab!"))
    [(['a', 'b'], 4), (['!'], 1)]
    """
    numbers: dict[str, int] = {}
    # Equal items as equal numbers: long lines are compared by their hashes, once.
    ids = [numbers.setdefault(item, len(numbers)) for item in items]
    matched = [0] * (_LONGEST + 1)
    at = 0
    while at < len(ids):
        best, covered = 1, 0
        for period in range(1, _LONGEST + 1):
            # ids[at:end] is the same, one period further on.
            end = max(matched[period], at)
            while end + period < len(ids) and ids[end] == ids[end + period]:
                end += 1
            matched[period] = end
            times = 1 + (end - at) // period
            if times > _OFTEN and times * period > covered:
                best, covered = period, times * period
        yield list(items[at : at + best]), max(covered // best, 1)
        at += max(covered, 1)
