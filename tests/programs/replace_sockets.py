"""Tries to put sockets of its own in the place of the kernel's."""

import os
import socket

# All sessions of a jail are listed here; one of them is this one.
paths = [line.split()[-1] for line in open("/proc/net/unix") if "/k-1" in line and "/run/tir" in line]
folder = paths[0].rpartition("/")[0] if paths else "/run/tir"
told = []
for attempt in (
    lambda: os.unlink(f"{folder}/k-1"),
    lambda: os.rename(f"{folder}/k-1", f"{folder}/k-9"),
    lambda: socket.socket(socket.AF_UNIX).bind(f"{folder}/k-9"),
):
    try:
        attempt()
        told.append("done")
    except OSError as error:
        told.append(type(error).__name__)
print(*told)
