"""One cell, from its request to its end, over a Jupyter client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient

from tir_agent.kernel.outputs import Outputs

__all__ = ["collect", "request"]

_Heard = Callable[[], Awaitable[dict[str, Any]]]
# What reading a message raises that was not signed, was sent before, or is no message. It is the
# program's own doing, since the key is in its process; the kernel's real messages follow.
_NO_MESSAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


async def collect(client: AsyncKernelClient, message: str, outputs: Outputs) -> None:
    """Hear the cell out: it has ended when the shell has replied *and* iopub says idle.

    A late message of an earlier cell belongs to that one, and is too late.
    """

    async def hear_iopub() -> None:
        while True:
            heard = await _hear(client.get_iopub_msg, message)
            content = heard["content"]
            if heard["msg_type"] == "status" and content.get("execution_state") == "idle":
                return
            outputs.add(str(heard["msg_type"]), content)

    async def hear_shell() -> None:
        outputs.reply((await _hear(client.get_shell_msg, message))["content"])

    async with asyncio.TaskGroup() as group:
        group.create_task(hear_iopub())
        group.create_task(hear_shell())


async def request(client: AsyncKernelClient, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """Send a request on the shell channel that is not a cell, and wait for its reply's content."""
    message = client.session.msg(kind, content)
    client.shell_channel.send(message)
    reply = await _hear(client.get_shell_msg, str(message["header"]["msg_id"]))
    return dict(reply["content"])


async def _hear(receive: _Heard, message: str) -> dict[str, Any]:
    """The next answer to `message`, well-formed as far as the callers rely on it."""
    while True:
        try:
            heard = await receive()
        except _NO_MESSAGE:
            continue
        parent = heard.get("parent_header")
        if (
            isinstance(parent, dict)
            and parent.get("msg_id") == message
            and isinstance(heard["content"], dict)
        ):
            return heard
