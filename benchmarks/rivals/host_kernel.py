"""A kernel of one's own for every session: jupyter_client and ipykernel on the host, as they come.

The kernel runs in the sandbox's Python environment, so its packages are those of tir-agent's kernels. In the
end it is killed, which is faster than asking it to end.
"""

from __future__ import annotations

import asyncio
import subprocess

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from tir_agent.errors import SandboxUnavailable
from tir_agent.kernel import environment
from tir_agent.kernel.environment import PythonEnvironment

from rivals.base import SECONDS, NotMeasured
from rivals.jupyter import CellOutput

__all__ = ["HostKernelProgram", "HostKernelRival"]


class _Specs(KernelSpecManager):
    """Knows one kernel: that of the sandbox's environment."""

    def __init__(self, python: PythonEnvironment) -> None:
        super().__init__()
        self._command = [str(python.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(argv=self._command, display_name=kernel_name, language="python")


class HostKernelProgram:
    """A kernel process and its client."""

    def __init__(self, manager: AsyncKernelManager) -> None:
        self._manager = manager
        self._client: AsyncKernelClient | None = None

    async def start(self) -> None:
        await self._manager.start_kernel(stderr=subprocess.DEVNULL)
        self._client = self._manager.client()
        self._client.start_channels()
        await self._client.wait_for_ready(timeout=SECONDS)

    async def pid(self) -> int:
        """The kernel's process id."""
        return int(await self.run("import os; print(os.getpid())"))

    async def run(self, code: str) -> str:
        assert self._client is not None
        output = CellOutput(self._client.execute(code))
        async with asyncio.timeout(SECONDS):
            while not output.idle:
                output.add(await self._client.get_iopub_msg())
            while not output.replied:
                output.add(await self._client.get_shell_msg())
        return output.text

    async def close(self) -> None:
        async with asyncio.timeout(SECONDS):
            if self._client is not None:
                client, self._client = self._client, None
                client.stop_channels()
            if self._manager.has_kernel:
                await self._manager.shutdown_kernel(now=True)


class HostKernelRival:
    """Starts an ipykernel for each session."""

    name = "jupyter_client + ipykernel on the host"
    isolation = "none"
    keeps_state = True
    refills = False

    def __init__(self) -> None:
        self._specs: _Specs | None = None
        self._open: list[HostKernelProgram] = []

    async def start(self) -> None:
        try:
            self._specs = _Specs(await asyncio.to_thread(environment.ensure))
        except SandboxUnavailable as error:
            raise NotMeasured(error.message) from None

    async def open(self) -> HostKernelProgram:
        program = HostKernelProgram(AsyncKernelManager(kernel_spec_manager=self._specs))
        self._open.append(program)
        async with asyncio.timeout(SECONDS):
            await program.start()
        return program

    async def close(self) -> None:
        # Those of workers that were cancelled on their way.
        for program in self._open:
            await program.close()
        self._open.clear()
