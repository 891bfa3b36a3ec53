"""Prompt files: one YAML per experimental condition, holding every word the agent says to the model.

`prompts/README.md` describes the format. A file is validated whole before a token is spent, and its
SHA-256 goes into every trajectory.
"""

from __future__ import annotations

import hashlib
import string
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tir_agent.assets import prompts_dir
from tir_agent.errors import PromptError
from tir_agent.settings import ConversationForm, Fences, NoTool, ObservationPolicy, ProtocolChoice
from tir_agent.trajectory import Message, Origin, Problem, PromptIdentity, Role

__all__ = ["Exemplar", "ExemplarTurn", "Prompt", "Template", "load_prompt", "prompt_names"]

MAX_STOP_STRINGS = 4
"""More than this the OpenAI API refuses."""


def _well_formed(template: str) -> str:
    try:
        for _, name, spec, conversion in string.Formatter().parse(template):
            if name is not None and (not name.isidentifier() or spec or conversion):
                raise ValueError(f"{{{name}}} is not a plain name")
    except ValueError as error:
        raise ValueError(f"{error} (write {{{{ and }}}} for braces that are meant as such)") from None
    return template


Template = Annotated[str, AfterValidator(_well_formed)]
"""Text with {names} to fill in; literal braces are doubled, as in Python's `str.format`."""


def fill(template: str, **values: tuple[str, Origin]) -> list[tuple[str, Origin]]:
    """Fill in a template and keep apart who wrote what: its own text is the prompt's."""
    pieces: list[tuple[str, Origin]] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        pieces.append((literal, Origin.PROMPT))
        if name is not None:
            pieces.append(values[name])
    return pieces


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExemplarTurn(_Section):
    """One reply of an exemplar and, unless it is the last, what the interpreter answered."""

    reply: str
    output: str | None = None


