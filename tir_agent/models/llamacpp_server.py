"""A llama.cpp server as a process of its own: the program behind `EmbeddedModel`.

    python -m tir_agent.models.llamacpp_server

It reads one line of JSON (`ServerSpec`) from standard input, serves the model on a free port of the
loopback interface, says where in one line of JSON (`ServerReady`) on standard output, and ends when
standard input does, or when the process that started it dies. Its log goes to standard error.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import xllamacpp

__all__ = ["ServerReady", "ServerSpec", "main"]

_PR_SET_PDEATHSIG: Final = 1
_LOG_WARNINGS: Final = 2
_CACHE_MIB: Final = 1024
"""Prompts of earlier requests that are kept, for the next turn of a run reads the same ones again."""


class ServerSpec(BaseModel):
    """What to serve, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    alias: str
    """The model's name in the API."""
    context: int
    """Tokens of all slots together."""
    slots: int
    """Requests that are answered at the same time."""
    threads: int
    template: str | None = None
    """Chat template (Jinja) in the place of the file's own."""
    key: str
    """Wanted of every client, for other users of this machine can reach the port too."""
    parent: int
    """Process id of the one to die with."""


class ServerReady(BaseModel):
    """Where it is served."""

    model_config = ConfigDict(frozen=True)

    url: str
    """Scheme, host and port."""


def main() -> None:
    """Serve until standard input ends."""
    spec = ServerSpec.model_validate_json(sys.stdin.buffer.readline())
    _die_with(spec.parent)
    # llama.cpp may print to standard output, which is for the one line that says where it serves.
    answer = os.dup(1)
    os.dup2(2, 1)
    server = _serve(spec)
    os.write(answer, ServerReady(url=server.listening_address).model_dump_json().encode() + b"\n")
    os.close(answer)
    sys.stdin.buffer.read()
    # There is nothing to save, and tearing llama.cpp down may take long or hang.
    os._exit(0)


def _die_with(parent: int) -> None:
    """Have the kernel kill this process with its parent, even where a loop in C holds the interpreter."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _serve(spec: ServerSpec) -> xllamacpp.Server:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = spec.path
    params.model_alias = {spec.alias}
    params.n_ctx = spec.context
    params.n_parallel = spec.slots
    params.cpuparams.n_threads = spec.threads
    params.cpuparams_batch.n_threads = spec.threads
    if spec.template is not None:
        params.chat_template = spec.template
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [spec.key]
    params.cors_origins = ""
    params.verbosity = _LOG_WARNINGS
    params.ui = False
    params.offline = True
    params.endpoint_slots = False
    params.cache_ram_mib = _CACHE_MIB
    # A request that does not say otherwise is sampled as it asks for, and from all tokens.
    params.sampling.top_k = 0
    params.sampling.min_p = 0.0
    # Both only cost time here: a warm-up and a search for settings that fit the memory.
    params.warmup = False
    params.fit_params = False
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
