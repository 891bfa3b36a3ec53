"""Preference data: from trajectories to examples for SFT, DPO and KTO, and the loss mask of each."""

from tir_agent.preferences.conversation import Conversation, Reply, conversation_of
from tir_agent.preferences.examples import Candidate, Example, Labelled, Pair, Solution, sides
from tir_agent.preferences.masks import Encoded, decoded_loss, encode
from tir_agent.preferences.tokens import Tokenizer

__all__ = [
    "Candidate",
    "Conversation",
    "Encoded",
    "Example",
    "Labelled",
    "Pair",
    "Reply",
    "Solution",
    "Tokenizer",
    "conversation_of",
    "decoded_loss",
    "encode",
    "sides",
]
