"""Logs of messages: OpenAI's (`messages`), and ShareGPT's (`conversations`).

The conversation is kept message by message. What the log does not say is who wrote what, so it is taken as
follows: `assistant` is the model; `tool` and its like are the interpreter; of the user the message that
holds the problem is the problem, and one behind a reply with code is an output, inside the fence, tag or
word that is laid around it. All others are the prompt's. An output block inside an assistant's own text,
right behind code, is the interpreter's where the log has no messages with outputs; else the model made it
up.
"""

from __future__ import annotations

from typing import Final

from tir_agent.imports.coding import called_code, code_in, parts_of, unwrapped
from tir_agent.imports.names import ANSWERS, BARE_ANSWER, GOLDS, IDS, MODELS, PROBLEMS, Speaker, named
from tir_agent.imports.recording import Recording, Refusal, content_digest, problem_of
from tir_agent.imports.saying import Saying, sayings_of
from tir_agent.imports.script import Pieces, Script, cell_of
from tir_agent.imports.verdicts import verdict_in
from tir_agent.messages import Message, Origin, Role
from tir_agent.problems.rows import Fields
from tir_agent.problems.values import text_of
from tir_agent.trajectory import Cell, Feedback, StopReason

__all__ = ["SYSTEM", "read_messages"]

SYSTEM: Final = "message log"


def read_messages(fields: Fields, where: str) -> Recording:
    """A row of such a log.

    Raises:
        Refusal: it has no problem, no reply, or a message that is none.
        ProblemError: its problem is no text.
    """
    said = sayings_of(fields)
    asked, own = _problem_in(fields, said)
    gold, answer = _answers_in(fields)
    problem = problem_of(own, gold, where)
    talk = _Talk(said, asked, problem.text)
    talk.tell()
    if not talk.script.turns:
        raise Refusal("it has no reply")
    last = talk.script.turns[-1]
    if answer is None:
        answer = last.answer
    elif answer != last.answer:
        talk.notes.append("The answer is what the log says: the last reply's box does not hold it")
    label, words, strange = verdict_in(fields)
    notes = [*talk.notes, *([strange] if strange else [])]
    stop = StopReason.TURN_LIMIT if last.cells else StopReason.NO_ACTION
    model, identity = named(fields, MODELS), named(fields, IDS)
    return Recording(
        system=SYSTEM,
        model=text_of(model[1]) if model else None,
        problem=problem,
        own_id=text_of(identity[1]) if identity else None,
        digest=content_digest(fields, SYSTEM),
        messages=tuple(talk.script.messages),
        turns=tuple(talk.script.turns),
        stop=StopReason.ANSWERED if answer is not None else stop,
        answer=answer,
        label=label,
        said=words,
        notes=tuple(dict.fromkeys(notes)),
    )


def _problem_in(fields: Fields, said: tuple[Saying, ...]) -> tuple[int, str]:
    """Which message asks, and the problem: of exemplars and the problem, the one that holds the problem."""
    users = [number for number, one in enumerate(said) if one.speaker is Speaker.USER]
    found = named(fields, PROBLEMS)
    if found is not None and isinstance(found[1], str) and (own := found[1].strip()):
        for number in users:
            if own in said[number].text:
                return number, own
        raise Refusal("its problem is in none of its user's messages")
    if not users or not said[users[0]].text.strip():
        raise Refusal("it has no problem", "no user's message, and no field named problem or question")
    return users[0], said[users[0]].text.strip()


def _answers_in(fields: Fields) -> tuple[object, str | None]:
    """The gold answer, and the model's."""
    gold, answer = named(fields, GOLDS), named(fields, ANSWERS)
    bare = named(fields, (BARE_ANSWER,))
    if gold is None:
        return bare[1] if bare else None, text_of(answer[1]) if answer else None
    answer = answer or bare
    return gold[1], text_of(answer[1]) if answer else None


