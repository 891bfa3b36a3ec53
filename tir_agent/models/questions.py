"""The small questions that are put to a server, and what their answers must look like."""

from __future__ import annotations

from typing import Final

from tir_agent.messages import Tool

__all__ = [
    "COUNT",
    "CUT_WORDS",
    "SHORT",
    "SHORT_TOKENS",
    "STOPS",
    "STORY",
    "SYSTEM",
    "TOOL",
    "USE_TOOL",
]

COUNT: Final = "Count from 1 to 50, with spaces between the numbers, and say nothing else."
"""The answer is longer than it may be, and has a stop string soon."""
STOPS: Final = (" ", "\n", ",", "2")
STORY: Final = "Make up ten strange words."
"""Two answers that were drawn by chance are never the same."""
SYSTEM: Final = (
    "You are an assistant that helps with arithmetic, with geometry, with algebra, with the theory of "
    "numbers, with combinatorics, with the calculus of one variable and of several variables, with linear "
    "equations, and with whatever else pupils and students may bring from their lessons."
)
"""Longer than the system text that a template may have of its own."""
SHORT: Final = "1,"
"""A raw prompt."""
SHORT_TOKENS: Final = 6
"""Tokens that it has at most; a chat template laid around it would add more."""
CUT_WORDS: Final = (
    (
        "Which animal has a trunk?",
        "The large and grey animal that has a long trunk and never forgets anything is the eleph",
        "ant",
    ),
    (
        "What is the capital of France?",
        "The capital of France, as everyone knows who has ever been to that beautiful country, is Par",
        "is",
    ),
)
"""Questions; messages of the assistant's that break off within a word, with many more tokens than the
answer may have; and the rest of that word."""
USE_TOOL: Final = "Use the function add to compute 2 + 3."
TOOL: Final = Tool(
    name="add",
    description="Adds two numbers.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
