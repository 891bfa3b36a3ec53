"""The agent: a model that reasons, runs code, sees what came of it, and answers."""

from tir_agent.agent.gate import Gate
from tir_agent.agent.loop import Agent
from tir_agent.agent.observer import Observer, Observers

__all__ = ["Agent", "Gate", "Observer", "Observers"]
