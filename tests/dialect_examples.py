"""Examples made by hand, of every form that a conversation can have."""

from __future__ import annotations

from typing import Final

from tir_agent.grades import Verdict
from tir_agent.messages import Message, Origin, Role, Tool, ToolCall
from tir_agent.preferences import Candidate, Conversation, Example, Labelled, Pair, Reply, Solution
from tir_agent.settings import ExportKind
from tir_agent.trajectory import Problem, StopReason

__all__ = [
    "PROBLEM",
    "PYTHON",
    "called",
    "candidate",
    "fenced",
    "made",
    "one_reply",
    "one_text",
    "prefilled",
    "short",
]

PROBLEM: Final = Problem(id="p-1", text="What is 6 times 7?", gold="42")
PYTHON: Final = Tool(
    name="python",
    description="Run Python.",
    parameters={
        "type": "object",
        "properties": {"code": {"type": "string", "description": "The program."}},
        "required": ["code"],
        "additionalProperties": False,
    },
)


def fenced(result: str = "42", *, system: str | None = "Use Python. 请用中文回答。") -> Conversation:
    """Code in a fence, its output in a user's message, an answer; behind an exemplar of two messages."""
    opening = (
        *((Message.of(Role.SYSTEM, (system, Origin.PROMPT)),) if system else ()),
        Message.of(Role.USER, ("What is 1 + 1?", Origin.PROMPT)),
        Message.of(Role.ASSISTANT, ("\\boxed{2}", Origin.PROMPT)),
        Message.of(Role.USER, ("Solve: ", Origin.PROMPT), (PROBLEM.text, Origin.PROBLEM)),
    )
    code = f"```python\nprint({result!r})\n```"
    answer = f"答案是 \\boxed{{{result}}}。 🙂"
    at = len(opening)
    return Conversation(
        messages=(
            *opening,
            Message.of(Role.ASSISTANT, (code, Origin.MODEL)),
            Message.of(
                Role.USER,
                ("```output\n", Origin.PROMPT),
                (result, Origin.INTERPRETER),
                ("\n```", Origin.PROMPT),
            ),
            Message.of(Role.ASSISTANT, (answer, Origin.MODEL)),
        ),
        opening=at,
        replies=(
            Reply(message=at, start=0, end=len(code), ended=True, token_ids=(5, 6, 7)),
            Reply(message=at + 2, start=0, end=len(answer), ended=False),
        ),
    )


def called(
    result: str = "42", *, text: str = "", arguments: str | None = None, call: str = "call-1"
) -> Conversation:
    """Code in a call of a tool; the spaces in its arguments are the model's own."""
    arguments = arguments or f'{{ "code":"print({result})\\n# 试一试" }}'
    answer = f"\\boxed{{{result}}}"
    return Conversation(
        messages=(
            Message.of(Role.USER, (PROBLEM.text, Origin.PROBLEM)),
            Message.of(
                Role.ASSISTANT,
                (text, Origin.MODEL),
                tool_calls=(ToolCall(id=call, name="python", arguments=arguments),),
            ),
            Message.of(Role.TOOL, (result, Origin.INTERPRETER), call_id=call),
            Message.of(Role.ASSISTANT, (answer, Origin.MODEL)),
        ),
        opening=1,
        replies=(
            Reply(message=1, start=0, end=len(text), ended=True),
            Reply(message=3, start=0, end=len(answer), ended=True),
        ),
        tools=(PYTHON,),
    )


def prefilled(result: str = "42") -> Conversation:
    """One message: begun by the prompt, with outputs inside, and a second reply behind them."""
    begun, first, output, last = (
        "Let me see. ",
        "<code>6*7</code>",
        f"<output>{result}</output>",
        "\\boxed{42}",
    )
    at = len(begun)
    end = at + len(first) + len(output)
    return Conversation(
        messages=(
            Message.of(Role.USER, (PROBLEM.text, Origin.PROBLEM)),
            Message.of(
                Role.ASSISTANT,
                (begun, Origin.PROMPT),
                (first, Origin.MODEL),
                (output, Origin.INTERPRETER),
                (last, Origin.MODEL),
            ),
        ),
        opening=1,
        replies=(
            Reply(message=1, start=at, end=at + len(first), ended=True),
            Reply(message=1, start=end, end=end + len(last), ended=True),
        ),
    )


