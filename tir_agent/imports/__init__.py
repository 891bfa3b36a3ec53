"""Recorded trajectories of other systems, as runs of ours (docs/importing.md)."""

from tir_agent.imports.importer import Importer, Plan
from tir_agent.imports.ledger import Ledger
from tir_agent.imports.reading import Layout

__all__ = ["Importer", "Layout", "Ledger", "Plan"]
