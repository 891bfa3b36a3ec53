"""No tool: a reply is prose, and perhaps holds an answer."""

from __future__ import annotations

from tir_agent.messages import Tool
from tir_agent.protocols.base import Action
from tir_agent.trajectory import Completion

__all__ = ["ProseProtocol"]


class ProseProtocol:
    """Chain of thought without execution, for comparison."""

    executes = False
    tools: tuple[Tool, ...] = ()

    def parse(self, completion: Completion) -> Action:
        return Action(kept=len(completion.text), blocks=(), prose=completion.text)
