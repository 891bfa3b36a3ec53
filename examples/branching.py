"""Branches of a live kernel: two go on from the same state, and the origin never notices.

python examples/branching.py [--kernel docker]
"""

from __future__ import annotations

import argparse
import asyncio

from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice, Limits


async def main(kernel: KernelChoice) -> None:
    async with await open_sandbox(kernel, Limits(), progress=print) as sandbox:
        session = await sandbox.session()
        code = "from sympy import *\nx = symbols('x')\nroots = solve(x**2 - 5*x + 6)"
        await session.execute(code, timeout=30)
        left, right = await session.branch(2)
        print("left: ", (await left.execute("sum(roots)", timeout=30)).result)
        print("right:", (await right.execute("roots.clear(); roots", timeout=30)).result)
        print("origin:", (await session.execute("roots", timeout=30)).result)
        print(f"{right.origin.start} after {right.origin.cells} cell")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", type=KernelChoice, default=KernelChoice.AUTO)
    asyncio.run(main(parser.parse_args().kernel))
