"""What the agent says to a reply, in the prompt's words."""

from __future__ import annotations

from typing import Final

from tir_agent.agent.budget import reason_for
from tir_agent.agent.conversation import Part, Pieces
from tir_agent.agent.run import Run
from tir_agent.prompts import Prompt, fill
from tir_agent.protocols import Action, Malformed
from tir_agent.settings import Budget
from tir_agent.trajectory import ExecutionStatus, Feedback, Origin, Turn

__all__ = ["answer_to", "check_part", "outcome", "solution_text"]

_OUTPUT_LABEL: Final = "Output:"


def answer_to(run: Run, action: Action, prompt: Prompt, budget: Budget) -> list[Part]:
    """What came of the newest reply; that the next one is the last, or that the model should go on."""
    parts = outcome(run, action, prompt)
    feedback = prompt.feedback
    if run.last_turn_for:
        reason = reason_for(run.last_turn_for, feedback)
        parts.append(Part(Feedback.LAST_TURN, fill(feedback.last_turn, reason=(reason, Origin.PROMPT))))
    elif not parts and run.turns[-1].answer is not None:
        parts.append(Part(Feedback.CODE_FIRST, fill(feedback.code_first)))
    elif not parts:
        parts.append(Part(Feedback.NUDGE, fill(feedback.nudge)))
    elif feedback.remaining:
        parts.append(Part(Feedback.REMAINING, _remaining(run, feedback.remaining, budget)))
    return parts


def check_part(kind: Feedback, prompt: Prompt, critique: str) -> Part:
    """The request to reconsider an answer; `critique` is what a critic wrote, where one was asked."""
    if kind is Feedback.CRITIQUE:
        return Part(kind, fill(prompt.feedback.critique, critique=(critique, Origin.CRITIC)))
    return Part(kind, fill(prompt.feedback.verify))


def solution_text(turns: list[Turn]) -> str:
    """All that was said and run, as one text for a critic."""
    parts: list[str] = []
    for turn in turns:
        parts.append(turn.completion.text[: turn.kept].strip())
        for cell in turn.cells:
            if cell.call_id is not None:
                parts.append(cell.code)
            parts.append(f"{_OUTPUT_LABEL}\n{cell.shown}")
    return "\n\n".join(part for part in parts if part)


def outcome(run: Run, action: Action, prompt: Prompt) -> list[Part]:
    """The outputs of the newest reply's code, and what could not be run of it."""
    feedback = prompt.feedback
    parts: list[Part] = []
    for cell in run.turns[-1].cells:
        failed = cell.execution.status is not ExecutionStatus.OK
        # A tool's message holds the output and nothing else: its role says what it is.
        pieces: Pieces = (
            prompt.observed(cell.shown, failed=failed)
            if cell.call_id is None
            else [(cell.shown, Origin.INTERPRETER)]
        )
        parts.append(Part(Feedback.OBSERVATION, pieces, cell.call_id))
    for call in action.bad_calls:
        pieces = fill(feedback.bad_call, detail=(call.detail, Origin.PROMPT))
        parts.append(Part(Feedback.MALFORMED, pieces, call.call_id))
    if action.malformed:
        cut_off = action.malformed is Malformed.CUT_OFF
        parts.append(Part(Feedback.MALFORMED, fill(feedback.cut_off if cut_off else feedback.empty_code)))
    return parts


def _remaining(run: Run, template: str, budget: Budget) -> Pieces:
    turns = budget.max_turns - len(run.turns)
    tokens = min(budget.max_model_tokens - run.model_tokens, budget.max_total_tokens - run.context_tokens)
    seconds = budget.max_seconds - run.seconds
    return fill(
        template,
        turns=(str(turns), Origin.PROMPT),
        tokens=(str(max(tokens, 0)), Origin.PROMPT),
        seconds=(f"{max(seconds, 0):.0f}", Origin.PROMPT),
    )