def one_text(result: str = "42") -> Conversation:
    """A text without a chat template."""
    begun, code, output, answer = (
        f"Question: {PROBLEM.text}\n",
        "```python\n6*7\n```",
        f"\n{result}\n",
        "四十二",
    )
    given, behind = len(begun), len(begun) + len(code) + len(output)
    return Conversation(
        messages=(
            Message.of(
                Role.RAW,
                ("Question: ", Origin.PROMPT),
                (PROBLEM.text, Origin.PROBLEM),
                ("\n", Origin.PROMPT),
                (code, Origin.MODEL),
                (output, Origin.INTERPRETER),
                (answer, Origin.MODEL),
            ),
        ),
        opening=0,
        replies=(
            Reply(message=0, start=given, end=given + len(code), ended=True, token_ids=(1, 2)),
            Reply(message=0, start=behind, end=behind + len(answer), ended=True),
        ),
    )


def short(result: str = "42") -> Conversation:
    """The shortest conversation with an output."""
    code, answer = f"```python\nprint({result})\n```", f"\\boxed{{{result}}}"
    return Conversation(
        messages=(
            Message.of(Role.USER, (PROBLEM.text, Origin.PROBLEM)),
            Message.of(Role.ASSISTANT, (code, Origin.MODEL)),
            Message.of(
                Role.USER,
                ("```output\n", Origin.PROMPT),
                (result, Origin.INTERPRETER),
                ("\n```", Origin.PROMPT),
            ),
            Message.of(Role.ASSISTANT, (answer, Origin.MODEL)),
        ),
        opening=1,
        replies=(
            Reply(message=1, start=0, end=len(code), ended=True),
            Reply(message=3, start=0, end=len(answer), ended=True),
        ),
    )


def one_reply(text: str) -> Conversation:
    """A turn behind three messages, as a step has it."""
    whole = fenced(system=None)
    return Conversation(
        messages=(*whole.given, Message.of(Role.ASSISTANT, (text, Origin.MODEL))),
        opening=whole.opening,
        replies=(Reply(message=whole.opening, start=0, end=len(text), ended=True),),
    )


def candidate(conversation: Conversation, *, right: bool = True, reward: float | None = 0.5) -> Candidate:
    """A trajectory with this conversation."""
    return Candidate(
        trajectory="t-right" if right else "t-wrong",
        problem=PROBLEM.id,
        arm="base",
        index=0,
        verdict=Verdict.CORRECT if right else Verdict.WRONG,
        stop=StopReason.ANSWERED,
        answer="42" if right else "41",
        conversation=conversation,
        turns=2,
        cells=1,
        errors=0,
        tokens=120,
        model_tokens=30,
        reward=reward,
        exact="0" * 16,
        code="1" * 16,
    )


def made(kind: ExportKind, good: Conversation, bad: Conversation, name: str = "example") -> Example:
    """An example of the kind; `bad` is used where a side is wrong."""
    match kind:
        case ExportKind.SFT:
            return Solution(id=name, problem=PROBLEM, side=candidate(good))
        case ExportKind.KTO:
            return Labelled(id=name, problem=PROBLEM, side=candidate(bad, right=False), label=False)
        case ExportKind.DPO | ExportKind.STEPS:
            return Pair(
                kind="dpo" if kind is ExportKind.DPO else "steps",
                id=name,
                problem=PROBLEM,
                chosen=candidate(good),
                rejected=candidate(bad, right=False, reward=None),
                prefix_turns=1,
            )
