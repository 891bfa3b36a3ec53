"""Every exception that tir-agent raises on purpose.

    TirError                     has a message and, where something can be done, a hint
    ├── UsageError               the user asked for something that cannot be
    │   ├── ProblemError         a problem is empty, too long or not text
    │   ├── PromptError          a prompt file is missing or invalid
    │   ├── PriceError           a price file is missing or invalid
    │   ├── TrajectoryError      a trajectory file is missing or invalid
    │   ├── DataError            a data set is missing, or cannot be read as problems
    │   │   └── MaskError            a conversation cannot be encoded so that its loss mask is certain
    │   ├── ConfigError          a configuration file is missing or invalid
    │   └── RunError             a run's folder is missing, in use, or of another configuration
    ├── MachineryError           something around the model failed: never shown to the model as output
    │   ├── ModelError           the model server failed
    │   │   ├── ModelUnavailable     it cannot be reached, or stopped answering
    │   │   ├── ModelRejected        it refused the request: wrong key, unknown model, bad field
    │   │   └── ContextOverflow      the conversation no longer fits its context window
    │   └── SandboxError         the sandbox failed
    │       ├── SandboxUnavailable   it cannot be started on this machine
    │       ├── BaseImageUnavailable the sandbox's base image cannot be had
    │       ├── SandboxLost          it was running and went away
    │       └── BranchRefused        a session's state cannot be taken over by another
    └── StorageError             a trajectory could not be written

What a model's own code does (an exception, a time-out, a killed kernel) is not here: it is an
`Execution` with a status, because it is data.
"""

from enum import StrEnum

__all__ = [
    "BaseImageUnavailable",
    "BranchRefused",
    "ConfigError",
    "ContextOverflow",
    "DataError",
    "MachineryError",
    "MaskError",
    "MaskRefusal",
    "ModelError",
    "ModelRejected",
    "ModelUnavailable",
    "PriceError",
    "ProblemError",
    "PromptError",
    "RunError",
    "SandboxError",
    "SandboxLost",
    "SandboxUnavailable",
    "StorageError",
    "TirError",
    "TrajectoryError",
    "UsageError",
]


class TirError(Exception):
    """Base of all: `message` is one sentence without a full stop, `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TirError):
    """The user asked for something that cannot be done as asked."""


class ProblemError(UsageError):
    """A problem is empty, too long, or not text."""


class PromptError(UsageError):
    """A prompt file is missing, or says something that it may not say."""


class PriceError(UsageError):
    """A file of models' prices is missing, or is not one."""


class TrajectoryError(UsageError):
    """A trajectory file is missing, or is not a trajectory of a version that is known here."""


class DataError(UsageError):
    """A data set is missing, or cannot be read as problems."""


class MaskRefusal(StrEnum):
    """Why a conversation has no certain loss mask."""

    NO_TEMPLATE = "no template"
    """There is no chat template, or it failed on these messages."""
    REWRITTEN = "rewritten"
    """The template does not write a message as it is, or writes it anew when others follow."""
    LEFT_OUT = "left out"
    """The template leaves out a message, or writes what the model wrote more than once."""
    CALLS_LEFT_OUT = "calls left out"
    """The template leaves out a tool call, or a part of one."""
    ARGUMENTS = "arguments"
    """A tool call's arguments are not a JSON object."""
    FORGED = "forged"
    """Text that no model wrote would be read as special tokens of the template."""
    TOKENIZER = "tokenizer"
    """The tokenizer cannot write a text so that it can be read back."""


class MaskError(DataError):
    """A conversation cannot be encoded so that it is certain which tokens the model wrote."""

    def __init__(self, message: str, *, refusal: MaskRefusal, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.refusal = refusal


class ConfigError(UsageError):
    """A configuration file is missing, or says something that it may not say."""


class RunError(UsageError):
    """A run's folder is missing, in use by another process, or was made with another configuration."""


class MachineryError(TirError):
    """Something around the model failed; recorded as such, and never as the model's failure."""


class ModelError(MachineryError):
    """The model server failed."""


class ModelUnavailable(ModelError):
    """The model server cannot be reached, or stopped answering, and retrying did not help."""


class ModelRejected(ModelError):
    """The model server refused the request and would refuse it again."""


class ContextOverflow(ModelError):
    """The conversation no longer fits the model's context window."""


class SandboxError(MachineryError):
    """The sandbox failed."""


class SandboxUnavailable(SandboxError):
    """The sandbox cannot be started on this machine."""


class BaseImageUnavailable(SandboxUnavailable):
    """The image that the sandbox is built on cannot be had."""


class SandboxLost(SandboxError):
    """The sandbox was running and went away."""


class BranchRefused(SandboxError):
    """A session can neither be forked nor be repeated cell by cell."""


class StorageError(TirError):
    """A trajectory could not be written."""
