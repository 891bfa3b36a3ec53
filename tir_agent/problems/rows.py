"""A row of a data set, and what is wrong with one. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Fault", "Fields", "Read", "Row"]

Fields = Mapping[str, object]
"""What a row holds: strings, numbers, lists and mappings, as the format gave them."""


class Row(NamedTuple):
    """One row and where it stands."""

    where: str
    """`file.jsonl:17`: the line from 1, or the row from 1 where the format has no lines."""
    fields: Fields


class Fault(NamedTuple):
    """Something about a data set that its user should know, and that did not stop the reading."""

    where: str
    sentence: str
    """Without a full stop."""


Read = Row | Fault
