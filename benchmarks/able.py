"""A model for the conformance server that passes the client's probe, and solves problems beside it.

A probe asks small things (count, go on with this word, call this tool) and looks at the answers. A mind
that knew nothing but its problems would look like a server that can do nothing.
"""

from __future__ import annotations

from tir_agent.models.questions import CUT_WORDS, SHORT, STORY, USE_TOOL

from conformance import Mind, Request, ToolCall, Utterance, solver
from conformance.problems import problem_in

__all__ = ["able", "able_solver"]


def able(request: Request) -> Utterance:
    """Does what a probe asks for."""
    asked = request.prompt if request.prompt is not None else request.turns[-1].text
    if request.continued is not None:
        return Utterance(next((rest for _, cut, rest in CUT_WORDS if request.continued.endswith(cut)), "."))
    if asked == STORY:
        chance = request.chance()
        return Utterance(" ".join("".join(chance.choices("abcdefgh", k=6)) for _ in range(10)))
    if asked == USE_TOOL and request.tools:
        return Utterance(calls=(ToolCall("add", '{"a": 2, "b": 3}'),))
    if asked == SHORT:
        return Utterance(" 2, 3, 4")
    return Utterance(" ".join(map(str, range(1, 51))))


def able_solver(style: str) -> Mind:
    """Solves the server's problems in this style, and does what a probe asks for."""
    solve = solver(style)

    def mind(request: Request) -> Utterance:
        return solve(request) if problem_in(request.transcript) else able(request)

    return mind
