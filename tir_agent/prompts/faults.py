"""What is wrong with a prompt file, and at which line and column."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tir_agent.prompts.prompt import Prompt

__all__ = ["Fault", "Places", "repeated_keys", "schema_faults"]

Location = Sequence[int | str]


@dataclass(frozen=True)
class Fault:
    """One mistake in a prompt file. Lines and columns count from 1."""

    line: int
    column: int
    field: str
    """Empty where it is the whole file's."""
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        """Without the file's name: `line:column: field: message`."""
        where = f"{self.line}:{self.column}: "
        return f"{where}{self.field}: {self.message}" if self.field else f"{where}{self.message}"


class Places:
    """Where the fields of a YAML file stand."""

    def __init__(self, text: str) -> None:
        self._root = yaml.compose(text, Loader=yaml.SafeLoader)

    @property
    def root(self) -> yaml.Node | None:
        return self._root

    def of(self, location: Location) -> tuple[int, int]:
        """Line and column of a field, or of the nearest thing around it that is written down."""
        node, mark = self._root, None
        for part in location:
            # Parts that are not in the file are pydantic's own: the tag of a union, or a missing field.
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == str(part):
                        node, mark = value, key.start_mark
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                mark = node.start_mark
        mark = mark or (self._root.start_mark if self._root else None)
        return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def repeated_keys(node: yaml.Node | None) -> Iterator[Fault]:
    """Fields that are given twice: YAML keeps the last and says nothing."""
    waiting = [node]
    # An alias is the same node again, and a file may be built of aliases of aliases.
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in keys:
                        mark = key.start_mark
                        yield Fault(mark.line + 1, mark.column + 1, key.value, "is given twice")
                    keys.add(key.value)
                waiting.append(value)


# In the words of someone who writes a file, not of someone who writes Python.
_PLAIN: Final = {
    "missing": "is required",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "string_type": "should be a text",
    "dict_type": "should be a mapping",
    "model_type": "should be a mapping",
    "model_attributes_type": "should be a mapping, with a field a line",
}


def schema_faults(error: ValidationError, places: Places, schema: type[BaseModel] = Prompt) -> list[Fault]:
    """All that pydantic found in a file that is to be a `schema`, in the order of the file."""
    faults = [_fault(one, places, schema) for one in error.errors(include_url=False)]
    return sorted(faults, key=lambda fault: (fault.line, fault.column))


def _fault(error: ErrorDetails, places: Places, schema: type[BaseModel]) -> Fault:
    location = error["loc"]
    line, column = places.of(location)
    hint = None
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if error["type"] in _PLAIN:
        message = _PLAIN[error["type"]]
    elif error["type"] == "too_long":
        message = f"should have at most {error['ctx']['max_length']} entries"
    elif error["type"] == "too_short":
        message = f"should have at least {error['ctx']['min_length']}"
    elif error["type"] == "extra_forbidden":
        message = "there is no such field"
        hint = _meant(str(location[-1]), _fields_beside(location, schema))
    elif error["type"] == "union_tag_invalid":
        known = error["ctx"]["expected_tags"].replace("'", "").split(", ")
        message = f"there is no kind {error['ctx']['tag']!r}; there are {', '.join(known)}"
        hint = _meant(error["ctx"]["tag"], known)
    elif error["type"] == "union_tag_not_found":
        message = "needs a kind"
    elif error["msg"].startswith("Input should be "):
        message = f"should be {message}"
    return Fault(line, column, ".".join(map(str, _written(location, schema))), message, hint)


def _meant(word: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close else None


def _written(location: Location, schema: type[BaseModel]) -> list[int | str]:
    """The location without the tags of unions, which nobody writes."""
    return [part for part, models in _walk(location, schema) if part not in _tags(models)]


def _fields_beside(location: Location, schema: type[BaseModel]) -> set[str]:
    models = list(_walk(location, schema))[-1][1]
    return {field for model in models for field in model.model_fields}


def _walk(location: Location, schema: type[BaseModel]) -> Iterator[tuple[int | str, list[type[BaseModel]]]]:
    """Each part of a location with the models that it may be a field of."""
    models: list[type[BaseModel]] = [schema]
    for part in location:
        yield part, models
        if part in _tags(models):
            models = [model for model in models if _tag(model) == part]
        elif not isinstance(part, int):
            fields = [model.model_fields[part] for model in models if part in model.model_fields]
            models = [model for field in fields for model in _models_in(field.annotation)]


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _tags(models: list[type[BaseModel]]) -> set[object]:
    return {_tag(model) for model in models} - {None} if len(models) > 1 else set()


def _tag(model: type[BaseModel]) -> object:
    return model.model_fields["kind"].default if "kind" in model.model_fields else None
