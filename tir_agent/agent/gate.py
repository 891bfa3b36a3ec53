"""Waiting for one's turn, where many runs share a model server, a sandbox and processors."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

__all__ = ["Gate", "OpenGate"]


class Gate(Protocol):
    """Entering each of these waits for a place, and leaving gives it back.

    The time of waiting counts in no budget of the run: how busy the machine is says nothing about the model.
    """

    def request(self) -> AbstractAsyncContextManager[None]:
        """To ask the model for one reply."""

    def kernel(self) -> AbstractAsyncContextManager[None]:
        """To have a live kernel, from the run's first code to its end."""

    def cell(self) -> AbstractAsyncContextManager[None]:
        """To run one cell."""


class OpenGate:
    """No one has to wait."""

    def request(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def kernel(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def cell(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()
