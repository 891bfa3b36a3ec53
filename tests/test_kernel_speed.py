"""The benchmark of kernels: its programs print what they must, and its report says what was left out."""

from __future__ import annotations

import pytest

from tir_agent.kernel.base import Sandbox
from tir_agent.settings import Isolation, KernelChoice

from rivals.base import NotMeasured
from rivals.measure import BIG_LIST, check
from rivals.memory import private_bytes
from rivals.problems import FIRST, PRINT, small_problem
from rivals.report import as_markdown, ratio
from rivals.results import Figures, Results
from rivals.tir import TirProgram, TirRival


async def test_every_program_prints_what_it_must(local_sandbox: Sandbox) -> None:
    program = TirProgram(await local_sandbox.session())
    cells = [
        FIRST,
        PRINT,
        BIG_LIST,
        *(cell for number in (0, 6, 89, 12_345) for cell in small_problem(number)),
    ]
    try:
        for cell in cells:
            await check(program, cell)
        with pytest.raises(NotMeasured, match="ZeroDivisionError"):
            await program.run("1 / 0")
    finally:
        await program.close()


async def test_a_sandbox_that_cannot_be_had_is_a_reason() -> None:
    own = TirRival("tir-agent", KernelChoice.LOCAL, "", isolation=Isolation.CONTAINER)
    with pytest.raises(NotMeasured, match="local kernel isolates nothing"):
        await own.start()


def test_a_report_says_what_was_not_measured() -> None:
    fast = Figures(name="fast", isolation="none", first_output=[0.1, 0.3, 0.2], sessions_per_second=[4.0])
    absent = Figures(name="absent", isolation="none", reason="not installed")
    text = as_markdown(Results(machine={"cores": "2"}, settings={}, systems=[fast, absent]), "Speed")
    assert "| fast | none | 200 ms |" in text
    assert "- absent: not measured: not installed" in text


def test_a_ratio_without_a_reference_is_a_dash() -> None:
    assert (ratio(0.5, 2.0), ratio(None, 2.0), ratio(1.0, None)) == ("0.25×", "-", "-")


def test_memory_of_no_process_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="process 0 cannot be read"):
        private_bytes(0)
