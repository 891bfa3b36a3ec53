r"""Recordings in the common layout of MathCoder's, MINT's and ToRA's trajectories.

One object a line: `{id, source, model, set, problem, gold, label, turns: [{text, code, output}], final}`,
and `pred` where the system's own reading of the answer is kept. Words, code and output stand apart there,
and the marks that the model wrote around its code are gone; they are put in again: MINT's own (`<execute>`),
Markdown fences for the others. Every output becomes a message of the user's.

Four things in these files are not what they seem. The `final` of MathCoder ends with the answer as that
system read it, glued to the model's last word: it is cut off. Where MathCoder's turns were used up, `final`
is the last output once more, which no model wrote. MINT's outputs end with what its environment
said of the steps that are left, which no interpreter wrote. And where MINT's last code has no output, its
`final` is the whole of that same reply.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tir_agent.answers import extract_answer
from tir_agent.imports.glued import glued_answer
from tir_agent.imports.recording import Recording, Refusal, content_digest, problem_of
from tir_agent.imports.script import Pieces, Script, cell_of, fenced, observed
from tir_agent.messages import Message, Origin, Role
from tir_agent.problems.rows import Fields
from tir_agent.problems.values import text_of
from tir_agent.trajectory import Feedback, StopReason

__all__ = ["MATHCODER", "MINT", "SYSTEMS", "TORA", "read_replay"]

MATHCODER: Final = "MathCoder"
MINT: Final = "MINT"
TORA: Final = "ToRA"
SYSTEMS: Final = (MATHCODER, MINT, TORA)

_OPEN: Final = "<execute>\n"
_CLOSE: Final = "</execute>"
_SOLUTION: Final = re.compile(r"<solution>((?:(?!</?solution>).)*+)</solution>", re.DOTALL)
_TOLD: Final = re.compile(
    r"(?:^|\n)(?=You|Your)(?:Your answer is wrong\.)?"
    r"(?:\n?You have \d+ steps? left and \d+ chances? to propose solution left\."
    r"(?:\nYou should take the last step to propose a solution\.)?)?\Z"
)
_LAST_STEP: Final = "You should take the last step"
_STEPS: Final = "You have"
_TURN_LIMIT: Final = 15
"""Outputs after which MathCoder's runs end without an answer, the reply that is cut off then not counted."""


def read_replay(fields: Fields, where: str, system: str) -> Recording:
    """A row of `system`'s.

    Raises:
        Refusal: a part of it is missing or of another kind.
        ProblemError: its problem is no text.
    """
    problem = problem_of(fields.get("problem"), fields.get("gold"), where)
    steps = _steps(fields.get("turns"))
    final = fields.get("final")
    if final is not None and not isinstance(final, str):
        raise Refusal("its final is no text")
    if not steps and not (final or "").strip():
        raise Refusal("it has no reply")
    label = fields.get("label")
    if label is not None and not isinstance(label, bool):
        raise Refusal("its label is neither true, false nor null")
    tale = _Tale(system, problem.text)
    answer = tale.tell(steps, final or "", text_of(fields.get("pred")))
    return Recording(
        system=system,
        model=text_of(fields.get("model")),
        problem=problem,
        own_id=text_of(fields.get("id")),
        digest=content_digest(fields, system),
        messages=tuple(tale.script.messages),
        turns=tuple(tale.script.turns),
        stop=tale.stop(answer),
        answer=answer,
        label=label,
        said=f"its label is {str(label).lower()}",
        notes=tuple(tale.notes),
    )


class _Step:
    """Words, code, and what came of it."""

    def __init__(self, text: str, code: str, output: str | None) -> None:
        self.text = text
        self.code = code
        self.output = output


def _steps(turns: object) -> list[_Step]:
    if not isinstance(turns, list):
        raise Refusal("it has no list of turns")
    steps: list[_Step] = []
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, Mapping):
            raise Refusal("a turn is no object", f"turn {number}")
        text, code, output = turn.get("text"), turn.get("code"), turn.get("output")
        if not isinstance(code, str):
            raise Refusal("a turn has no code", f"turn {number}")
        if not isinstance(text, str | None) or not isinstance(output, str | None):
            raise Refusal("a turn's text or output is no text", f"turn {number}")
        steps.append(_Step(text or "", code, output))
    return steps


