"""What a run can be told: sampling, budget, limits of the kernel. Plain data with its defaults."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field

from tir_agent.settings.base import Settings

__all__ = [
    "Budget",
    "ConversationForm",
    "Isolation",
    "KernelChoice",
    "LengthUnit",
    "Limits",
    "ObservationPolicy",
    "RateLimits",
    "RunSettings",
    "Sampling",
    "Stages",
    "WarningPolicy",
]


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
    top_k: int | None = Field(default=None, ge=-1)
    """Draw among so many likeliest tokens alone; -1: among all. Null: whatever the server's default is."""
    min_p: float | None = Field(default=None, ge=0.0, le=1.0)
    """Leave out tokens less likely than this part of the likeliest one. Null: the server's default."""


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


class RateLimits(Settings):
    """What all requests to one model server may ask of it together."""

    requests_per_minute: int | None = Field(default=None, ge=1)
    """Null: no limit. A tenth of them may go at once."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Tokens read and written. Null: no limit. A tenth of them may go at once."""
    concurrent: int = Field(default=64, ge=1)
    """Requests under way at the same time, at most."""
    adaptive: bool = True
    """Begin with 20 at a time; more while the server keeps up, half as many when it says that it is busy."""


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


class LengthUnit(StrEnum):
    """In what the head and the tail of a long output are measured."""

    CHARACTERS = "characters"
    TOKENS = "tokens"
    """Estimated, so that no tokenizer is needed; `observation.tokens` says how well."""


class WarningPolicy(StrEnum):
    """What becomes of Python's warnings."""

    KEEP = "keep"
    DROP = "drop"


class ObservationPolicy(Settings):
    """How much of an execution the model gets to see. `docs/observations.md` has an example of each field."""

    unit: LengthUnit = LengthUnit.CHARACTERS
    """In what `head` and `tail` are measured."""
    head: int = Field(default=2000, ge=0)
    """Kept from the start of a long output."""
    tail: int = Field(default=1000, ge=0)
    """Kept from its end."""
    omitted: str = "\n... [{amount} omitted] ...\n"
    """Between the two. {amount} is "95 characters, 3 lines", {count} and {lines} are its numbers."""
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
    echo: bool = True
    """Show the value of a cell's last expression, as a notebook does."""
    warnings: WarningPolicy = WarningPolicy.KEEP
    """Whether Python's warnings are shown."""
    images: str = "[figure {number}: {width} x {height} pixels]"
    """Stands for a picture, in place of its plain text. Empty: the plain text stays."""
    float_digits: int | None = Field(default=None, ge=1)
    """Significant digits that printed floats are rounded to; digits before the point always stay."""
    container_items: int | None = Field(default=None, ge=2)
    """Elements shown of a printed list, tuple, set or dict, half from its start, half from its end."""
    collapse: bool = True
    """Show lines, and blocks of up to 8 lines, that come more than 3 times in a row only once."""
    hints: bool = False
    """Add a sentence of advice, in English, to errors that users of SymPy meet often."""


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
    tokens: bool = False
    """Token ids and logprobs are asked for; they are recorded where the server gives them."""
    kernel: KernelChoice = KernelChoice.AUTO
    isolation: Isolation = Isolation.SESSION
    runtime: str | None = None
    """OCI runtime that Docker starts containers with; null for its own choice."""
    sampling: Sampling = Sampling()
    budget: Budget = Budget()
    limits: Limits = Limits()
    stages: Stages = Stages()

    def seeded(self, seed: int) -> Self:
        """These settings with another seed for the sampling."""
        return self.model_copy(update={"sampling": self.sampling.model_copy(update={"seed": seed})})
