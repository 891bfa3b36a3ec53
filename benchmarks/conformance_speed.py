"""What the conformance server costs: processor time while many clients stream short replies from it.

    python benchmarks/conformance_speed.py [--clients 256] [--delay 0.2] [--seconds 10]

The server is a process of its own; each client keeps one connection and asks again as soon as a reply
has ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
QUESTION = {
    "model": "echo",
    "messages": [{"role": "user", "content": "The answer is 42."}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def processor_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask(port: int, request: bytes, until: float) -> int:
    """One client; how many replies it read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    replies = 0
    while time.monotonic() < until:
        writer.write(request)
        await reader.readuntil(b"0\r\n\r\n")
        replies += 1
    writer.close()
    return replies


async def load(port: int, clients: int, seconds: float) -> int:
    """All clients; how many replies they read."""
    body = json.dumps(QUESTION).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(ask(port, head.encode() + body, until) for _ in range(clients))))


def main() -> int:
    """The program; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=256)
    parser.add_argument("--delay", type=float, default=0.2)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    command = [sys.executable, "-m", "conformance", "--delay", str(options.delay)]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().split()[-1]
            port = urlsplit(url).port
            assert port is not None
            before, started = processor_seconds(server.pid), time.monotonic()
            replies = asyncio.run(load(port, options.clients, options.seconds))
            took = time.monotonic() - started
            used = processor_seconds(server.pid) - before
        finally:
            server.terminate()
    print(
        f"{options.clients} streams, {options.delay * 1000:.0f} ms each: {replies / took:.0f} replies/s, "
        f"{used / took:.0%} of one core, {used / replies * 1e6:.0f} us a reply"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
