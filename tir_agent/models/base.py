"""What the agent asks of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from tir_agent.messages import Tool
from tir_agent.models.capabilities import Capabilities
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion, Message

__all__ = ["CallListener", "Listener", "Model"]


class Listener(Protocol):
    """Hears a reply while it is being written."""

    def text(self, piece: str) -> None:
        """The next piece; the pieces since the last `restart` join to the completion's `text`."""

    def restart(self, reason: str) -> None:
        """The attempt failed and a new one begins: what `text` brought so far is void."""


@runtime_checkable
class CallListener(Protocol):
    """A listener that also hears the calls of functions while they are being written."""

    def call(self, name: str, piece: str) -> None:
        """The next piece of the arguments of a call of `name`, which are JSON; `restart` voids them too."""


class Model(Protocol):
    """A language model behind some server. Safe for concurrent use from one event loop."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def base_url(self) -> str | None:
        """Where it is served; None where this process takes care of that."""

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        stop: Sequence[str] = (),
        tools: Sequence[Tool] = (),
        timeout: float,
        listener: Listener | None = None,
    ) -> Completion:
        """Sample what comes next.

        That is a new message of the assistant's; or, where the last message is the assistant's already,
        what follows in it (see `Capabilities.prefill`); or, where the one message is raw text, what
        follows that text (see `Capabilities.completions`). The completion's text is the new part alone.

        `timeout` is in seconds and covers everything, retries included.

        Raises:
            ModelUnavailable: the server cannot be reached or failed repeatedly, or `timeout` passed.
            ModelRejected: the server refused the request: wrong key, unknown model, bad field.
            ContextOverflow: the messages do not fit the model's context window.
        """

    async def capabilities(self) -> Capabilities:
        """What the server can do. Found out on the first call, and remembered.

        Raises:
            ModelError: as `complete`; nothing is found out then.
        """

    async def describe(self) -> str | None:
        """What the server says of itself, in one line; None where it says nothing within seconds.

        Raises nothing: it is for the record, and a run does not hang on it.
        """

    async def close(self) -> None:
        """Free what it holds. Idempotent."""
