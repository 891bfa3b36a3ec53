"""A container for every program: `docker run --rm --network none IMAGE python -c CODE`. Keeps no state."""

from __future__ import annotations

import asyncio
import contextlib
import shutil

from rivals.base import SECONDS, NotMeasured
from rivals.image import LABEL, ImageOptions, ensure_image, own_label

__all__ = ["DockerRunRival"]


class DockerRunProgram:
    """Nothing until it runs: each program gets a container of its own."""

    def __init__(self, tag: str) -> None:
        self._tag = tag

    async def run(self, code: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *("docker", "run", "--rm", "--network", "none", "--label", f"{LABEL}={own_label()}"),
            *(self._tag, "python", "-c", code),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(SECONDS):
                stdout, stderr = await process.communicate()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        if process.returncode != 0:
            raise NotMeasured(f"docker run failed: {stderr.decode(errors='replace').strip()[-200:]}")
        return stdout.decode()

    async def close(self) -> None:
        """The container went with its program."""


class DockerRunRival:
    """The command-line client, as a shell script would use it."""

    name = "docker run per program"
    isolation = "a container per program, no network"
    keeps_state = False
    refills = False

    def __init__(self, options: ImageOptions) -> None:
        self._options = options
        self._tag = ""

    async def start(self) -> None:
        if shutil.which("docker") is None:
            raise NotMeasured("the docker command is not installed")
        self._tag = await asyncio.to_thread(ensure_image, self._options)

    async def open(self) -> DockerRunProgram:
        return DockerRunProgram(self._tag)

    async def close(self) -> None:
        """Containers that are left go with all others of this process (`image.remove_containers`)."""
