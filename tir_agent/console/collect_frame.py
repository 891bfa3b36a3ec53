"""One picture of a collection under way, for the width that a terminal has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from tir_agent.collect.progress import Progress
from tir_agent.console.amounts import amount_text, count_text, duration_text, kinds_text, share_text
from tir_agent.console.view import printable

__all__ = ["collect_frame", "done_text", "left_text", "one_line", "stopping_text"]

_NARROW = 60
"""Columns below which there are neither labels nor small bars."""
_SMALL_BAR = 16
_LABEL = 10
_KINDS = 4
"""Kinds of failure that are named."""


@dataclass(frozen=True)
class _Part:
    """A stretch of a bar: distinct without colour too."""

    count: int
    sign: str
    plain_sign: str
    style: str


@dataclass(frozen=True)
class _Row:
    """A label and what stands behind it, over as many lines as that takes. A grid of rich's does the same
    at three times the cost, four times a second."""

    label: str
    value: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        label = self.label
        for line in self.value.wrap(console, max(options.max_width - _LABEL, 1)):
            line.rstrip()
            yield Text.assemble((label.ljust(_LABEL), "dim"), line)
            label = ""


def collect_frame(progress: Progress, width: int, *, plain: bool = False) -> RenderableType:
    """`plain`: the terminal has no characters beyond ASCII."""
    narrow = width < _NARROW
    head = Text.assemble(
        (done_text(progress), "bold"), (f", {left_text(progress)}" if left_text(progress) else "")
    )
    bar = _bar(_whole(progress), width if narrow else max(width - head.cell_len - 2, 10), plain)
    first = [bar, head] if narrow else [Text.assemble(bar, "  ", head)]
    rows = _rows(progress, narrow, plain)
    if narrow:
        return Group(*first, *(value for _, value in rows))
    return Group(*first, *(_Row(label, value) for label, value in rows))


def done_text(progress: Progress) -> str:
    """
    >>> done_text(Progress(done=1234, expected=8000))
    '1,234/8,000 (15 %)'
    """
    if not progress.expected:
        return f"{count_text(progress.done)} done"
    percent = min(100 * progress.done // progress.expected, 100)
    return f"{count_text(progress.done)}/{count_text(progress.expected)} ({percent} %)"


def left_text(progress: Progress) -> str:
    """
    >>> left_text(Progress(seconds_left=90))
    '1 min 30 s left'
    """
    return "" if progress.seconds_left is None else f"{duration_text(progress.seconds_left)} left"


def stopping_text(progress: Progress) -> str:
    """What is waited for once a stop was asked for."""
    return f"{count_text(progress.running)} still under way, Ctrl-C again to stop now"


def one_line(text: str) -> str:
    """What others wrote, without control codes and without line breaks."""
    return " ".join(printable(text).split())


def _rows(progress: Progress, narrow: bool, plain: bool) -> list[tuple[str, Text]]:
    rows = [("correct", _correct(progress, narrow, plain)), ("speed", _speed(progress))]
    rows.append(("running", _running(progress, narrow, plain)))
    if progress.failures or progress.retrying or progress.given_up:
        rows.append(("failures", _failures(progress)))
    if progress.paused is not None:
        rows.append(("paused", Text(f"paused: {one_line(progress.paused)}", style="yellow")))
    if progress.stopping:
        rows.append(("stopping", Text(f"stopping: {stopping_text(progress)}", style="bold yellow")))
    # Beside a label its word would stand twice.
    return rows if narrow else [(label, _without(value, f"{label}: ")) for label, value in rows]


def _without(text: Text, beginning: str) -> Text:
    return text[len(beginning) :] if text.plain.startswith(beginning) else text


def _correct(progress: Progress, narrow: bool, plain: bool) -> Text:
    judged = progress.correct + progress.wrong
    if not judged:
        return Text("nothing graded yet" if not progress.ungraded else "nothing could be graded")
    share = share_text(progress.correct, progress.done)
    text = Text.assemble((share, "bold green"), " correct" if narrow else "")
    if narrow:
        return text.append(f", {count_text(progress.ungraded)} ungraded" if progress.ungraded else "")
    parts = [
        _Part(progress.correct, "█", "#", "green"),
        _Part(progress.wrong, "▒", "-", "red"),
        _Part(progress.ungraded, "░", ".", "dim"),
    ]
    text.append("  ").append_text(_bar(parts, _SMALL_BAR, plain)).append("  ")
    text.append(f"{count_text(progress.correct)} correct, {count_text(progress.wrong)} wrong")
    return text.append(f", {count_text(progress.ungraded)} ungraded" if progress.ungraded else "")


def _speed(progress: Progress) -> Text:
    pieces = [
        f"{count_text(progress.tokens_per_second)} tokens/s",
        f"{progress.per_minute:,.1f} trajectories/min",
        f"{duration_text(progress.elapsed)} so far",
    ]
    if progress.cost is not None:
        pieces.append(amount_text(progress.cost, progress.currency))
    return Text(", ".join(pieces))


def _running(progress: Progress, narrow: bool, plain: bool) -> Text:
    text = Text(f"{count_text(progress.running)} running" if narrow else count_text(progress.running))
    model, kernel = progress.in_model, progress.in_kernel
    parts = [
        _Part(progress.waiting_model, "░", ".", "cyan"),
        _Part(model, "█", "#", "cyan"),
        _Part(progress.waiting_kernel, "░", ":", "magenta"),
        _Part(kernel, "▓", "=", "magenta"),
    ]
    known = sum(part.count for part in parts)
    if not known:
        return text
    if not narrow:
        rest = _Part(max(progress.running - known, 0), " ", " ", "")
        text.append("  ").append_text(_bar([*parts, rest], _SMALL_BAR, plain)).append("  ")
    else:
        text.append(": ")
    waiting = f" (+{count_text(progress.waiting_model)} waiting)" if progress.waiting_model else ""
    text.append(f"model {count_text(model)}{waiting}", style="cyan").append(", ")
    waiting = f" (+{count_text(progress.waiting_kernel)} waiting)" if progress.waiting_kernel else ""
    return text.append(f"kernel {count_text(kernel)}{waiting}", style="magenta")


def _failures(progress: Progress) -> Text:
    kinds = {one_line(kind): count for kind, count in progress.failures.items()}
    text = Text(kinds_text(kinds, _KINDS), style="red")
    more = []
    if progress.retrying:
        more.append(f"{count_text(progress.retrying)} to be tried again")
    if progress.given_up:
        more.append(f"{count_text(progress.given_up)} given up")
    return text.append(("; " if kinds else "") + ", ".join(more) if more else "")


def _whole(progress: Progress) -> Sequence[_Part]:
    done = min(progress.done, progress.expected)
    style = "yellow" if progress.paused is not None or progress.stopping else "cyan"
    return _Part(done, "━", "#", style), _Part(progress.expected - done, "╌", "-", "dim")


def _bar(parts: Sequence[_Part], width: int, plain: bool) -> Text:
    """Stretches of `width` columns in all, each as long as its part of the sum."""
    total = sum(part.count for part in parts)
    text = Text(no_wrap=True)
    if not total:
        return text.append(("-" if plain else "╌") * width, style="dim")
    before = edge = 0
    for part in parts:
        before += part.count
        end = before * width // total
        text.append((part.plain_sign if plain else part.sign) * (end - edge), style=part.style)
        edge = end
    return text
