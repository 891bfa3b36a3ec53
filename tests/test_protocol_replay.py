"""Recorded replies of MathCoder, MINT and ToRA, read by the protocols of the prompt files of these names."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol_replay import SURFACES, read
from protocol_replay_report import markdown

TRAJECTORIES = 400
# No reply of these was put down as it was written, so every one of their cells must come back.
WHOLE = ["mathcoder", "tora"]


@pytest.mark.parametrize("source", SURFACES)
def test_recorded_code_is_found_byte_for_byte(source: str, shared_data: Path) -> None:
    tally = read(shared_data, source, TRAJECTORIES)
    assert tally.trajectories == TRAJECTORIES
    assert tally.cells >= TRAJECTORIES
    unexplained = [one for one in tally.differences if one.reason.startswith("read ")]
    assert not unexplained
    assert tally.same_cells >= 0.99 * tally.cells
    assert tally.same_whole_cells == tally.same_cells
    if source in WHOLE:
        assert tally.same_cells == tally.cells


@pytest.mark.parametrize("source", ["mint", "tora"])
def test_recorded_answers_are_found(source: str, shared_data: Path) -> None:
    tally = read(shared_data, source, TRAJECTORIES)
    assert tally.answers > 0
    assert tally.same_answers >= 0.97 * tally.answers
    for one in tally.differences:
        if one.what == "answer":
            assert one.reason.startswith("the recorded one, ")


def test_replies_that_are_recorded_as_they_were_written_are_read_too(shared_data: Path) -> None:
    tally = read(shared_data, "mint", TRAJECTORIES)
    assert tally.verbatim_cells > 0
    assert tally.same_verbatim_cells >= 0.99 * tally.verbatim_cells


def test_the_page_has_a_column_for_each_source(shared_data: Path) -> None:
    page = markdown({source: read(shared_data, source, 20) for source in SURFACES})
    assert "| |mathcoder|mint|tora|all|" in page
    assert "|trajectories|20|20|20|60|" in page
