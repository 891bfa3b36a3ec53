"""A collection that collects nothing, shown and stopped as a real one is: for real terminals and signals.

`collecting_host.py MODE`, where MODE is one of
    short      comes to its end by itself, at once
    long       goes on until it is stopped, and then waits for what is under way
    stubborn   never lets go of what is under way
    stuck      as stubborn, and its shutdown hangs, the event loop with it
    noisy      prints many remarks, then comes to its end
    pausing    pauses, goes on, and comes to its end
Status: 0 at the end, 3 stopped, 4 cancelled.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace

from rich.console import Console

from tir_agent.cli.interrupts import graceful_stop
from tir_agent.collect.progress import Progress
from tir_agent.console import CollectView, collect_summary

_FIRST = Progress(expected=1000, problems=100, running=12, in_model=8, in_kernel=4)


class Collection:
    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.progress = _FIRST

    def change(self, **changes: object) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]

    async def run(self, view: CollectView) -> int:
        match self.mode:
            case "short":
                view.note("nearly there")
            case "noisy":
                for number in range(20_000):
                    view.note(f"remark {number}")
                    if number % 1000 == 0:
                        await asyncio.sleep(0.001)
            case "pausing":
                self.change(paused="the server is away")
                view.refresh()
                await asyncio.sleep(0.4)
                self.change(paused=None)
                view.refresh()
                await asyncio.sleep(0.4)
            case _:
                return await self.until_stopped()
        self.change(done=1000, correct=600, wrong=400, running=0, elapsed=20.0)
        return 0

    async def until_stopped(self) -> int:
        while not self.progress.stopping or self.mode in {"stubborn", "stuck"}:
            self.change(done=self.progress.done + 1, correct=self.progress.correct + 1)
            await asyncio.sleep(0.02)
        while self.progress.running:
            self.change(running=self.progress.running - 1)
            await asyncio.sleep(0.05)
        return 3


async def collect(mode: str) -> int:
    collection = Collection(mode)
    view = CollectView(lambda: collection.progress, Console())

    def stop() -> None:
        collection.change(stopping=True)
        view.refresh()

    with graceful_stop(stop, lambda: view.note("stopping at once", "yellow")):
        async with view:
            try:
                status = await collection.run(view)
            except asyncio.CancelledError:
                status = 4
                if mode == "stuck":
                    time.sleep(60)  # noqa: ASYNC251
            view.note(collect_summary(collection.progress, "runs/any", ["tir eval runs/any"]))
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(collect(sys.argv[1])))
