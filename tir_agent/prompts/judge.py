"""Prompt files of judges: models that are asked whether two answers agree."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from tir_agent.assets import prompts_dir
from tir_agent.errors import PromptError
from tir_agent.messages import Message, Origin, Role
from tir_agent.prompts.faults import Fault, Places, schema_faults
from tir_agent.prompts.load import read_yaml
from tir_agent.prompts.template import Section, fill, wants
from tir_agent.trajectory import Problem, PromptIdentity

__all__ = ["JUDGE", "JudgePrompt", "judge_prompt_names", "load_judge_prompt"]

JUDGE: Final = "agreement"
"""The one that is taken where none is named."""
_FOLDER: Final = "judges"
_MARK_CHARS: Final = 12
_HINT: Final = "See prompts/README.md for the format"
_NAMES: Final = ("problem", "gold", "answer", "mark")


class JudgePrompt(Section):
    """What a judge is told. Its reply's form is not a matter of the file: see `tir_agent.judging`."""

    name: str = ""
    """The file's name without its suffix."""
    sha256: str = ""
    description: str
    max_tokens: int = Field(default=1024, ge=1)
    """Of the reply, thinking included."""
    system: str | None = None
    user: Annotated[
        str,
        wants(*_NAMES, needed="gold", why="else there is nothing to compare with"),
        wants(*_NAMES, needed="answer", why="else there is nothing to compare"),
        wants(*_NAMES, needed="mark", why="else an answer can end itself and go on as the prompt"),
    ]
    """{problem}, {gold}, {answer} and {mark}, which no answer can hold."""

    @property
    def identity(self) -> PromptIdentity:
        """For the record."""
        return PromptIdentity(name=self.name, sha256=self.sha256)

    def request(self, problem: Problem, gold: str, answer: str) -> list[Message]:
        """The conversation that asks about one answer.

        The mark is a hash of all three texts: the same each time, and an answer that held its own would
        be a fixed point of the hash.
        """
        whole = "\0".join((problem.text, gold, answer)).encode("utf-8", "surrogatepass")
        mark = hashlib.sha256(whole).hexdigest()[:_MARK_CHARS]
        question = fill(
            self.user,
            problem=(problem.text, Origin.PROBLEM),
            gold=(gold, Origin.PROBLEM),
            answer=(answer, Origin.MODEL),
            mark=(mark, Origin.PROMPT),
        )
        opening = [Message.of(Role.SYSTEM, (self.system, Origin.PROMPT))] if self.system else []
        return [*opening, Message.of(Role.USER, *question)]


def judge_prompt_names() -> list[str]:
    """Names of the judges' prompts that ship with tir-agent."""
    return sorted(path.stem for path in (prompts_dir() / _FOLDER).glob("*.yaml"))


def load_judge_prompt(name_or_path: str = JUDGE) -> JudgePrompt:
    """Read a judge's prompt by its name, or from a YAML file (anything with a slash or a YAML suffix).

    Raises:
        PromptError: there is no such prompt, or the file is not a valid one; says where.
    """
    path = Path(name_or_path)
    if "/" not in name_or_path and path.suffix not in {".yaml", ".yml"}:
        path = prompts_dir() / _FOLDER / f"{name_or_path}.yaml"
        if not path.is_file():
            known = ", ".join(judge_prompt_names())
            raise PromptError(
                f"There is no judge's prompt named {name_or_path!r}", hint=f"Known ones: {known}"
            )
    read = read_yaml(path)
    if isinstance(read, Fault):
        raise PromptError(f"{path}:{read}", hint=read.hint or _HINT)
    try:
        return JudgePrompt.model_validate({**read.content, "name": path.stem, "sha256": read.sha256})
    except ValidationError as error:
        first = schema_faults(error, Places(read.text), JudgePrompt)[0]
        raise PromptError(f"{path}:{first}", hint=first.hint or _HINT) from None
