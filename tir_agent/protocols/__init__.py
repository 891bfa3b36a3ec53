"""How a reply says what to run: from the model's text to pieces of code.

A protocol is a pure function of one reply. `protocol_for` finds the one that a prompt file chose.
"""

from tir_agent.protocols.base import Action, BadCall, CodeBlock, Malformed, Protocol
from tir_agent.protocols.fences import FencesProtocol
from tir_agent.protocols.prose import ProseProtocol
from tir_agent.settings import Fences, NoTool, ProtocolChoice

__all__ = [
    "Action",
    "BadCall",
    "CodeBlock",
    "FencesProtocol",
    "Malformed",
    "ProseProtocol",
    "Protocol",
    "protocol_for",
]


def protocol_for(choice: ProtocolChoice) -> Protocol:
    """The protocol that a prompt file asks for."""
    match choice:
        case Fences():
            return FencesProtocol(choice)
        case NoTool():
            return ProseProtocol()