class _Tale:
    """A row, told as a conversation."""

    def __init__(self, system: str, problem: str) -> None:
        self.script = Script()
        self.script.add(Message.of(Role.USER, (problem, Origin.PROBLEM)))
        self.notes: list[str] = []
        self._system = system

    def tell(self, steps: list[_Step], final: str, predicted: str | None) -> str | None:
        """Put it together; returns the answer, where there is one."""
        whole = bool(steps) and steps[-1].output is None and _holds(final, steps[-1])
        for step in steps[:-1] if whole else steps:
            self._step(step)
        if final.strip() and steps and final.strip() == (steps[-1].output or "").strip():
            # A loss on it would be one on the interpreter's words.
            final = ""
            self.notes.append("The recorded end is the last output once more: there is no last reply")
        if self._system == MATHCODER:
            texts = [step.text for step in steps]
            final, predicted = glued_answer(final, texts)
            if predicted is not None:
                self.notes.append(
                    f"The recorded end {predicted!r} was left out: MathCoder's reading, glued to its reply"
                )
        answer = self._answer_in(final)
        if whole:
            self._unrun(steps[-1], final, answer)
        elif final.strip():
            self.script.reply(final, answer=answer)
        if self._system in {MATHCODER, TORA} and answer is None and predicted is not None:
            answer = predicted
            self.notes.append(f"The answer is what {self._system} read: the last reply has no box")
        return answer

    def stop(self, answer: str | None) -> StopReason:
        """Why it ended, guessed."""
        if answer is not None:
            return StopReason.ANSWERED
        cells = sum(len(turn.cells) for turn in self.script.turns)
        limited = cells >= _TURN_LIMIT if self._system == MATHCODER else bool(self.script.turns[-1].cells)
        return StopReason.TURN_LIMIT if limited else StopReason.NO_ACTION

    def _answer_in(self, final: str) -> str | None:
        if self._system != MINT:
            return extract_answer(final)
        proposed = [found.strip() for found in _SOLUTION.findall(final) if found.strip()]
        return proposed[-1] if proposed else None

    def _step(self, step: _Step) -> None:
        if self._system == MINT:
            text, start = f"{step.text}{_OPEN}{step.code}{_CLOSE}", len(step.text) + len(_OPEN)
            output, told = _apart(step.output)
        else:
            text, start = fenced(step.text, step.code)
            output, told = step.output, ""
        feedback = [Feedback.OBSERVATION] if output is not None else []
        if _STEPS in told:
            feedback.append(Feedback.REMAINING)
        if _LAST_STEP in told:
            feedback.append(Feedback.LAST_TURN)
        if output is None:
            self.notes.append(f"Of the code in reply {len(self.script.turns) + 1} no output is recorded")
        self.script.reply(text, [cell_of(step.code, start, output)], feedback=feedback)
        self.script.tell(self._observation(output, told))

    def _observation(self, output: str | None, told: str) -> Pieces:
        if self._system != MINT:
            return observed(output or "")
        gap = "\n" if output and told else ""
        return (
            ("Observation:\n", Origin.PROMPT),
            (output or "", Origin.INTERPRETER),
            (f"{gap}{told}", Origin.PROMPT),
        )

    def _unrun(self, step: _Step, final: str, answer: str | None) -> None:
        start = final.find(step.code, len(step.text))
        self.notes.append("Of the last reply's code no output is recorded")
        self.script.reply(final, [cell_of(step.code, start, None)], answer=answer)


def _holds(final: str, step: _Step) -> bool:
    """Whether the end is the whole of the reply whose code was not run."""
    return final.startswith(step.text) and step.code in final[len(step.text) :]


def _apart(output: str | None) -> tuple[str | None, str]:
    """An output of MINT's, and what its environment said after it. Of a step that was taken up by a wrong
    answer there is no output."""
    if output is None:
        return None, ""
    told = _TOLD.search(output)
    if told is None:
        return output, ""
    said = told[0].strip("\n")
    before = output[: told.start()]
    return (before if before or not said.startswith("Your") else None), said