class Exemplar(_Section):
    """A worked problem that precedes the real one, in the form the model is meant to take up."""

    problem: str
    turns: tuple[ExemplarTurn, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _outputs_between_replies(self) -> Self:
        *before, last = self.turns
        if last.output is not None:
            raise ValueError("the last turn of an exemplar must be a reply without an output")
        if any(turn.output is None for turn in before):
            raise ValueError("every turn of an exemplar but the last needs an output")
        return self


class Feedback(_Section):
    """What the agent says between the model's replies, as templates."""

    observation: Template = "```output\n{output}\n```"
    """Around an output: {output}."""
    error: Template | None = None
    """Around the output of code that failed: {output}. Null: as `observation`."""
    cut_off: Template = (
        "The code was not run: your message was cut off inside it. Write a shorter program in one block."
    )
    """Where a reply came to its token limit inside a code block."""
    empty_code: Template = "The code block was empty, so nothing was run."
    nudge: Template = "Go on: either write a program to run, or give the final answer within \\boxed{{}}."
    """Where a reply had neither code nor an answer."""
    last_turn: Template = "This is your last turn ({reason}): give the final answer within \\boxed{{}} now."
    """Where a budget is nearly gone: {reason}, which is one of the next five."""
    bad_call: Template = "The call was not followed: {detail}"
    """The result of a tool call that cannot be followed: {detail}."""
    remaining: Template | None = None
    """After observations: {turns}, {tokens} and {seconds} that are left. Null: nothing is said."""
    code_first: Template = "Run a program first, and answer from what it prints."
    """Where an answer came before code has run without an error, and the run's settings want it after."""
    verify: Template = (
        "Check this answer with a program that does not repeat the way you found it. "
        "Then give the final answer within \\boxed{{}}."
    )
    critique: Template = (
        "A reviewer says of your solution:\n\n{critique}\n\n"
        "Where this is right, correct the solution. Then give the final answer within \\boxed{{}}."
    )
    """What the critic said: {critique}."""
    critic: Template = (
        "Problem:\n{problem}\n\nSolution:\n{solution}\n\n"
        "Review this solution. Name the first step that is wrong, and why; "
        "if there is none, say that it is right. Do not solve the problem yourself."
    )
    """What the critic is asked, in a conversation apart: {problem} and {solution}."""
    force: Template = "The final answer is \\boxed{{"
    """The beginning of an answer that the model is made to end."""
    turn_limit: str = "no turns are left after it"
    token_limit: str = "the token budget is nearly used up"
    time_limit: str = "the time is nearly over"
    error_limit: str = "too many programs failed in a row"
    repetition: str = "the same program was run again and again"

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        allowed = {
            "observation": {"output"},
            "error": {"output"},
            "cut_off": set[str](),
            "empty_code": set[str](),
            "nudge": set[str](),
            "last_turn": {"reason"},
            "bad_call": {"detail"},
            "remaining": {"turns", "tokens", "seconds"},
            "code_first": set[str](),
            "verify": set[str](),
            "critique": {"critique"},
            "critic": {"problem", "solution"},
            "force": set[str](),
        }
        for field, names in allowed.items():
            _check_names(field, getattr(self, field) or "", names)
        for field in ("observation", "error"):
            template = getattr(self, field)
            if template is not None and "{output}" not in template:
                raise ValueError(f"{field} must contain {{output}}: else the model never sees it")
        return self


def _check_names(field: str, template: str, allowed: set[str]) -> None:
    found = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    if unknown := sorted(found - allowed):
        known = ", ".join(f"{{{name}}}" for name in sorted(allowed)) or "none"
        raise ValueError(f"{field} uses {{{unknown[0]}}}; the names it may use: {known}")


class Prompt(_Section):
    """A prompt file."""

    name: str = ""
    """The file's name without its suffix."""
    sha256: str = ""
    description: str
    protocol: ProtocolChoice = Fences()
    conversation: ConversationForm = ConversationForm.MESSAGES
    stop: tuple[str, ...] = Field(default=(), max_length=MAX_STOP_STRINGS)
    """Strings that end a reply."""
    system: str | None = None
    user: Template = "{problem}"
    """Around the problem: {problem}."""
    exemplars: tuple[Exemplar, ...] = ()
    observation: ObservationPolicy = ObservationPolicy()
    feedback: Feedback = Feedback()

    @model_validator(mode="after")
    def _problem_is_asked(self) -> Self:
        _check_names("user", self.user, {"problem"})
        if "{problem}" not in self.user:
            raise ValueError("user must contain {problem}")
        if any(not text for text in self.stop):
            raise ValueError("stop must not hold an empty string")
        return self

    @property
    def identity(self) -> PromptIdentity:
        return PromptIdentity(name=self.name, sha256=self.sha256)

    @property
    def uses_tool(self) -> bool:
        return not isinstance(self.protocol, NoTool)

    def opening(self, problem: Problem) -> list[Message]:
        """The conversation up to the model's first reply."""
        if self.conversation is ConversationForm.COMPLETION:
            user = fill(self.user, problem=(problem.text, Origin.PROBLEM))
            return [Message.of(Role.RAW, (self.system or "", Origin.PROMPT), *user)]
        messages: list[Message] = []
        if self.system:
            messages.append(Message.of(Role.SYSTEM, (self.system, Origin.PROMPT)))
        for exemplar in self.exemplars:
            messages += self._exemplar(exemplar)
        problem_text = fill(self.user, problem=(problem.text, Origin.PROBLEM))
        return [*messages, Message.of(Role.USER, *problem_text)]

    def _exemplar(self, exemplar: Exemplar) -> list[Message]:
        # All of an exemplar is the prompt's own, whoever it stands for.
        question = fill(self.user, problem=(exemplar.problem, Origin.PROMPT))
        messages = [Message.of(Role.USER, *question)]
        for turn in exemplar.turns:
            messages.append(Message.of(Role.ASSISTANT, (turn.reply, Origin.PROMPT)))
            if turn.output is not None:
                messages.append(
                    Message.of(Role.USER, *self.observed(turn.output, failed=False, origin=Origin.PROMPT))
                )
        return messages

    def observed(
        self, output: str, *, failed: bool, origin: Origin = Origin.INTERPRETER
    ) -> list[tuple[str, Origin]]:
        """An output in its wrapper."""
        wrapper = self.feedback.error if failed and self.feedback.error else self.feedback.observation
        return fill(wrapper, output=(output, origin))


def prompt_names() -> list[str]:
    """Names of the prompts that ship with tir-agent."""
    return sorted(path.stem for path in prompts_dir().glob("*.yaml"))


def load_prompt(name_or_path: str) -> Prompt:
    """Read a prompt by its name, or from a YAML file (anything with a slash or a YAML suffix).

    Raises:
        PromptError: there is no such prompt, or the file is not a valid one; says where.
    """
    path = Path(name_or_path)
    if "/" not in name_or_path and path.suffix not in {".yaml", ".yml"}:
        path = prompts_dir() / f"{name_or_path}.yaml"
        if not path.is_file():
            known = ", ".join(prompt_names())
            raise PromptError(f"There is no prompt named {name_or_path!r}", hint=f"Known ones: {known}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PromptError(f"Cannot read the prompt file {path}: {error.strerror}") from None
    return _parse(data, path)


def _parse(data: bytes, path: Path) -> Prompt:
    try:
        content = yaml.safe_load(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PromptError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise PromptError(f"{where}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise PromptError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise PromptError(f"{path} must be a YAML mapping", hint="See prompts/README.md for the format")
    if reserved := sorted({"name", "sha256"} & content.keys()):
        raise PromptError(f"{path}: {reserved[0]} is made from the file and may not be given")
    try:
        return Prompt.model_validate(
            {**content, "name": path.stem, "sha256": hashlib.sha256(data).hexdigest()}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        message = first["msg"].removeprefix("Value error, ")
        hint = "See prompts/README.md for the format"
        raise PromptError(f"{path}: {field}: {message}", hint=hint) from None
