"""A local server that speaks the OpenAI-compatible protocol with the quirks of real servers.

    async with ConformanceServer(VLLM, {"m": solver("fences")}, faults=Plan.of(Reset())) as server: ...

The README lists every quirk with its source.
"""

from conformance.delivery import Pace
from conformance.faults import PASSING, UNHARMFUL, Fault, Faults, Outcome, Plan, at_random
from conformance.limits import Limits
from conformance.minds import Mind, Utterance, chance, echo, scripted
from conformance.problems import PROBLEMS, Problem
from conformance.profiles import Profile
from conformance.records import Log, Record
from conformance.requests import Request, ToolCall, Turn
from conformance.server import ConformanceServer
from conformance.servers import (
    FASTAPI_STRICT,
    GEMMA,
    LLAMACPP,
    OLLAMA,
    OPENAI,
    OPENAI_REASONING,
    OPENROUTER,
    PROFILES,
    SGLANG,
    TGI,
    VLLM,
)
from conformance.solver import solver
from conformance.styles import STYLES, Style
from conformance.tokens import Tokenizer

__all__ = [
    "FASTAPI_STRICT",
    "GEMMA",
    "LLAMACPP",
    "OLLAMA",
    "OPENAI",
    "OPENAI_REASONING",
    "OPENROUTER",
    "PASSING",
    "PROBLEMS",
    "PROFILES",
    "SGLANG",
    "STYLES",
    "TGI",
    "UNHARMFUL",
    "VLLM",
    "ConformanceServer",
    "Fault",
    "Faults",
    "Limits",
    "Log",
    "Mind",
    "Outcome",
    "Pace",
    "Plan",
    "Problem",
    "Profile",
    "Record",
    "Request",
    "Style",
    "Tokenizer",
    "ToolCall",
    "Turn",
    "Utterance",
    "at_random",
    "chance",
    "echo",
    "scripted",
    "solver",
]
