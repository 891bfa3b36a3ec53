"""A tokenizer's chat template, asked for text."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any, Final

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.preferences.tokens import Tokenizer

__all__ = ["Renderer"]

_MARKER: Final = re.compile(r"\{%-?\s*generation\s*-?%\}")
_TRACKING: Final = threading.Lock()
"""Compiled templates are shared, and one can follow only one rendering's markers at a time."""


class Renderer:
    """Renders messages with a template: the one given, or the tokenizer's own.

    Raises:
        MaskError: there is none.
    """

    def __init__(self, tokenizer: Tokenizer, template: str | None, tools: list[Any] | None) -> None:
        self._tokenizer = tokenizer
        self._tools = tools
        try:
            self.template = tokenizer.get_chat_template(template, tools)
        except ValueError as error:
            raise MaskError(
                "The tokenizer has no chat template",
                refusal=MaskRefusal.NO_TEMPLATE,
                hint="Give the template that the model was sampled with",
            ) from error

    def text(self, messages: Sequence[Any], *, header: bool = False) -> str:
        """The text of `messages`, with the header of a reply behind it where one is asked for.

        Raises:
            MaskError: the template fails on them.
        """
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    list(messages),
                    tools=self._tools,
                    chat_template=self.template,
                    add_generation_prompt=header,
                    tokenize=False,
                )
            )
        except Exception as error:  # a template is a program of others, and fails as it likes
            raise MaskError(
                f"The chat template fails on {len(messages)} messages: {error}",
                refusal=MaskRefusal.NO_TEMPLATE,
                hint="Some templates want other roles, their turns in alternation, or ids of a certain form",
            ) from error

    def generated(self, messages: Sequence[Any]) -> list[tuple[int, int]] | None:
        """The ranges of the text inside `{% generation %}`; None where the template has no such marks."""
        if not _MARKER.search(self.template):
            return None
        from transformers.utils.chat_template_utils import render_jinja_template

        with _TRACKING:
            _, ranges = render_jinja_template(
                conversations=[list(messages)],
                tools=self._tools,
                chat_template=self.template,
                return_assistant_tokens_mask=True,
                **self._tokenizer.special_tokens_map,
            )
        return [(start, end) for start, end in ranges[0]]
