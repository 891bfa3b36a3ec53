"""Traces of runs for OpenTelemetry, by its conventions for generative AI.

Nothing of OpenTelemetry is imported before `open_tracing` is called: it is an extra.
"""

from tir_agent.tracing.provider import Tracing, open_tracing

__all__ = ["Tracing", "open_tracing"]
