"""A mind that solves three small problems by writing programs, in any of the styles.

It answers with the last number that the last program printed, whatever it is: where a client loses an
output, runs a program twice or shows an invented one, the answer is wrong. Where nothing stops it after
a program, it goes on to invent the output, one off from the truth, and to answer with that.
"""

from __future__ import annotations

import json
import re
from typing import Final

from conformance.minds import Mind, Utterance, overlap
from conformance.problems import Problem, problem_in
from conformance.requests import Request, ToolCall
from conformance.styles import STYLES, Layout, Style, answer_text, step_text

__all__ = ["TOOL", "solver"]

TOOL: Final = "python"
"""The tool that the style `tools` calls, with one argument `code`; else the first one offered."""
_NUMBER: Final = re.compile(r"-?\d+")
_UNKNOWN: Final = "I know none of these problems."


def solver(style: str = "fences", *, thinking: str = "") -> Mind:
    """The mind that writes in this style; `thinking` is thought before every reply.

    Raises:
        KeyError: there is no such style; `STYLES` has them all.
    """
    chosen = STYLES[style]

    def mind(request: Request) -> Utterance:
        found = problem_in(request.transcript)
        if found is None:
            return Utterance(_UNKNOWN, thinking=thinking)
        problem, end = found
        if chosen.by_call:
            return _by_call(request, problem, thinking)
        history = request.transcript[end:]
        return Utterance(_next(chosen, request, problem, history), thinking=thinking)

    return mind


def _next(style: Style, request: Request, problem: Problem, history: str) -> str:
    written = _programs(style, request, history)
    if written and request.written:
        # A limit may have cut the last step, or a stop string of the client's own.
        reply = step_text(style, problem, min(written, len(problem.programs)) - 1) + _invention(
            style, problem
        )
        done = overlap(request.written, reply)
        if done > reply.index(style.code_open):
            return reply[done:]
    if written < len(problem.programs):
        reply = step_text(style, problem, written) + _invention(style, problem)
    else:
        reply = answer_text(style, _answer(style, history))
    return reply[overlap(request.written, reply) :]


def _programs(style: Style, request: Request, history: str) -> int:
    """How many programs were begun; in a chat, the user's own words about programs do not count."""
    mark = style.code_open.rstrip("\n")
    if request.chat:
        return sum(turn.text.count(mark) for turn in request.turns_since(len(history)))
    return history.count(mark)


def _answer(style: Style, history: str) -> str:
    """The last number after the last program."""
    tail = history[history.rfind(style.code_open.rstrip("\n")) + len(style.code_open.rstrip("\n")) :]
    marks = [at for mark in (style.code_close, style.output_open) if (at := tail.find(mark.strip())) >= 0]
    numbers = _NUMBER.findall(tail[min(marks, default=0) :])
    return numbers[-1] if numbers else "unknown"


def _invention(style: Style, problem: Problem) -> str:
    guess = problem.gold - 1
    output = f"{style.output_open}{guess}{style.output_close}"
    verification = "Verification: the number looks right.\n" if style.layout is Layout.ROUNDS else ""
    return f"{output}{verification}{answer_text(style, str(guess))}"


def _by_call(request: Request, problem: Problem, thinking: str) -> Utterance:
    name = request.tool_named(TOOL)
    start = max(number for number, turn in enumerate(request.turns) if problem.text in turn.text)
    turns = request.turns[start:]
    made = sum(len(turn.calls) for turn in turns)
    if name is None:
        return Utterance("There is no tool with which I could compute this.", thinking=thinking)
    if made < len(problem.programs):
        arguments = json.dumps({"code": problem.programs[made]})
        return Utterance(problem.reasons[made], (ToolCall(name, arguments),), thinking)
    outputs = [turn.text for turn in turns if turn.role == "tool"]
    numbers = _NUMBER.findall(outputs[-1]) if outputs else []
    answer = numbers[-1] if numbers else "unknown"
    return Utterance(answer_text(STYLES["tools"], answer), thinking=thinking)
