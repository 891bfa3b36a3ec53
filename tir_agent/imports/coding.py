"""Code in a reply of a log, and outputs that stand in the reply's own text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tir_agent.messages import ToolCall
from tir_agent.protocols.fences import FencesProtocol
from tir_agent.settings import Fences
from tir_agent.trajectory import Completion, FinishReason

__all__ = ["Block", "Part", "called_code", "code_in", "parts_of", "unwrapped"]

_LANGUAGES: Final = ("python", "py", "python3", "ipython", "tool_code")
_FENCES: Final = FencesProtocol(Fences(languages=_LANGUAGES, output="output"))
_TAGS: Final = re.compile(r"<(execute|python|code|interpreter)>\n?(.*?)</\1>", re.DOTALL)
_SPECIAL: Final = re.compile(r"<\|code\|>(.*?)<\|endofblock\|>", re.DOTALL)
_INLINE: Final = re.compile(
    r"(?P<before>`{3,}output[^\n`]*\n)(?P<output>.*?)(?P<after>\n?^`{3,}[ ]*$|\Z)", re.M | re.S
)
_WRAPPED: Final = (
    re.compile(r"(?P<before>\s*`{3,}(?:output)?\n)(?P<output>.*?)(?P<after>\n?`{3,}\s*)", re.DOTALL),
    re.compile(
        r"(?P<before>\s*<(?P<tag>output|interpreter|observation|result|tool_response)>\n?)(?P<output>.*?)"
        r"(?P<after>\n?</(?P=tag)>\s*)",
        re.DOTALL,
    ),
    re.compile(
        r"(?P<before>\s*(?:Observation|Output|Execution (?:result|output)):[ \n])(?P<output>.*)(?P<after>)",
        re.DOTALL | re.IGNORECASE,
    ),
)
_ARGUMENTS: Final = ("code", "input", "source", "script", "program", "python", "query", "command")


@dataclass(frozen=True)
class Block:
    """Code, and where in the reply it begins."""

    code: str
    start: int


@dataclass(frozen=True)
class Part:
    """A piece that the model wrote, and the output that stands behind it in the same text."""

    text: str
    output: tuple[str, str, str] | None
    """What stands before it, the output, and what stands behind it."""


def code_in(text: str) -> list[Block]:
    """Fenced Python, or what stands between tags that are known; in order."""
    completion = Completion(
        text=text, finish_reason=FinishReason.STOP, prompt_tokens=0, completion_tokens=0, duration=0.0
    )
    reading = _FENCES.read(completion)
    blocks = [Block(block.code, block.start) for block in reading.blocks]
    if blocks:
        return blocks
    found = [Block(tag[2], tag.start(2)) for tag in _TAGS.finditer(text)]
    found += [Block(mark[1], mark.start(1)) for mark in _SPECIAL.finditer(text)]
    return [block for block in found if block.code.strip()]


def parts_of(text: str) -> Iterator[Part]:
    """The text, cut behind every output that stands right behind code of its own piece."""
    position = searched = 0
    while inline := _INLINE.search(text, searched):
        searched = max(inline.end(), searched + 1)
        piece = text[position : inline.start()]
        blocks = code_in(piece)
        if not blocks or piece[blocks[-1].start + len(blocks[-1].code) :].strip("`\n "):
            continue
        yield Part(piece, (inline["before"], inline["output"], inline["after"]))
        position = inline.end()
    if position < len(text) or not position:
        yield Part(text[position:], None)


def called_code(call: ToolCall) -> str:
    """The code in a call: the argument that is called so, or the only one; else the arguments as they are."""
    try:
        content = json.loads(call.arguments, strict=False)
    except (ValueError, RecursionError):
        return call.arguments
    if isinstance(content, Mapping):
        texts = {key: value for key, value in content.items() if isinstance(value, str)}
        for name in _ARGUMENTS:
            if name in texts:
                return texts[name]
        if len(texts) == 1:
            return next(iter(texts.values()))
    return content if isinstance(content, str) else call.arguments


def unwrapped(text: str) -> tuple[str, str, str]:
    """What is before an output, itself, and what is behind it: a fence, a tag, a word."""
    for form in _WRAPPED:
        found = form.fullmatch(text)
        if found is not None:
            return found["before"], found["output"], found["after"]
    return "", text, ""
