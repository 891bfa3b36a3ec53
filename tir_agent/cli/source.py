"""Options that name a data set and a part of it, for every command that reads one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from tir_agent.errors import UsageError
from tir_agent.settings import FieldMap, GoldForm, ProblemSource

__all__ = [
    "Data",
    "Field",
    "Filter",
    "KeepDuplicates",
    "Limit",
    "Seed",
    "Shuffle",
    "Split",
    "Subset",
    "problem_source",
]

Data = Annotated[
    str,
    typer.Argument(
        help="A file (JSONL, JSON, CSV, TSV, Parquet), a folder saved by datasets, or owner/name on the hub.",
        show_default=False,
    ),
]
Split = Annotated[
    str | None, typer.Option("--split", help="Part of the data set (default: test, validation or train).")
]
Subset = Annotated[str | None, typer.Option("--subset", help="Configuration of a data set on the hub.")]
Field = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        help="Which field is what: text=question,gold=answer; also gold_form, id, subject, level, choices.",
        show_default=False,
    ),
]
Filter = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        help="Condition such as 'level>=4'; given several times, all must hold.",
        show_default=False,
    ),
]
KeepDuplicates = Annotated[
    bool, typer.Option("--keep-duplicates", help="Take a problem as often as it is there, not once.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Take so many, after all else.")]
Shuffle = Annotated[bool, typer.Option("--shuffle", help="In an order that the seed decides.")]
Seed = Annotated[int, typer.Option("--seed", help="For --shuffle.")]

_HINT = "As in --field text=question,gold=answer; several fields make one text: --field text=Body,Question"


def problem_source(
    data: str,
    *,
    split: str | None = None,
    subset: str | None = None,
    fields: Iterable[str] | None = None,
    filters: Iterable[str] | None = None,
    limit: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    keep_duplicates: bool = False,
) -> ProblemSource:
    """The source that these options name.

    Raises:
        UsageError: a `--field` cannot be read.
    """
    return ProblemSource(
        path=data,
        split=split,
        subset=subset,
        fields=_field_map(fields or ()),
        filters=tuple(filters or ()),
        limit=limit,
        shuffle=shuffle,
        seed=seed,
        keep_duplicates=keep_duplicates,
    )


def _field_map(written: Iterable[str]) -> FieldMap:
    named: dict[str, list[str]] = {}
    for option in written:
        role = ""
        for part in option.split(","):
            before, equals, behind = part.partition("=")
            if equals:
                role, name = before.strip(), behind.strip()
                if role not in FieldMap.model_fields:
                    raise UsageError(
                        f"--field does not know {role!r}, only {', '.join(FieldMap.model_fields)}", hint=_HINT
                    )
            else:
                name = part.strip()
            if not role or not name:
                raise UsageError(f"--field cannot be read: {option!r}", hint=_HINT)
            named.setdefault(role, []).append(name)
    return FieldMap(
        text=tuple(named["text"]) if "text" in named else None,
        gold=_one(named, "gold"),
        gold_form=_gold_form(_one(named, "gold_form")),
        id=_one(named, "id"),
        subject=_one(named, "subject"),
        level=_one(named, "level"),
        choices=tuple(named["choices"]) if "choices" in named else None,
    )


def _one(named: dict[str, list[str]], role: str) -> str | None:
    names = named.get(role, [])
    if len(names) > 1:
        raise UsageError(f"--field {role} takes one name, not {', '.join(names)}", hint=_HINT)
    return names[0] if names else None


def _gold_form(name: str | None) -> GoldForm:
    if name is None:
        return GoldForm.AUTO
    try:
        return GoldForm(name)
    except ValueError:
        raise UsageError(f"gold_form is one of {', '.join(GoldForm)}, not {name!r}") from None
