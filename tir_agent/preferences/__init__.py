"""Preference data: from trajectories to examples for SFT, DPO and KTO, and the loss mask of each."""

from tir_agent.preferences.conversation import Conversation, Reply, conversation_of
from tir_agent.preferences.examples import Candidate, Example, Labelled, Pair, Solution, sides

__all__ = [
    "Candidate",
    "Conversation",
    "Example",
    "Labelled",
    "Pair",
    "Reply",
    "Solution",
    "conversation_of",
    "sides",
]
