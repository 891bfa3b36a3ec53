"""What a run looks like on a terminal, while it happens and from its record; and what many of them do."""

from tir_agent.console.collect_summary import collect_summary
from tir_agent.console.collecting import CollectView
from tir_agent.console.record import money, show_trajectory, summary
from tir_agent.console.view import RunView, printable

__all__ = [
    "CollectView",
    "RunView",
    "collect_summary",
    "money",
    "printable",
    "show_trajectory",
    "summary",
]
