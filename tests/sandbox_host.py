"""A host that runs a session with a child process until it is killed; see `test_kernel_lifetime.py`."""

import asyncio
import sys

from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import Isolation, KernelChoice, Limits


async def main(kind: str, isolation: str, marker: str) -> None:
    sandbox = await open_sandbox(KernelChoice(kind), Limits(), isolation=Isolation(isolation))
    session = await sandbox.session()
    await session.execute(
        f"import subprocess\np = subprocess.Popen(['sleep', '{marker}'], start_new_session=True)", timeout=30
    )
    print("running", flush=True)
    await session.execute("while True: pass", timeout=600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
