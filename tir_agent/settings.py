"""What a run can be told: sampling, budget, limits of the kernel. Plain data with its defaults."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Budget",
    "ConversationForm",
    "Fences",
    "Isolation",
    "KernelChoice",
    "Limits",
    "Marks",
    "NoTool",
    "ObservationPolicy",
    "ProtocolChoice",
    "Rationale",
    "Rounds",
    "RunSettings",
    "Sampling",
    "Stages",
    "Subtasks",
    "Tags",
    "ToolCalls",
]


class Settings(BaseModel):
    """Base of all settings: immutable, and strict about fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KernelChoice(StrEnum):
    """Which sandbox runs the code."""

    AUTO = "auto"
    """Docker where it works, else bubblewrap."""
    DOCKER = "docker"
    BUBBLEWRAP = "bubblewrap"
    LOCAL = "local"
    """This machine, with no isolation at all."""


class Isolation(StrEnum):
    """What a session shares with others."""

    SESSION = "session"
    """A jail, in which it has a user id and a folder of its own."""
    CONTAINER = "container"
    """Nothing but the machine: it has a jail to itself."""


class Sampling(Settings):
    """How the model draws tokens."""

    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=1024, ge=1)
    """Tokens in one reply, at most."""
    seed: int | None = None


class Budget(Settings):
    """When a run must come to its end. The model is told, and gets one last turn to answer."""

    max_turns: int = Field(default=8, ge=1)
    """Replies of the model, the last one included."""
    max_model_tokens: int = Field(default=8192, ge=1)
    """Tokens that the model writes over the whole run."""
    max_total_tokens: int = Field(default=16384, ge=1)
    """Length of the conversation in tokens: prompt, replies and observations."""
    max_seconds: float = Field(default=600.0, gt=0)
    """Wall-clock of the whole run."""
    max_errors: int = Field(default=4, ge=1)
    """Turns in a row whose code failed."""
    max_repeats: int = Field(default=3, ge=2)
    """Times that identical code is run, or an identical reply without code is given."""
    max_loop_chars: int | None = Field(default=1000, ge=100)
    """Characters of a reply that may consist of one short piece again and again; null: any number."""
    reserve_tokens: int = Field(default=256, ge=0)
    """Tokens kept back for the last turn."""
    reserve_seconds: float = Field(default=10.0, ge=0)
    """Seconds kept back for the last turn (never more than a tenth of `max_seconds`)."""


class Limits(Settings):
    """What one session of the sandbox may use."""

    cell_seconds: float = Field(default=30.0, gt=0)
    """Wall-clock of one cell."""
    grace_seconds: float = Field(default=5.0, gt=0)
    """How long an interrupted cell has until its kernel is killed."""
    output_chars: int = Field(default=1_000_000, ge=1000)
    """Output of one cell that is kept: half from its head, half from its tail."""
    cell_bytes: int = Field(default=16 * 2**20, ge=1)
    """Source of one cell."""
    memory_bytes: int = Field(default=4 * 2**30, ge=2**28)
    """Address space of one process."""
    processes: int = Field(default=64, ge=1)
    """Processes and threads of one session, without those of its branches' kernels."""
    branches: int = Field(default=64, ge=0)
    """Branches of one session that are open at the same time, branches of branches included."""
    cpus: int = Field(default=2, ge=1)
    """Processors that one session's programs may use at a time."""
    open_files: int = Field(default=256, ge=64)
    file_bytes: int = Field(default=64 * 2**20, ge=0)
    """Size of one file that the code writes."""
    disk_bytes: int = Field(default=64 * 2**20, ge=2**20)
    """All files of one session together (in memory; `local` does not limit it)."""
    total_memory_bytes: int | None = Field(default=None, ge=2**29)
    """Of a container, all sessions and their files together; null: three quarters of the machine's."""


class Fences(Settings):
    """The protocol of Qwen2.5-Math, ToRA and DeepSeekMath: code and output in Markdown fences."""

    kind: Literal["fences"] = "fences"
    languages: tuple[str, ...] = Field(default=("python", "py", "python3"), min_length=1)
    """Info strings that mark a block as code to run; blocks with any other one are prose."""
    output: str = Field(default="output", min_length=1)
    """Info string of blocks that only the interpreter may write."""


class NoTool(Settings):
    """Reasoning in prose alone: nothing is executed."""

    kind: Literal["none"] = "none"


class Marks(Settings):
    """Two strings that a piece of text stands between."""

    open: str = Field(min_length=1)
    close: str = Field(min_length=1)


