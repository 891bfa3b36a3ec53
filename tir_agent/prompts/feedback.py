"""What the agent says between the model's replies."""

from __future__ import annotations

from typing import Annotated

from tir_agent.prompts.template import Section, Template, wants

__all__ = ["Feedback"]

_SEEN = "else the model never sees it"
_OutputTemplate = Annotated[str, wants("output", needed="output", why=_SEEN)]


class Feedback(Section):
    """What the agent says between the model's replies, as templates."""

    observation: _OutputTemplate = "```output\n{output}\n```"
    """Around an output: {output}."""
    error: _OutputTemplate | None = None
    """Around the output of code that failed: {output}. Null: as `observation`."""
    cut_off: Template = (
        "The code was not run: your message was cut off inside it. Write a shorter program in one block."
    )
    """Where a reply came to its token limit inside a code block."""
    empty_code: Template = "The code block was empty, so nothing was run."
    bad_call: Annotated[str, wants("detail", needed="detail", why=_SEEN)] = (
        "The call was not followed: {detail}"
    )
    """The result of a tool call that cannot be followed: {detail}."""
    nudge: Template = "Go on: either write a program to run, or give the final answer within \\boxed{{}}."
    """Where a reply had neither code nor an answer."""
    remaining: Annotated[str, wants("turns", "tokens", "seconds")] | None = None
    """After observations: {turns}, {tokens} and {seconds} that are left. Null: nothing is said."""
    code_first: Template = "Run a program first, and answer from what it prints."
    """Where an answer came before code has run without an error, and the run's settings want it after."""
    verify: Template = (
        "Check this answer with a program that does not repeat the way you found it. "
        "Then give the final answer within \\boxed{{}}."
    )
    critique: Annotated[str, wants("critique", needed="critique", why=_SEEN)] = (
        "A reviewer says of your solution:\n\n{critique}\n\n"
        "Where this is right, correct the solution. Then give the final answer within \\boxed{{}}."
    )
    """What the critic said: {critique}."""
    critic: Annotated[
        str, wants("problem", "solution", needed="solution", why="else there is nothing to judge")
    ] = (
        "Problem:\n{problem}\n\nSolution:\n{solution}\n\n"
        "Review this solution. Name the first step that is wrong, and why; "
        "if there is none, say that it is right. Do not solve the problem yourself."
    )
    """What the critic is asked, in a conversation apart: {problem} and {solution}."""
    force: Template = "The final answer is \\boxed{{"
    """The beginning of an answer that the model is made to end."""
    last_turn: Annotated[str, wants("reason")] = (
        "This is your last turn ({reason}): give the final answer within \\boxed{{}} now."
    )
    """Where a budget is nearly gone: {reason}, which is one of the next five."""
    turn_limit: str = "no turns are left after it"
    token_limit: str = "the token budget is nearly used up"
    time_limit: str = "the time is nearly over"
    error_limit: str = "too many programs failed in a row"
    repetition: str = "the same program was run again and again"
