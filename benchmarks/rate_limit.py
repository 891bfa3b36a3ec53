"""Many requests to a server with little room: refusals and time, with the shared limiter and without.

    python benchmarks/rate_limit.py

The conformance server answers each request after 20 ms, and refuses with 429 what is more than it takes at
a time. The model client is the real one; without the limiter it has its retries alone.
"""

from __future__ import annotations

import asyncio
import sys
import time

from rich.console import Console
from rich.table import Table

from tir_agent.messages import Message, Origin, Role
from tir_agent.models.limiter import RateLimiter
from tir_agent.models.openai import OpenAIModel, Patience
from tir_agent.settings import RateLimits, Sampling

from conformance import OPENAI, ConformanceServer, Limits, Pace, echo

PATIENCE = Patience(first_wait=0.02, longest_wait=0.5)
QUESTION = [Message.of(Role.USER, ("Hello", Origin.PROMPT))]
CASES = [(32, 8), (64, 8), (128, 4)]
"""Requests at once, and how many the server takes."""


async def refusals(requests: int, room: int, *, limited: bool) -> tuple[int, float]:
    """How often the server refused, and the seconds until all were answered."""
    limiter = RateLimiter(RateLimits(concurrent=requests)) if limited else None
    server = ConformanceServer(OPENAI, {"m": echo}, limits=Limits(concurrent=room), pace=Pace(first=0.02))
    async with server:
        model = OpenAIModel("m", base_url=server.url, patience=PATIENCE, limiter=limiter)
        started = time.monotonic()
        await asyncio.gather(
            *(model.complete(QUESTION, Sampling(max_tokens=8), timeout=300) for _ in range(requests))
        )
        seconds = time.monotonic() - started
        await model.close()
        return sum(record.status == 429 for record in server.log.records), seconds


async def measure() -> Table:
    table = Table("requests at once", "server takes", "refusals", "seconds", "refusals", "seconds")
    table.title = "with the limiter (left), with retries alone (right)"
    for requests, room in CASES:
        row: list[str] = [str(requests), str(room)]
        for limited in (True, False):
            refused, seconds = await refusals(requests, room, limited=limited)
            row += [str(refused), f"{seconds:.2f}"]
        table.add_row(*row)
    return table


def main() -> int:
    Console().print(asyncio.run(measure()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
