"""What the figures were measured on."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import docker

import tir_agent

from rivals.image import EngineError

__all__ = ["describe_machine"]


def describe_machine() -> dict[str, str]:
    """For people, in the order in which it is shown."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "tir-agent": tir_agent.__version__,
        "CPU": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Docker": _docker(),
        "Python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _docker() -> str:
    try:
        client = docker.from_env()
    except EngineError:
        return "none"
    try:
        return str(client.version()["Version"])
    except EngineError:
        return "none"
    finally:
        client.close()
