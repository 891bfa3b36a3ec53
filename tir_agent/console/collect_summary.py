"""What a collection came to, when it is over."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from tir_agent.collect.progress import Progress
from tir_agent.console.amounts import amount_text, count_text, duration_text, kinds_text, share_text
from tir_agent.console.collect_frame import one_line

__all__ = ["collect_summary"]

_KINDS = 8
_LABEL = 10


def collect_summary(progress: Progress, saved_in: str, commands: Sequence[str]) -> Text:
    """A block of lines: figures, where it all is, and what can be typed next (`commands`)."""
    whole = progress.done >= progress.expected
    head = f"{count_text(progress.done)} of {count_text(progress.expected)} trajectories"
    if progress.before:
        head += f", {count_text(progress.before)} of them from before"
    rows: list[tuple[str, Text]] = []
    if progress.done:
        rows.append(("correct", _verdicts(progress)))
    if progress.failures or progress.given_up:
        rows.append(("failures", _failures(progress)))
    rows.append(("tokens", Text(_throughput(progress))))
    if progress.cost is not None:
        rows.append(("cost", Text(amount_text(progress.cost, progress.currency))))
    rows.append(("saved in", Text(one_line(saved_in))))
    labels = ["next", *[""] * len(commands)]
    rows += [
        (label, Text(one_line(command), "bold")) for label, command in zip(labels, commands, strict=False)
    ]
    block = Text.assemble(
        (head, "bold green" if whole else "bold yellow"), f" in {duration_text(progress.elapsed)}"
    )
    for label, value in rows:
        block.append("\n").append(label.ljust(_LABEL), style="dim").append_text(value)
    return block


def _verdicts(progress: Progress) -> Text:
    if not progress.correct and not progress.wrong:
        return Text("nothing could be graded")
    share = share_text(progress.correct, progress.done)
    text = Text.assemble(f"{count_text(progress.correct)} (", (share, "green"), "), ")
    text.append(f"{count_text(progress.wrong)} wrong")
    return text.append(f", {count_text(progress.ungraded)} ungraded" if progress.ungraded else "")


def _failures(progress: Progress) -> Text:
    kinds = {one_line(kind): count for kind, count in progress.failures.items()}
    pieces = [kinds_text(kinds, _KINDS)] if kinds else []
    if progress.given_up:
        pieces.append(f"{count_text(progress.given_up)} given up")
    return Text("; ".join(pieces), style="red")


def _throughput(progress: Progress) -> str:
    seconds = max(progress.elapsed, 0.001)
    per_minute = (progress.done - progress.before) * 60 / seconds
    written = count_text(progress.completion_tokens)
    speed = count_text(progress.completion_tokens / seconds)
    return f"{written} ({speed} a second), {per_minute:,.1f} trajectories a minute"
