"""A Jupyter kernel gateway in one container: a kernel for every session, over HTTP and a websocket.

This is how agent frameworks commonly run code in Docker. Everything is left as it comes: the settings of the
gateway and those of the sockets. A session ends as its interface has it: with a DELETE, which waits for the
kernel to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
import uuid
from typing import Any

import docker
import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from rivals.base import SECONDS, NotMeasured
from rivals.image import LABEL, EngineError, ImageOptions, ensure_image, own_label
from rivals.jupyter import CellOutput

__all__ = ["GatewayRival"]

_PORT = "8888/tcp"
_POLL_SECONDS = 0.1


class GatewayProgram:
    """A kernel of the gateway's and the websocket to it."""

    def __init__(self, http: requests.Session, url: str, socket: ClientConnection) -> None:
        self._http = http
        self._url = url
        self._socket = socket

    async def run(self, code: str) -> str:
        message = _execute_request(code)
        output = CellOutput(message["header"]["msg_id"])
        try:
            async with asyncio.timeout(SECONDS):
                await self._socket.send(json.dumps(message))
                while not (output.idle and output.replied):
                    output.add(json.loads(await self._socket.recv()))
        except WebSocketException as error:
            raise NotMeasured(f"the gateway hung up: {error}") from None
        return output.text

    async def close(self) -> None:
        async with asyncio.timeout(SECONDS):
            await self._socket.close()
        await asyncio.to_thread(self._http.delete, self._url, timeout=SECONDS)


class GatewayRival:
    """One container with a gateway, as long as the benchmark takes."""

    name = "kernel gateway in Docker"
    isolation = "one container for all sessions, with a network"
    keeps_state = True
    refills = False

    def __init__(self, options: ImageOptions) -> None:
        self._options = options
        self._token = secrets.token_hex(16)
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"token {self._token}"
        self._address = ""

    async def start(self) -> None:
        tag = await asyncio.to_thread(ensure_image, self._options)
        try:
            self._address = await asyncio.to_thread(_run_container, tag, self._token)
        except EngineError as error:
            raise NotMeasured(f"its container cannot be started: {error}") from None
        deadline = time.monotonic() + SECONDS
        while not await asyncio.to_thread(self._answers):
            if time.monotonic() > deadline:
                raise NotMeasured("it does not answer")
            await asyncio.sleep(_POLL_SECONDS)

    async def open(self) -> GatewayProgram:
        url = f"http://{self._address}/api/kernels"
        reply = await asyncio.to_thread(self._http.post, url, json={"name": "python3"}, timeout=SECONDS)
        if not reply.ok:
            raise NotMeasured(f"the gateway gave no kernel: {reply.status_code} {reply.reason}")
        kernel = f"{url}/{reply.json()['id']}"
        headers = {"Authorization": f"token {self._token}"}
        async with asyncio.timeout(SECONDS):
            # No time-outs but the one above, and none for the gateway's answer to a ping under load.
            socket = await connect(
                f"ws{kernel.removeprefix('http')}/channels",
                additional_headers=headers,
                max_size=None,
                open_timeout=None,
                ping_interval=None,
            )
        return GatewayProgram(self._http, kernel, socket)

    async def close(self) -> None:
        """The container goes with all others of this process (`image.remove_containers`)."""
        self._http.close()

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return self._http.get(f"http://{self._address}/api", timeout=5).ok
        return False


def _run_container(tag: str, token: str) -> str:
    """Start the gateway and return its address on this machine."""
    client = docker.from_env()
    try:
        container = client.containers.run(
            tag,
            detach=True,
            auto_remove=True,
            init=True,
            ports={_PORT: ("127.0.0.1", 0)},
            environment={"KG_AUTH_TOKEN": token},
            labels={LABEL: own_label()},
        )
        container.reload()
        (binding,) = container.attrs["NetworkSettings"]["Ports"][_PORT]
        return f"127.0.0.1:{binding['HostPort']}"
    finally:
        client.close()


def _execute_request(code: str) -> dict[str, Any]:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    header |= {"username": "", "session": uuid.uuid4().hex, "date": ""}
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
    content |= {"allow_stdin": False, "stop_on_error": True}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "buffers": [],
        "channel": "shell",
    }
