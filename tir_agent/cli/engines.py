"""Which crew collects: the one in this process, or one on a Ray cluster."""

from __future__ import annotations

import os
from enum import StrEnum
from functools import partial

from tir_agent.cli.collect_run import CrewOpener
from tir_agent.collect.local import LocalCrew
from tir_agent.errors import UsageError

__all__ = ["Engine", "crew_opener"]


class Engine(StrEnum):
    """Where trajectories are made."""

    LOCAL = "local"
    """In this process."""
    RAY = "ray"
    """On the nodes of a Ray cluster."""


def crew_opener(engine: Engine, address: str | None) -> CrewOpener:
    """What opens the crew. `address` is a Ray cluster's, by default $RAY_ADDRESS.

    Raises:
        UsageError: an address was given, and the engine is another.
    """
    if engine is Engine.LOCAL:
        if address is not None:
            raise UsageError("There is a --ray-address, and the engine is local", hint="--engine ray")
        return LocalCrew.open
    # Imported only where it is asked for: Ray takes a second, and may not be installed.
    from tir_agent.collect.ray_crew import RayCrew

    # A cluster that is started for this command alone would report its use to Ray's makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return partial(RayCrew.open, address=address or os.environ.get("RAY_ADDRESS") or None)
