"""Problems: one that a user types, or a whole data set."""

from tir_agent.problems.checking import Refusal, check_golds
from tir_agent.problems.dataset import Counts, ProblemSet, load_problems
from tir_agent.problems.guess import Guess, Taken
from tir_agent.problems.rows import Fault
from tir_agent.problems.text import MAX_CHARS, problem_from_bytes, problem_from_file, problem_from_text

__all__ = [
    "MAX_CHARS",
    "Counts",
    "Fault",
    "Guess",
    "ProblemSet",
    "Refusal",
    "Taken",
    "check_golds",
    "load_problems",
    "problem_from_bytes",
    "problem_from_file",
    "problem_from_text",
]
