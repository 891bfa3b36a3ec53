"""A prompt file's content, and the conversations that it opens."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tir_agent.messages import Message, Origin, Role
from tir_agent.prompts.feedback import Feedback
from tir_agent.prompts.template import Section, fill, wants
from tir_agent.settings import (
    ConversationForm,
    Fences,
    NoTool,
    ObservationPolicy,
    ProtocolChoice,
    ToolCalls,
)
from tir_agent.trajectory import Problem, PromptIdentity

__all__ = ["Exemplar", "ExemplarTurn", "Prompt"]

MAX_STOP_STRINGS = 4
"""More than this the OpenAI API refuses."""

Pieces = list[tuple[str, Origin]]


class ExemplarTurn(Section):
    """One reply of an exemplar and, unless it is the last, what the interpreter answered."""

    reply: str
    output: str | None = None


class Exemplar(Section):
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


class Prompt(Section):
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
    user: Annotated[str, wants("problem", needed="problem")] = "{problem}"
    """Around the problem: {problem}."""
    exemplars: tuple[Exemplar, ...] = ()
    exemplar_end: str = "\n\n"
    """Behind each exemplar, where the conversation is one raw text."""
    observation: ObservationPolicy = ObservationPolicy()
    feedback: Feedback = Feedback()

    @field_validator("stop")
    @classmethod
    def _stops_are_strings(cls, stop: tuple[str, ...]) -> tuple[str, ...]:
        if not all(stop):
            raise ValueError("must not hold an empty string")
        return stop

    @field_validator("conversation")
    @classmethod
    def _tools_need_messages(cls, form: ConversationForm, info: ValidationInfo) -> ConversationForm:
        if isinstance(info.data.get("protocol"), ToolCalls) and form is not ConversationForm.MESSAGES:
            raise ValueError("must be messages where the protocol is tools: a tool's result is one")
        return form

    @property
    def identity(self) -> PromptIdentity:
        return PromptIdentity(name=self.name, sha256=self.sha256)

    @property
    def uses_tool(self) -> bool:
        return not isinstance(self.protocol, NoTool)

    def opening(self, problem: Problem) -> list[Message]:
        """The conversation up to the model's first reply."""
        question = fill(self.user, problem=(problem.text, Origin.PROBLEM))
        if self.conversation is ConversationForm.COMPLETION:
            return [Message.of(Role.RAW, *self._raw_exemplars(), *question)]
        messages: list[Message] = []
        if self.system:
            messages.append(Message.of(Role.SYSTEM, (self.system, Origin.PROMPT)))
        for exemplar in self.exemplars:
            messages += self._exemplar(exemplar)
        return [*messages, Message.of(Role.USER, *question)]

    def _raw_exemplars(self) -> Pieces:
        pieces = [(self.system or "", Origin.PROMPT)]
        for exemplar in self.exemplars:
            pieces += self._question(exemplar)
            pieces += self._run_together(exemplar)
            pieces.append((self.exemplar_end, Origin.PROMPT))
        return pieces

    def _exemplar(self, exemplar: Exemplar) -> list[Message]:
        messages = [Message.of(Role.USER, *self._question(exemplar))]
        if self.conversation is ConversationForm.PREFILL:
            return [*messages, Message.of(Role.ASSISTANT, *self._run_together(exemplar))]
        for turn in exemplar.turns:
            messages.append(Message.of(Role.ASSISTANT, (turn.reply, Origin.PROMPT)))
            if turn.output is not None:
                messages.append(Message.of(Role.USER, *self._exemplar_output(turn.output)))
        return messages

    def _question(self, exemplar: Exemplar) -> Pieces:
        # All of an exemplar is the prompt's own, whoever it stands for.
        return fill(self.user, problem=(exemplar.problem, Origin.PROMPT))

    def _run_together(self, exemplar: Exemplar) -> Pieces:
        """Replies and outputs as the model continues them: one text."""
        pieces: Pieces = []
        for turn in exemplar.turns:
            pieces.append((turn.reply, Origin.PROMPT))
            if turn.output is not None:
                pieces += self._exemplar_output(turn.output)
        return pieces

    def _exemplar_output(self, output: str) -> Pieces:
        return self.observed(output, failed=False, origin=Origin.PROMPT)

    def observed(self, output: str, *, failed: bool, origin: Origin = Origin.INTERPRETER) -> Pieces:
        """An output in its wrapper."""
        wrapper = self.feedback.error if failed and self.feedback.error else self.feedback.observation
        return fill(wrapper, output=(output, origin))
