"""A recorded run on a terminal, drawn as it looked when it happened."""

from __future__ import annotations

from rich.console import Console

from tir_agent.console.amounts import amount_text, counted_text
from tir_agent.console.view import RunView, seconds_text
from tir_agent.trajectory import Cost, FinishReason, Trajectory, Turn

__all__ = ["money", "show_trajectory", "summary"]


def show_trajectory(console: Console, trajectory: Trajectory) -> None:
    """Draw a recorded run as it looked when it happened, then its figures."""
    view = RunView(console)
    view.problem(trajectory.problem.text)
    for attempt in trajectory.attempts:
        for turn in attempt.turns:
            _show_turn(view, turn)
        view.started_again()
    for turn in trajectory.turns:
        _show_turn(view, turn)
    view.stopped(trajectory.stop, trajectory.answer)
    if trajectory.grade is not None:
        view.graded(trajectory.grade)
    if trajectory.failure is not None:
        view.note(f"{trajectory.failure.kind}: {trajectory.failure.message}", "red")
    for note in trajectory.notes:
        view.note(note)
    view.note(summary(trajectory))


def _show_turn(view: RunView, turn: Turn) -> None:
    view.text(turn.completion.text[: turn.kept])
    view.end_reply()
    if turn.completion.finish_reason is FinishReason.REPETITION:
        view.note("(the reply was stopped here, since it went on repeating itself)")
    elif turn.kept < len(turn.completion.text):
        view.note("(what the model wrote after this was output of its own invention, and was cut off)")
    for cell in turn.cells:
        if cell.call_id is not None:
            view.code(cell.code)
        view.cell_ended(cell)
    if turn.completion.finish_reason is FinishReason.LENGTH:
        view.note("(the reply was cut off at its token limit)")
    if turn.critique is not None:
        view.note(f"A critic: {turn.critique.text.strip()}", "magenta")
    view.asked(turn.feedback)


def summary(trajectory: Trajectory) -> str:
    """The run's figures in one line."""
    usage, timings = trajectory.usage, trajectory.timings
    price = f"{money(usage.cost)}, " if usage.cost else ""
    return (
        f"{counted_text(usage.turns, 'turn')}, {counted_text(usage.cells, 'cell')}, "
        f"{counted_text(usage.completion_tokens, 'token')}, {price}"
        f"{seconds_text(timings.duration)} (model {seconds_text(timings.model)}, "
        f"kernel {seconds_text(timings.kernel)}); {trajectory.settings.model}, "
        f"kernel in {trajectory.environment.kernel}, prompt {trajectory.prompt.name}"
    )


def money(cost: Cost) -> str:
    """An amount to two digits, or to the cent where it is larger.

    >>> money(Cost(amount=0.00314, currency="USD", as_of=date(2026, 3, 1)))
    '$0.0031'
    """
    return ("about " if cost.estimated else "") + amount_text(cost.amount, cost.currency)