class _Talk:
    """A log, told as a conversation."""

    def __init__(self, said: tuple[Saying, ...], asked: int, problem: str) -> None:
        self.script = Script()
        self.notes: list[str] = []
        self._said = said
        self._asked = asked
        self._problem = problem
        self._outputs = any(self._is_output(number) for number in range(asked + 1, len(said)))

    def tell(self) -> None:
        """Put it together."""
        for number, one in enumerate(self._said):
            if number < self._asked:
                self._opening(one)
            elif number == self._asked:
                before, _, after = one.text.partition(self._problem)
                self.script.tell(
                    ((before, Origin.PROMPT), (self._problem, Origin.PROBLEM), (after, Origin.PROMPT))
                )
            elif one.speaker is Speaker.ASSISTANT:
                self._reply(number, one)
            elif self._is_output(number):
                self._output(one)
            else:
                role = Role.SYSTEM if one.speaker is Speaker.SYSTEM else Role.USER
                self.script.add(Message.of(role, (one.text, Origin.PROMPT)))

    def _is_output(self, number: int) -> bool:
        """Whether a message shows what came of code: by its role, or as the user's behind code."""
        one, before = self._said[number], self._said[number - 1]
        if one.speaker is Speaker.OUTPUT:
            return True
        coded = before.speaker is Speaker.ASSISTANT and bool(code_in(before.text))
        return one.speaker is Speaker.USER and coded

    def _opening(self, one: Saying) -> None:
        """Before the problem: instructions and exemplars."""
        roles = {Speaker.SYSTEM: Role.SYSTEM, Speaker.ASSISTANT: Role.ASSISTANT, Speaker.OUTPUT: Role.TOOL}
        role = roles.get(one.speaker, Role.USER)
        if role is Role.TOOL and one.call_id is None:
            role = Role.USER
        self.script.add(
            Message.of(role, (one.text, Origin.PROMPT), tool_calls=one.calls, call_id=one.call_id)
        )

    def _output(self, one: Saying) -> None:
        if one.call_id is not None:
            # Its role says what it is, and so there is nothing laid around it.
            self.script.add(Message.of(Role.TOOL, (one.text, Origin.INTERPRETER), call_id=one.call_id))
        else:
            self.script.tell(_laid_out(unwrapped(one.text)))

    def _reply(self, number: int, one: Saying) -> None:
        outputs = self._outputs_behind(number)
        if one.calls:
            by_call = {each.call_id: each.text for each in outputs}
            cells = [cell_of(called_code(call), 0, by_call.get(call.id), call.id) for call in one.calls]
            feedback = [Feedback.OBSERVATION] if outputs else []
            self._noted(cells)
            self.script.reply(one.text, cells, feedback=feedback, calls=one.calls, reasoning=one.reasoning)
            return
        if outputs:
            shown = "\n".join(unwrapped(each.text)[1] for each in outputs)
            cells = self._cells(one.text, shown)
            self.script.reply(one.text, cells, feedback=[Feedback.OBSERVATION], reasoning=one.reasoning)
        elif self._outputs:
            self.script.reply(one.text, self._cells(one.text, None), reasoning=one.reasoning)
        else:
            self._inline(one)

    def _inline(self, one: Saying) -> None:
        """A reply that may hold the outputs of its own code: several turns in one message."""
        pieces: list[tuple[str, Origin]] = []
        for part in parts_of(one.text):
            output = part.output[1] if part.output else None
            cells = self._cells(part.text, output)
            feedback = [Feedback.OBSERVATION] if part.output else []
            before = "".join(text for text, _ in pieces)
            reasoning = None if pieces else one.reasoning
            self.script.turn(part.text, cells, feedback=feedback, reasoning=reasoning, before=before)
            pieces.append((part.text, Origin.MODEL))
            if part.output:
                pieces += _laid_out(part.output)
                self.notes.append(
                    "Outputs stand in the model's own text, and were taken as the interpreter's"
                )
        self.script.add(Message.of(Role.ASSISTANT, *pieces))

    def _outputs_behind(self, number: int) -> list[Saying]:
        behind: list[Saying] = []
        for later in range(number + 1, len(self._said)):
            if not self._is_output(later) or (behind and self._said[later].speaker is Speaker.USER):
                break
            behind.append(self._said[later])
        return behind

    def _cells(self, text: str, output: str | None) -> list[Cell]:
        """The reply's code; an output is that of the last piece, since it does not say whose."""
        blocks = code_in(text)
        if len(blocks) > 1 and output is not None:
            self.notes.append("The output of several pieces of code in one reply stands at the last of them")
        last = len(blocks) - 1
        cells = [
            cell_of(block.code, block.start, output if number == last or output is None else "")
            for number, block in enumerate(blocks)
        ]
        self._noted(cells)
        return cells

    def _noted(self, cells: list[Cell]) -> None:
        if any(cell.execution.error and cell.execution.error.name == "NotRecorded" for cell in cells):
            self.notes.append(f"Of code in reply {len(self.script.turns) + 1} no output is recorded")


def _laid_out(parts: tuple[str, str, str]) -> Pieces:
    before, output, after = parts
    return (before, Origin.PROMPT), (output, Origin.INTERPRETER), (after, Origin.PROMPT)