class Tags(Settings):
    """Code and output between marks: MARIO, AlphaMath, ReTool, MINT, MathCoder."""

    kind: Literal["tags"] = "tags"
    code: Marks = Marks(open="<code>", close="</code>")
    output: Marks = Marks(open="<output>", close="</output>")
    """Only the interpreter may write what begins with the opening one. Where it ends matters to readers of
    whole transcripts alone."""
    text: Marks | None = None
    """Around prose; taken off it."""
    answer: Marks | None = None
    """Around the final answer."""


class ToolCalls(Settings):
    """A function that the model is offered, and calls in its server's own form."""

    kind: Literal["tools"] = "tools"
    name: str = Field(default="python", pattern="^[A-Za-z0-9_-]{1,64}$")
    argument: str = Field(default="code", pattern="^[A-Za-z_][A-Za-z0-9_]*$")
    """The function's one argument."""
    description: str = (
        "Run Python in a live session: names stay defined between calls. Returns what was printed."
    )
    argument_description: str = "The program. Print what you want to see."


class Rationale(Settings):
    """ToRA's form: prose, then one program in a fence, by ToRA's own rule of lines."""

    kind: Literal["rationale"] = "rationale"
    language: str = Field(default="python", min_length=1)
    output: str = Field(default="output", min_length=1)


class Rounds(Settings):
    """Chain of Self-Correction: rounds of program, output, verification and conclusion."""

    kind: Literal["rounds"] = "rounds"
    fences: Fences = Fences()
    verification: tuple[str, ...] = Field(default=("Verification",), min_length=1)
    """Headings of the part that checks the output."""
    conclusion: tuple[str, ...] = Field(default=("Conclusion",), min_length=1)
    """Headings of the part that has the answer, or says that another round is needed."""


class Subtasks(Settings):
    """DotaMath's form: a decomposition, a program for each subtask, and a final summary."""

    kind: Literal["subtasks"] = "subtasks"
    fences: Fences = Fences()
    subtask: tuple[str, ...] = Field(default=("Subtask",), min_length=1)
    """Headings of a subtask; a number and a title may follow."""
    final: tuple[str, ...] = Field(default=("Final answer", "Summary"), min_length=1)
    """Headings of the part that has the answer."""


ProtocolChoice = Annotated[
    Fences | Tags | ToolCalls | Rationale | Rounds | Subtasks | NoTool, Field(discriminator="kind")
]


class ObservationPolicy(Settings):
    """How much of an execution the model gets to see."""

    head_chars: int = Field(default=2000, ge=0)
    """Characters kept from the start of a long output."""
    tail_chars: int = Field(default=1000, ge=0)
    """Characters kept from its end."""
    empty: str = "(no output; use print() to see a value)"
    """Shown for code that succeeded and wrote nothing."""
    timeout: str = "TimeoutError: the code was stopped after {seconds} seconds."
    """Shown last for code that ran past its time."""
    died: str = "The Python process ended while it ran this code."
    """Shown last for code that took its kernel with it."""
    not_run: str = "This code was not run, because the code before it failed."
    """Shown for the code blocks after one that failed, in the same reply."""
    state_lost: str = "Python was restarted and every variable is gone ({names}): define again what you need."
    """Added where the kernel had to be replaced."""
    own_frames_only: bool = True
    """Leave the frames of library code out of tracebacks."""


class ConversationForm(StrEnum):
    """How an output gets into the conversation, and how it is sent."""

    MESSAGES = "messages"
    """A chat: every output is a message of its own."""
    PREFILL = "prefill"
    """A chat: an output is appended to the assistant's message, which the model then continues."""
    COMPLETION = "completion"
    """One raw text that grows. No chat template is laid around it; the prompt file writes every mark."""


class Stages(Settings):
    """What is done beside the plain loop. All of it is off unless asked for."""

    verifications: int = Field(default=0, ge=0)
    """Times, at most, that the model is asked to check its answer with a program before it counts."""
    critiques: int = Field(default=0, ge=0)
    """Times that the model is asked, in a conversation apart, what is wrong with its answer."""
    restarts: int = Field(default=0, ge=0)
    """Fresh starts of a run that came to its end without having run code."""
    code_first: bool = False
    """An answer counts only after code has run without an error."""
    forced_answer: bool = False
    """A run that comes to its end without an answer is asked for the rest of "the answer is"."""


class RunSettings(Settings):
    """The resolved settings of one run, as they are kept in its trajectory. Holds no secret."""

    model: str
    base_url: str | None = None
    """Null for models that run in this process's care: the embedded and the scripted one."""
    kernel: KernelChoice = KernelChoice.AUTO
    isolation: Isolation = Isolation.SESSION
    runtime: str | None = None
    """OCI runtime that Docker starts containers with; null for its own choice."""
    sampling: Sampling = Sampling()
    budget: Budget = Budget()
    limits: Limits = Limits()
    stages: Stages = Stages()
