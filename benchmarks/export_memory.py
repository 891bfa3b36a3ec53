"""Memory and time that `tir export` takes for runs of growing length.

    python benchmarks/export_memory.py RUN [--times 1 4 16]

RUN's trajectories are written that many times, each time as other problems, and made into a set of pairs by
the real command. Memory is the process's peak.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tir_agent.store import RunReader
from tir_agent.trajectory import Trajectory


def copied(trajectory: Trajectory, number: int) -> Trajectory:
    """The same as one of another problem."""
    if not number:
        return trajectory
    problem = trajectory.problem
    other = {"id": f"{problem.id}-{number}", "text": f"{problem.text} ({number})"}
    changed = {"id": f"{number:08x}{trajectory.id[8:]}", "problem": problem.model_copy(update=other)}
    return trajectory.model_copy(update=changed)


def write(run: Path, times: int, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for number in range(times):
            for trajectory in RunReader.open(run).trajectories():
                file.write(copied(trajectory, number).model_dump_json() + "\n")
                count += 1
    return count


def measure(path: Path, out: Path) -> tuple[float, int]:
    """Seconds, and the peak of memory in bytes."""
    begun = time.monotonic()
    words = [sys.executable, "-m", "tir_agent", "export", str(path), "--out", str(out), "--format", "dpo"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("tir export failed")
    return time.monotonic() - begun, usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args()
    print("| trajectories | read | peak memory | seconds | trajectories/s |")
    print("|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for times in options.times:
            path = Path(folder) / f"{times}.jsonl"
            count = write(options.run, times, path)
            seconds, peak = measure(path, Path(folder) / f"set-{times}")
            print(
                f"| {count:,} | {path.stat().st_size / 2**20:,.0f} MiB | {peak / 2**20:,.0f} MiB "
                f"| {seconds:,.1f} | {count / seconds:,.0f} |",
                flush=True,
            )
            path.unlink()


if __name__ == "__main__":
    main()
