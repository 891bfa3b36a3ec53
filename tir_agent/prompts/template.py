"""Templates: text with {names} to fill in."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from tir_agent.messages import Origin

__all__ = ["Section", "Template", "fill", "names", "wants"]


class Section(BaseModel):
    """Base of a prompt file's parts: immutable, and strict about fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def names(template: str) -> set[str]:
    """The names in a template.

    Raises:
        ValueError: it is not a well-formed one.
    """
    found = set()
    try:
        for _, name, spec, conversion in string.Formatter().parse(template):
            if name is not None:
                if not name.isidentifier() or spec or conversion:
                    raise ValueError(f"{{{name}}} is not a plain name")
                found.add(name)
    except ValueError as error:
        raise ValueError(f"{error} (write {{{{ and }}}} for braces that are meant as such)") from None
    return found


def wants(*allowed: str, needed: str | None = None, why: str = "") -> AfterValidator:
    """Makes a field a template that may use the names in `allowed`, and must use `needed`."""

    def check(template: str) -> str:
        found = names(template)
        if unknown := sorted(found - set(allowed)):
            known = ", ".join(f"{{{name}}}" for name in sorted(allowed)) or "none"
            raise ValueError(f"uses {{{unknown[0]}}}; the names it may use: {known}")
        if needed is not None and needed not in found:
            raise ValueError(f"must contain {{{needed}}}{why and f': {why}'}")
        return template

    checked: Callable[[str], str] = check
    return AfterValidator(checked)


Template = Annotated[str, wants()]
"""Text with {names} to fill in, by itself with none; literal braces are doubled, as in `str.format`."""


def fill(template: str, **values: tuple[str, Origin]) -> list[tuple[str, Origin]]:
    """Fill in a template and keep apart who wrote what: its own text is the prompt's."""
    pieces: list[tuple[str, Origin]] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        pieces.append((literal, Origin.PROMPT))
        if name is not None:
            pieces.append(values[name])
    return pieces
