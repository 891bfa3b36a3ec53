"""Where things are kept on this machine, and what the environment says of it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from tir_agent.errors import TrajectoryError, UsageError

__all__ = ["api_key", "base_url", "cache_dir", "newest_trajectory", "trajectories_dir"]

_APP = "tir-agent"


def trajectories_dir() -> Path:
    """Where runs are saved that were not told where: $TIR_HOME, else the user's state folder."""
    home = os.environ.get("TIR_HOME")
    root = Path(home) if home else Path(platformdirs.user_state_dir(_APP))
    return root / "trajectories"


def cache_dir() -> Path:
    """Where is kept what can be found out again: $TIR_HOME, else the user's folder for caches."""
    home = os.environ.get("TIR_HOME")
    return Path(home) / "cache" if home else Path(platformdirs.user_cache_dir(_APP))


def newest_trajectory() -> Path:
    """The one that was saved last.

    Raises:
        TrajectoryError: there is none.
    """
    folder = trajectories_dir()
    files = sorted(folder.glob("*.json"))
    if not files:
        raise TrajectoryError(
            f"There is no trajectory in {folder}", hint='Make one: tir solve "What is 2 + 2?"'
        )
    return files[-1]


def base_url(given: str | None) -> str | None:
    """The server's address: as given, else $OPENAI_BASE_URL."""
    return given or os.environ.get("OPENAI_BASE_URL") or None


def api_key(variable: str | None) -> str | None:
    """The key in the environment variable of that name (default OPENAI_API_KEY).

    Raises:
        UsageError: a variable was named on purpose, and it is not set.
    """
    key = os.environ.get(variable or "OPENAI_API_KEY")
    if variable and not key:
        raise UsageError(f"The environment variable {variable} is not set", hint=f"export {variable}=...")
    return key
