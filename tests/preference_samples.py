"""Trajectories and candidates built by hand, for tests of preference data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tir_agent.grades import Grade, Verdict
from tir_agent.messages import Message, Origin, Role, ToolCall
from tir_agent.preferences.conversation import conversation_of
from tir_agent.preferences.examples import Candidate
from tir_agent.settings import RunSettings
from tir_agent.trajectory import (
    Cell,
    Completion,
    Environment,
    Execution,
    ExecutionStatus,
    Failure,
    Feedback,
    FinishReason,
    Problem,
    PromptIdentity,
    StopReason,
    Timings,
    Trajectory,
    Turn,
    Usage,
)

__all__ = [
    "DIED",
    "ERROR",
    "OK",
    "REFUSED",
    "TIMEOUT",
    "answered",
    "called",
    "candidate",
    "program",
    "said",
    "trajectory",
]

OK, ERROR, TIMEOUT = ExecutionStatus.OK, ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT
DIED, REFUSED = ExecutionStatus.DIED, ExecutionStatus.REFUSED


def said(
    text: str,
    *cells: Cell,
    answer: str | None = None,
    kept: int | None = None,
    finish: FinishReason = FinishReason.STOP,
    feedback: Sequence[Feedback] = (),
    calls: Sequence[ToolCall] = (),
) -> Turn:
    """A reply of any kind."""
    completion = Completion(
        text=text,
        finish_reason=finish,
        tool_calls=tuple(calls),
        prompt_tokens=1,
        completion_tokens=1,
        duration=0,
    )
    kept = len(text) if kept is None else kept
    return Turn(completion=completion, kept=kept, cells=cells, answer=answer, feedback=tuple(feedback))


def answered(answer: str, before: str = "So it is ") -> Turn:
    """A reply that has an answer and no code."""
    return said(f"{before}\\boxed{{{answer}}}.", answer=answer)


def program(
    *codes: str,
    status: ExecutionStatus = OK,
    before: str = "",
    after: str = "",
    answer: str | None = None,
    invented: str = "",
    state_lost: bool = False,
    printed: str = "",
) -> Turn:
    """A reply with code in fences; all of it came to the same end. What follows `after` was cut off."""
    text, cells = before, []
    for code in codes:
        text += "```python\n"
        cells.append(_cell(code, status, len(text), None, state_lost, printed))
        text += f"{code}\n```\n"
    text += after
    return said(text + invented, *cells, answer=answer, kept=len(text))


def called(*codes: str, status: ExecutionStatus = OK, before: str = "", answer: str | None = None) -> Turn:
    """A reply that calls a tool."""
    calls = [ToolCall(id=f"c{number}", name="python", arguments="{}") for number, _ in enumerate(codes)]
    cells = [_cell(code, status, 0, call.id) for code, call in zip(codes, calls, strict=True)]
    return said(before, *cells, answer=answer, calls=calls)


def _cell(
    code: str,
    status: ExecutionStatus,
    start: int,
    call_id: str | None,
    state_lost: bool = False,
    printed: str = "",
) -> Cell:
    execution = Execution(status=status, state_lost=state_lost, stdout=printed)
    end = start if call_id else start + len(code)
    return Cell(code=code, start=start, end=end, call_id=call_id, execution=execution, shown="(shown)")


def trajectory(
    *turns: Turn,
    text: str = "How many are left?",
    answer: str | None = None,
    stop: StopReason = StopReason.ANSWERED,
    verdict: Verdict | None = Verdict.CORRECT,
    failure: Failure | None = None,
    raw: bool = False,
) -> Trajectory:
    """A run of `turns`. Where it was answered and no answer is named, it is the last turn's."""
    if answer is None and stop is StopReason.ANSWERED and turns:
        answer = turns[-1].answer
    return Trajectory(
        id="t",
        problem=Problem(id="p", text=text, gold="7"),
        messages=tuple(_raw(text, turns) if raw else _chat(text, turns)),
        turns=turns,
        stop=stop,
        answer=answer,
        grade=Grade(verdict=verdict, reason="", grader="g") if verdict else None,
        failure=failure,
        settings=RunSettings(model="m"),
        prompt=PromptIdentity(name="tir", sha256="0"),
        environment=Environment(tir_agent="0", python="3", platform="x", kernel="none"),
        usage=Usage(),
        timings=Timings(started=datetime(2026, 1, 1, tzinfo=UTC), duration=1, model=1, kernel=0),
    )


def _chat(text: str, turns: Sequence[Turn]) -> list[Message]:
    messages = [Message.of(Role.USER, (text, Origin.PROBLEM))]
    for turn in turns:
        kept = turn.completion.text[: turn.kept]
        messages.append(
            Message.of(Role.ASSISTANT, (kept, Origin.MODEL), tool_calls=turn.completion.tool_calls)
        )
        shown = "".join(cell.shown for cell in turn.cells)
        if shown:
            messages.append(Message.of(Role.USER, (shown, Origin.INTERPRETER)))
    return messages


def _raw(text: str, turns: Sequence[Turn]) -> list[Message]:
    message = Message.of(Role.RAW, ("Problem: ", Origin.PROMPT), (text, Origin.PROBLEM))
    for turn in turns:
        message = message.extended((turn.completion.text[: turn.kept], Origin.MODEL))
        for cell in turn.cells:
            message = message.extended((f"\n```output\n{cell.shown}\n```\n", Origin.INTERPRETER))
    return [message]


def candidate(
    number: int = 0,
    *,
    right: bool = True,
    answer: str = "7",
    exact: str | None = None,
    code: str = "c",
    cells: int = 1,
    errors: int = 0,
    tokens: int = 100,
    arm: str = "base",
    problem: str = "p",
) -> Candidate:
    """Unlike any other with another number, unless `exact` is given."""
    return Candidate(
        trajectory=f"t{number:03}",
        problem=problem,
        arm=arm,
        index=number,
        verdict=Verdict.CORRECT if right else Verdict.WRONG,
        stop=StopReason.ANSWERED,
        answer=answer,
        conversation=conversation_of(trajectory(answered(answer))),
        turns=2,
        cells=cells,
        errors=errors,
        tokens=tokens,
        model_tokens=tokens,
        exact=f"e{number}" if exact is None else exact,
        code=code,
    )
