"""What came back from a kernel. Plain data, a part of the trajectory."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tir_agent.messages import Record

__all__ = ["Execution", "ExecutionError", "ExecutionStatus", "Image"]


class ExecutionStatus(StrEnum):
    """How the execution of a cell ended."""

    OK = "ok"
    ERROR = "error"
    """The code raised."""
    TIMEOUT = "timeout"
    """It ran past its time and was interrupted or killed."""
    DIED = "died"
    """The kernel process ended while it ran."""
    REFUSED = "refused"
    """It was not run; `error` says why."""


class ExecutionError(Record):
    """An exception that the code raised."""

    name: str
    message: str
    traceback: str
    """As IPython prints it, without colour codes."""


class Image(Record):
    """A picture that the code showed: a figure, as a rule."""

    width: int = Field(ge=0)
    """Pixels."""
    height: int = Field(ge=0)
    png: str
    """The file, in Base64."""


class Execution(Record):
    """What the kernel answered to a cell, in full (up to the kernel's output cap)."""

    status: ExecutionStatus
    stdout: str = ""
    """Standard output, and the plain text of displayed objects, in the order in which they came."""
    stderr: str = ""
    result: str | None = None
    """`text/plain` of the value of the cell's last expression."""
    latex: str | None = None
    """`text/latex` of the same value, where its type offers it."""
    images: tuple[Image, ...] = ()
    """At most 8, each at most 1.5 MB; their plain text stands in `stdout`."""
    error: ExecutionError | None = None
    duration: float = Field(default=0.0, ge=0)
    dropped: int = Field(default=0, ge=0)
    """Characters of output that the kernel discarded because the cell ran into its output cap."""
    state_lost: bool = False
    """True where the kernel was replaced: every name that earlier cells had defined is gone."""
    lost_names: tuple[str, ...] = ()
    """The user's names that were defined when the state was lost (at most 100)."""
