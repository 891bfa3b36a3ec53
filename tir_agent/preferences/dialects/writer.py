"""A dialect: from an example to a row that one trainer reads."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol, TypeAlias

from pydantic import JsonValue

from tir_agent.errors import DataError
from tir_agent.preferences.dialects.columns import Column
from tir_agent.preferences.examples import Example
from tir_agent.settings import ExportKind

__all__ = ["DialectError", "Misfit", "Render", "Row", "Writer"]

Row: TypeAlias = dict[str, JsonValue]


class Misfit(StrEnum):
    """Why an example has no row in a dialect."""

    RAW = "it is one text without a chat template"
    NOT_ONE_TEXT = "it is neither messages alone nor one text alone"
    HALF_CHARACTER = "a text has half a character (a lone surrogate), which no file can hold"
    NOTHING_GIVEN = "no message was given"
    NOTHING_LEARNT = "there is no reply behind what was given"
    GIVEN_DIFFERS = "the two sides were not given the same"
    ARGUMENTS = "a call's arguments are not the one text that the function takes"
    TOOLS = "a function takes more than the one text that there is room for"
    NO_TEMPLATE = "it is messages, and no chat template was given to render them"
    SEVERAL_MESSAGES = (
        "a side has more than the one message that there is room for; the format steps pairs single ones"
    )
    ALTERNATION = "the roles do not alternate"
    TEXT_BESIDE_CALL = "a message has a call and text, and there is room for one of them"
    PREFIX = "the chat template renders what was given otherwise once a reply follows"
    NO_GOLD = "the problem has no reference answer"
    EMPTY = "the reply to be learnt is empty"


class DialectError(DataError):
    """An example that a dialect cannot hold. The caller leaves it out and counts it by `why`."""

    def __init__(self, why: Misfit, example: str) -> None:
        super().__init__(f"example {example} cannot be written: {why.value}")
        self.why = why
        self.example = example


class Render(Protocol):
    """A chat template, laid around messages in Hugging Face's form."""

    def __call__(self, messages: list[Row], tools: list[Row] | None, *, add_generation_prompt: bool) -> str:
        """The text; with `add_generation_prompt`, up to where the model would begin.

        Without the token that begins every text: a trainer's tokenizer puts it there.
        """


class Writer(Protocol):
    """The form of all rows of a set."""

    @property
    def kind(self) -> ExportKind:
        """Examples of which kind it writes."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Keys of every row, in order, and their types."""

    def row(self, example: Example) -> Row:
        """The example in this form.

        Raises:
            DialectError: it does not fit.
        """

    def card(self) -> str:
        """Two or three sentences of Markdown: how the trainer loads it, and what its loss falls on."""

    def files(self, data: Mapping[str, str]) -> dict[str, str]:
        """Files that the trainer wants beside the rows: names and contents. `data` has the name of the
        file of rows for each split.
        """
