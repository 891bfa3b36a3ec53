"""Serve until interrupted.

    cd benchmarks && python -m conformance --as vllm --port 8123 [--delay 0.2] [--fault-rate 0.1]

The models offered are `echo` and `solver-STYLE` for every style.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from collections.abc import Sequence
from typing import Final

from conformance import (
    PASSING,
    PROFILES,
    STYLES,
    UNHARMFUL,
    ConformanceServer,
    Limits,
    Mind,
    Pace,
    at_random,
    echo,
    solver,
)

_OBJECTS_UNTIL_COLLECTION: Final = 100_000


async def serve(options: argparse.Namespace) -> None:
    """Serve for ever."""
    minds: dict[str, Mind] = {f"solver-{style}": solver(style) for style in STYLES}
    server = ConformanceServer(
        PROFILES[options.profile],
        minds | {"echo": echo},
        port=options.port,
        context=options.context,
        key=options.key,
        pace=Pace(options.delay, options.between),
        faults=at_random(options.seed, options.fault_rate, (*PASSING, *UNHARMFUL)),
        limits=Limits(options.rpm, options.tpm, options.concurrent),
    )
    async with server:
        print(f"{options.profile} at {server.url}", flush=True)
        await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--as", dest="profile", choices=list(PROFILES), default="vllm")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--context", type=int, help="tokens")
    parser.add_argument("--key", help="refuse requests without it")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds until the first event")
    parser.add_argument("--between", type=float, default=0.0, help="seconds between events")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of requests, 0 to 1")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--rpm", type=int, help="requests a minute")
    parser.add_argument("--tpm", type=int, help="tokens a minute")
    parser.add_argument("--concurrent", type=int, help="replies at one time")
    # The log keeps every request, and the collector would go through all of it again and again.
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTION, 50, 100)
    try:
        asyncio.run(serve(parser.parse_args(arguments)))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(f"Cannot serve there: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
