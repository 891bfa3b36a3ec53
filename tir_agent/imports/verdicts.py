"""A log's own verdict, in the many ways in which logs say it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from tir_agent.imports.names import LABELS, REWARDS, named
from tir_agent.problems.rows import Fields

__all__ = ["verdict_in"]

_WORDS: Final = MappingProxyType(
    {
        "true": True,
        "correct": True,
        "right": True,
        "pass": True,
        "passed": True,
        "success": True,
        "false": False,
        "wrong": False,
        "incorrect": False,
        "fail": False,
        "failed": False,
    }
)
_NUMBERS: Final = MappingProxyType({1.0: True, 0.0: False, -1.0: False})


def verdict_in(fields: Fields) -> tuple[bool | None, str, str | None]:
    """Whether the log says that it is right; its words; and a sentence where these are none that is known.

    A reward is a verdict only where it is 1, 0 or -1: what a reward of 0.7 says of the answer is not known.
    """
    found = named(fields, LABELS)
    if found is not None:
        name, value = found
        label = _WORDS.get(value.strip().casefold()) if isinstance(value, str) else _number(value)
        if label is not None:
            return label, f"its {name} is {value}", None
        return None, "", f"Its {name} {value!r:.80} is no verdict that is known here"
    found = named(fields, REWARDS)
    if found is None:
        return None, "", None
    name, value = found
    label = _number(value)
    if label is not None:
        return label, f"its {name} is {value}", None
    return None, "", f"Its {name} {value!r:.80} is no verdict: only 1, 0 and -1 are"


def _number(value: object) -> bool | None:
    return _NUMBERS.get(float(value)) if isinstance(value, bool | int | float) else None
