"""`tir doctor`: what works here, and how to mend what does not."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from tir_agent.checks import Check
from tir_agent.cli.capabilities import capability_lines
from tir_agent.cli.places import api_key, base_url, cache_dir
from tir_agent.cli.terminal import EXIT_MACHINERY
from tir_agent.console import printable
from tir_agent.errors import TirError
from tir_agent.kernel.checks import check_kernels
from tir_agent.models.cache import CapabilityCache
from tir_agent.models.checks import check_model, examine_model
from tir_agent.models.choice import EMBEDDED, is_embedded
from tir_agent.settings import KernelChoice

__all__ = ["doctor"]


def doctor(
    model: Annotated[
        str, typer.Option(envvar="TIR_MODEL", help="'embedded', a GGUF file, or a model's name.")
    ] = EMBEDDED,
    base_url_option: Annotated[
        str | None, typer.Option("--base-url", help="The server's address (default: $OPENAI_BASE_URL).")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable with the key (default: OPENAI_API_KEY).")
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask the server what it can do, although that is known.")
    ] = False,
) -> None:
    """Check the sandbox and the model, and say how to mend what does not work.

    Exit status 0 if a problem could be solved here: one kind of sandbox and the model work.
    """
    key = None if is_embedded(model) else api_key(api_key_env)
    url = None if is_embedded(model) else base_url(base_url_option)
    if not asyncio.run(_check(Console(soft_wrap=True), model, url, key, probe=probe)):
        raise typer.Exit(EXIT_MACHINERY)


async def _check(
    console: Console, model: str, url: str | None, key: str | None, *, probe: bool = False
) -> bool:
    working: dict[KernelChoice, bool] = {}
    async for kind, check in check_kernels():
        if kind not in working:
            console.print(Text(f"\nkernel: {kind}" if working else f"kernel: {kind}", style="bold"))
        working[kind] = check.passed
        _print(console, check)
    console.print(Text(f"\nmodel: {printable(model)}", style="bold"))
    checks = await check_model(model, base_url=url, api_key=key)
    for check in checks:
        _print(console, check)
    if checks[-1].passed:
        await _examine(console, model, url, key, probe=probe)
    kernels = [kind for kind, works in working.items() if works]
    console.print()
    if kernels and checks[-1].passed:
        console.print(Text(f"Ready: --kernel auto will use {kernels[0]}", style="bold green"))
        return True
    console.print(Text("Not ready: mend what is marked above", style="bold red"))
    return False


async def _examine(console: Console, model: str, url: str | None, key: str | None, *, probe: bool) -> None:
    """Say what the server can do; where it cannot be asked, why."""
    cache = CapabilityCache(cache_dir() / "capabilities")
    try:
        findings = await examine_model(model, base_url=url, api_key=key, cache=cache, refresh=probe)
    except TirError as error:
        console.print(Text(f"  ? what it can do: {printable(error.message)}", style="yellow"), soft_wrap=True)
        return
    for line in capability_lines(findings):
        console.print(Text(f"  {line}", style="dim"), soft_wrap=True)


def _print(console: Console, check: Check) -> None:
    mark, style = ("✓", "green") if check.passed else ("✗", "red")
    line = Text.assemble("  ", (mark, style), f" {check.name}: {printable(check.detail)}")
    console.print(line, soft_wrap=True)
    if check.remedy:
        console.print(Text(f"    {printable(check.remedy)}", style="cyan"), soft_wrap=True)
