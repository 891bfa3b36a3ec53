"""A model that this package runs itself: llama.cpp in a child process, for trying things out and for tests.

The child takes a crash or a hang in C away from the agent, and ends with the process that started it,
however that one ends.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

import tir_agent
from tir_agent.errors import ModelUnavailable
from tir_agent.messages import Tool
from tir_agent.models.base import Listener
from tir_agent.models.capabilities import Capabilities, Prefill
from tir_agent.models.gguf import checked_gguf, installed_gguf, require_llamacpp
from tir_agent.models.llamacpp_server import ServerReady, ServerSpec
from tir_agent.models.openai import OpenAIModel, Patience
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion, Message

__all__ = ["EmbeddedModel"]

_PROGRAM: Final = "tir_agent.models.llamacpp_server"
_LOG_TAIL: Final = 2000
"""Bytes of the server's log that an error message may quote from."""
_KILL_SECONDS: Final = 5.0
_INSTALLED: Final = Capabilities(
    completions=True,
    prefill=Prefill.BY_ITSELF,
    seed=True,
    logprobs=True,
    token_ids=True,
    stream_usage=True,
)
"""Of the installed small model, so that no run of the demonstration waits for a probe. A test compares it
with what the probe finds."""
_CPU_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of CPU time in a period and the period, or "max" and the period."""


class EmbeddedModel:
    """A GGUF file behind a llama.cpp server of its own. Made by `open`; `close` ends the server."""

    def __init__(
        self, name: str, spec: ServerSpec, server: _Server, client: OpenAIModel, *, installed: bool
    ) -> None:
        self._name = name
        self._path = Path(spec.path)
        self._installed = installed
        self._slots = spec.slots
        self._context = spec.context // spec.slots
        self._server = server
        self._client = client

    @classmethod
    async def open(
        cls,
        path: Path | None = None,
        *,
        name: str = "embedded",
        context: int = 8192,
        slots: int = 1,
        threads: int | None = None,
        start_timeout: float = 120.0,
        template: str | None = None,
        tokens: bool = False,
        patience: Patience | None = None,
    ) -> Self:
        """Start the server and wait until it answers, at most `start_timeout` seconds.

        `path` is a GGUF file; None stands for the installed small model. `slots` requests are answered
        at the same time, more wait; each has `context // slots` tokens for its prompt and reply.
        `threads` defaults to one less than there are CPUs: llama.cpp's threads wait for one another in a
        loop, so that one thread too many makes it several times slower as soon as cells run beside it.
        `template` is a chat template (Jinja) in the place of the file's own: most of the small models have
        none for tools. `tokens` asks for token ids and logprobs.

        Raises:
            UsageError: `path` is not a GGUF file.
            ModelUnavailable: llama.cpp or the model is not installed, or the server does not start.
        """
        require_llamacpp()
        installed = path is None and template is None
        path = checked_gguf(path or installed_gguf())
        spec = ServerSpec(
            path=str(path),
            alias=path.stem,
            context=context,
            slots=slots,
            threads=threads or max(1, _cpus() - 1),
            template=template,
            key=secrets.token_urlsafe(),
            parent=os.getpid(),
        )
        server = _Server(spec)
        try:
            url = await server.ready(start_timeout)
        except BaseException:
            server.stop()
            raise
        client = OpenAIModel(
            path.stem,
            base_url=f"{url}/v1",
            api_key=spec.key,
            tokens=tokens,
            patience=patience,
            # llama.cpp leaves out the tokens of text that could have begun a stop string.
            own_stops=tokens,
        )
        return cls(name, spec, server, client, installed=installed)

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self._name

    @property
    def base_url(self) -> None:
        """None: the address means nothing to anyone else."""
        return None

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._server.pid

    @property
    def is_alive(self) -> bool:
        """Whether the server's process is there. One that ended does not come back: open another."""
        return self._server.death() is None

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
        """Sample the next assistant message; `Model.complete` says the rest."""
        try:
            return await self._client.complete(
                messages, sampling, stop=stop, tools=tools, timeout=timeout, listener=listener
            )
        except ModelUnavailable:
            if (death := self._server.death()) is not None:
                raise death from None
            raise

    async def capabilities(self) -> Capabilities:
        """What llama.cpp can do with this model: known of the installed one, found out of others."""
        if self._installed:
            return _INSTALLED.model_copy(update={"n": self._slots > 1, "context_tokens": self._context})
        return await self._client.capabilities()

    async def describe(self) -> str:
        """The library, the file and the context window of one request."""
        size = self._path.stat().st_size
        return (
            f"llama.cpp (xllamacpp {version('xllamacpp')}), {self._path.name} of {size} bytes, "
            f"context of {self._context} tokens"
        )

    async def close(self) -> None:
        """End the server. Idempotent."""
        await self._client.close()
        await asyncio.to_thread(self._server.stop)


def _cpus() -> int:
    """CPUs that this process may use, by its affinity and by its container's quota."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text().split()
        return max(1, min(usable, int(quota) // int(period)))
    except (OSError, ValueError):
        return usable


class _Server:
    """The child process and its log."""

    def __init__(self, spec: ServerSpec) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `stop` closes it
        # A process group of its own: Ctrl-C at the terminal is for the agent, which then closes it.
        self._process = subprocess.Popen(
            [sys.executable, "-m", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
            # `-m` looks in the working directory first, where a file of the user's may be called json.py.
            cwd=Path(tir_agent.__file__).parent.parent,
        )
        self._spec = spec

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self, timeout: float) -> str:
        """The server's address, when it can be asked."""
        try:
            async with asyncio.timeout(timeout):
                line = await asyncio.to_thread(self._introduce)
        except TimeoutError:
            raise ModelUnavailable(
                f"The embedded model was not ready within {timeout:g} seconds",
                hint="A big file on a slow disk takes long; start llama-server yourself and use --base-url",
            ) from None
        if not line:
            await asyncio.to_thread(self._process.wait)
            raise self.death() or ModelUnavailable("The embedded model's server said nothing")
        return ServerReady.model_validate_json(line).url

    def _introduce(self) -> bytes:
        """Say what to serve, and wait for the answer; nothing comes where the process ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(self._spec.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return b""
        return self._process.stdout.readline()

    def death(self) -> ModelUnavailable | None:
        """How it ended, if it did."""
        code = self._process.poll()
        if code is None:
            return None
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        said = self._tail()
        return ModelUnavailable(
            f"The embedded model's server {how}", hint=f"Its log ends with: {said}" if said else None
        )

    def _tail(self) -> str:
        """The last lines of the log in one, without a traceback's inner ones."""
        if self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL))
        lines = self._log.read().decode(errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines if line and not line.startswith(" "))

    def stop(self) -> None:
        """Kill it: there is nothing that it would have to save."""
        self._process.kill()
        self._process.wait(_KILL_SECONDS)
        # Only now: closing a pipe that a thread still reads from waits for that thread.
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._log.close()
