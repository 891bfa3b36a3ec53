"""What a run can be told, and a prompt file too. Plain data with its defaults."""

from tir_agent.settings.base import Settings
from tir_agent.settings.protocols import (
    Fences,
    Marks,
    NoTool,
    ProtocolChoice,
    Rationale,
    Rounds,
    Subtasks,
    Tags,
    ToolCalls,
)
from tir_agent.settings.run import (
    Budget,
    ConversationForm,
    Isolation,
    KernelChoice,
    LengthUnit,
    Limits,
    ObservationPolicy,
    RateLimits,
    RunSettings,
    Sampling,
    Stages,
    WarningPolicy,
)

__all__ = [
    "Budget",
    "ConversationForm",
    "Fences",
    "Isolation",
    "KernelChoice",
    "LengthUnit",
    "Limits",
    "Marks",
    "NoTool",
    "ObservationPolicy",
    "ProtocolChoice",
    "RateLimits",
    "Rationale",
    "Rounds",
    "RunSettings",
    "Sampling",
    "Settings",
    "Stages",
    "Subtasks",
    "Tags",
    "ToolCalls",
    "WarningPolicy",
]
