"""`tir`, with the processor time of each of its main thread's functions written to a file at the end.

python benchmarks/collect_profiled.py STATS collect problems.jsonl ...
"""

from __future__ import annotations

import cProfile
import sys
import time

from tir_agent.cli import main


def profiled(stats: str) -> None:
    """Run the command. Waiting costs nothing here: the clock is the thread's processor time."""
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    try:
        main()
    finally:
        profile.disable()
        profile.dump_stats(stats)


if __name__ == "__main__":
    file = sys.argv.pop(1)
    profiled(file)
