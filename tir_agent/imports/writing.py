"""From a recording to a trajectory, and where it was not told what happened, what stands for it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

from tir_agent import __version__
from tir_agent.grades import Grade, Verdict
from tir_agent.imports.recording import Recording
from tir_agent.messages import Origin
from tir_agent.models.estimate import estimate_tokens
from tir_agent.settings import RunSettings
from tir_agent.trajectory import (
    Environment,
    Problem,
    PromptIdentity,
    Sample,
    Timings,
    Trajectory,
    Usage,
)

__all__ = ["NOT_RECORDED", "trajectory_of"]

NOT_RECORDED: Final = "not recorded"
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When it happened is not recorded, and the time of the import would make each import another one."""


def trajectory_of(recording: Recording, problem: Problem, sample: Sample, copy: int) -> Trajectory:
    """The trajectory of a run; equal for equal arguments.

    `problem` is the run's, `copy` how many recordings of the same content came before it.
    """
    source = recording.problem.source or ""
    notes = [
        f"Imported from {source}, run by {recording.system}: settings, times and token counts are not the "
        "run's own"
    ]
    if recording.problem.gold not in {None, problem.gold}:
        notes.append(f"The gold answer of this sample is {recording.problem.gold!r} in its source")
    identity = recording.digest if copy == 0 else _hash(f"{recording.digest}-{copy}")
    return Trajectory(
        id=identity,
        problem=problem,
        sample=sample,
        messages=recording.messages,
        turns=recording.turns,
        stop=recording.stop,
        answer=recording.answer,
        grade=_grade(recording),
        notes=(*notes, *recording.notes),
        settings=RunSettings(model=recording.model or sample.arm),
        prompt=_prompt(recording),
        environment=Environment(
            tir_agent=__version__,
            python=NOT_RECORDED,
            platform=NOT_RECORDED,
            kernel=f"{recording.system} (imported)",
        ),
        usage=_usage(recording),
        timings=Timings(started=_NEVER, duration=0.0, model=0.0, kernel=0.0),
    )


def _grade(recording: Recording) -> Grade | None:
    if recording.label is None:
        return None
    return Grade(
        verdict=Verdict.CORRECT if recording.label else Verdict.WRONG,
        reason=f"{recording.system} says so: {recording.said}",
        grader=f"{recording.system} label",
    )


def _prompt(recording: Recording) -> PromptIdentity:
    """Of the prompt's words that stand before the problem; for most sources none are recorded."""
    words: list[str] = []
    for message in recording.messages:
        words += (text for text, origin in message.pieces if origin is Origin.PROMPT)
        if any(span.origin is Origin.PROBLEM for span in message.spans):
            break
    return PromptIdentity(
        name=f"{recording.system} (imported)", sha256=hashlib.sha256("\x00".join(words).encode()).hexdigest()
    )


def _usage(recording: Recording) -> Usage:
    completions = [turn.completion for turn in recording.turns]
    texts = [message.content for message in recording.messages]
    texts += [call.arguments for message in recording.messages for call in message.tool_calls]
    return Usage(
        turns=len(completions),
        cells=sum(len(turn.cells) for turn in recording.turns),
        completion_tokens=sum(completion.completion_tokens for completion in completions),
        prompt_tokens=sum(completion.prompt_tokens for completion in completions),
        context_tokens=sum(map(estimate_tokens, texts)),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
