"""Prompt files: one YAML per experimental condition, holding every word the agent says to the model.

`prompts/README.md` describes the format. A file is validated whole before a token is spent, and its
SHA-256 goes into every trajectory.
"""

from tir_agent.prompts.faults import Fault
from tir_agent.prompts.feedback import Feedback
from tir_agent.prompts.judge import JUDGE, JudgePrompt, load_judge_prompt
from tir_agent.prompts.load import find_prompt, load_prompt, prompt_names, read_prompt
from tir_agent.prompts.prompt import Exemplar, ExemplarTurn, Prompt
from tir_agent.prompts.template import Template, fill

__all__ = [
    "JUDGE",
    "Exemplar",
    "ExemplarTurn",
    "Fault",
    "Feedback",
    "JudgePrompt",
    "Prompt",
    "Template",
    "fill",
    "find_prompt",
    "load_judge_prompt",
    "load_prompt",
    "prompt_names",
    "read_prompt",
]
