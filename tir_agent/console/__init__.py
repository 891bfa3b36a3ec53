"""What a run looks like on a terminal: while it happens, and from its record."""

from tir_agent.console.record import money, show_trajectory, summary
from tir_agent.console.view import RunView, printable

__all__ = ["RunView", "money", "printable", "show_trajectory", "summary"]
