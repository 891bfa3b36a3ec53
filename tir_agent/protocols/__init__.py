"""How a reply says what to run: from the model's text to pieces of code.

A protocol is a pure function of one reply. `protocol_for` finds the one that a prompt file chose;
`docs/protocols.md` compares them.
"""

from tir_agent.protocols.base import Action, BadCall, CodeBlock, Malformed, Protocol
from tir_agent.protocols.fences import FencesProtocol
from tir_agent.protocols.prose import ProseProtocol
from tir_agent.protocols.rationale import RationaleProtocol
from tir_agent.protocols.rounds import RoundsProtocol
from tir_agent.protocols.subtasks import SubtasksProtocol
from tir_agent.protocols.tags import TagsProtocol
from tir_agent.protocols.tool_calls import ToolCallsProtocol
from tir_agent.settings import Fences, NoTool, ProtocolChoice, Rationale, Rounds, Subtasks, Tags, ToolCalls

__all__ = [
    "Action",
    "BadCall",
    "CodeBlock",
    "FencesProtocol",
    "Malformed",
    "ProseProtocol",
    "Protocol",
    "RationaleProtocol",
    "RoundsProtocol",
    "SubtasksProtocol",
    "TagsProtocol",
    "ToolCallsProtocol",
    "protocol_for",
]


def protocol_for(choice: ProtocolChoice) -> Protocol:
    """The protocol that a prompt file asks for."""
    match choice:
        case Fences():
            return FencesProtocol(choice)
        case Tags():
            return TagsProtocol(choice)
        case ToolCalls():
            return ToolCallsProtocol(choice)
        case Rationale():
            return RationaleProtocol(choice)
        case Rounds():
            return RoundsProtocol(choice)
        case Subtasks():
            return SubtasksProtocol(choice)
        case NoTool():
            return ProseProtocol()
