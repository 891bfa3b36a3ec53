"""Where runs take place, for the record."""

from __future__ import annotations

import platform

import tir_agent
from tir_agent.kernel.base import Sandbox
from tir_agent.trajectory import Environment

__all__ = ["environment_of"]


def environment_of(sandbox: Sandbox | None, model_server: str | None) -> Environment:
    """This machine, and what runs on it; `model_server` is what the server says of itself."""
    info = sandbox.info if sandbox is not None else None
    return Environment(
        tir_agent=tir_agent.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        kernel=info.backend if info else "none",
        image=info.image if info else None,
        packages=info.packages if info else {},
        model_server=model_server,
    )
