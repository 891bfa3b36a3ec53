"""What makes one OpenAI-compatible server differ from another, as typed fields.

`servers.py` fills them in for each server; the README names the source of each value. A variation of a
server is `dataclasses.replace(VLLM, thinking=Thinking.INLINE)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

__all__ = [
    "ContextShown",
    "ErrorForm",
    "Finish",
    "FinishNames",
    "HoldBack",
    "Overflow",
    "Prefill",
    "Profile",
    "Role",
    "StreamUsage",
    "Thinking",
    "ToolStream",
    "UnknownFields",
]


class Prefill(Enum):
    """What becomes of an assistant's message that stands last."""

    NEVER = auto()
    """A new answer is written after it (OpenAI)."""
    ON_REQUEST = auto()
    """It is continued with `continue_final_message` (vLLM, SGLang)."""
    ALWAYS = auto()
    """It is continued (llama.cpp, Ollama, TGI)."""


class Thinking(Enum):
    """Where the thinking of a reasoning model goes."""

    REASONING_CONTENT = "reasoning_content"
    REASONING = "reasoning"
    INLINE = "think"
    """Inside `<think>` at the beginning of the content."""
    HIDDEN = "hidden"
    """Nowhere; only `usage` counts it (OpenAI)."""


class ToolStream(Enum):
    """How tool calls are streamed."""

    WHOLE = auto()
    """All calls, complete, in one chunk (Ollama)."""
    FRAGMENTS = auto()
    """Id and name first, then the arguments piece by piece, parallel calls mixed by `index`."""
    NAME_IN_FIRST = auto()
    """Every chunk has the id and the type; the first one has the name too (TGI)."""


class StreamUsage(Enum):
    """When a stream tells the token counts."""

    ON_REQUEST = auto()
    """In a last chunk without choices, where `stream_options.include_usage` asks for it."""
    NULL_ELSEWHERE = auto()
    """The same, and where it is asked for every other chunk has `usage: null` (OpenAI)."""
    ALWAYS = auto()
    """In that last chunk, asked for or not."""
    WITH_FINISH = auto()
    """Always, in the chunk that has the finish reason, as older servers and some gateways do."""


class ContextShown(Enum):
    """Where the server tells its context window."""

    NOWHERE = auto()
    MODELS = auto()
    """`max_model_len` of the model in `/models` (vLLM, SGLang)."""
    PROPS = auto()
    """`/props`, outside `/v1` (llama.cpp)."""


class ErrorForm(Enum):
    """The body of a refusal."""

    OPENAI = auto()
    """`{"error": {message, type, param, code}}`, the code a word or null."""
    VLLM = auto()
    """The same with the HTTP status as the code and a class name as the type."""
    FLAT = auto()
    """`{"object": "error", message, type, param, code}` without an `error` around it (SGLang)."""
    LLAMACPP = auto()
    """`{"error": {code, message, type, ...}}`, the code the HTTP status, counts beside it."""
    TGI = auto()
    """`{"error": "sentence", "error_type": "word"}`."""


class Overflow(Enum):
    """What is said to a prompt that does not fit, and what counts."""

    VLLM = auto()
    SGLANG = auto()
    OPENAI = auto()
    LLAMACPP = auto()
    TGI = auto()
    TRUNCATED = auto()
    """Nothing: the oldest messages are left out of the prompt (Ollama)."""


class HoldBack(Enum):
    """How much of a streamed text is kept back because it may belong to a stop string."""

    NOTHING = auto()
    """Nothing, since the stop string stays in the text (TGI)."""
    FIXED = auto()
    """As many characters as the longest stop string has, less one: text runs behind its tokens (vLLM)."""
    OVERLAP = auto()
    """The end of the text that begins a stop string, if it does (llama.cpp)."""


class Role(Enum):
    """Where a stream tells that the assistant speaks."""

    OWN_CHUNK = auto()
    """In a first chunk with no text (OpenAI, vLLM, SGLang)."""
    FIRST_CHUNK = auto()
    """In the chunk with the first text (Ollama)."""
    EVERY_CHUNK = auto()
    """In each (TGI)."""


class UnknownFields(Enum):
    """What becomes of a field in the request that the server does not know."""

    IGNORED = auto()
    REFUSED = auto()
    """400 with `param` and `code: "unknown_parameter"` (OpenAI)."""
    DETAIL_LIST = auto()
    """422 with FastAPI's `detail` list and nothing else."""


class Finish(Enum):
    """Why a reply ended."""

    STOP = auto()
    """The model ended it."""
    STOP_STRING = auto()
    LENGTH = auto()
    TOOL_CALLS = auto()


@dataclass(frozen=True)
class FinishNames:
    """The words for it; a `finish_reason` of a chunk that is not the last is `going`."""

    stop: str = "stop"
    stop_string: str = "stop"
    length: str = "length"
    tool_calls: str = "tool_calls"
    going: str | None = None
    """Mostly null; some gateways send the empty string."""
    told: bool = True
    """False for servers that never say it: null to the end."""

    def name(self, finish: Finish) -> str | None:
        """What stands in `finish_reason` at the end."""
        if not self.told:
            return None
        match finish:
            case Finish.STOP:
                return self.stop
            case Finish.STOP_STRING:
                return self.stop_string
            case Finish.LENGTH:
                return self.length
            case Finish.TOOL_CALLS:
                return self.tool_calls


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One kind of server."""

    name: str
    owned_by: str
    """Of its models, in `/models`."""
    context: int = 8192
    """Tokens of prompt and reply together; the server can be started with another number."""
    context_shown: ContextShown = ContextShown.NOWHERE
    errors: ErrorForm = ErrorForm.OPENAI
    overflow: Overflow = Overflow.OPENAI
    checks_model: bool = True
    """A name that is not served is a 404; else any name will do."""

    completions: bool = True
    """Raw prompts are taken at `/completions`."""
    default_completion: int | None = 16
    """`max_tokens` of `/completions` where the request has none; None: until the context is full."""
    prefill: Prefill = Prefill.NEVER
    prefill_excludes_generation_prompt: bool = False
    """`continue_final_message` is refused unless `add_generation_prompt` is false."""
    prefill_echoed: bool = False
    """What was not streamed begins with the prefill; what is streamed never does."""
    prefill_excludes_thinking: bool = False
    """A last assistant's message is refused: the template thinks first (llama.cpp)."""

    limit_fields: tuple[str, ...] = ("max_completion_tokens", "max_tokens")
    """The fields that limit the reply, in order of precedence; others are ignored."""
    refused: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """Fields that are refused with 400 and their name in `param`, but for the values listed."""
    unknown: UnknownFields = UnknownFields.IGNORED
    several: bool = True
    """`n` is honoured; else one reply is written whatever it says."""
    usage_counts_all: bool = True
    """With `n`, the counts are of all replies; else of the first alone."""

    keep_stop_field: str | None = None
    """The request's field that leaves the stop string in the text."""
    stop_kept: bool = False
    """The stop string is always left in the text."""
    stop_field: str | None = None
    """The choice's field that names the stop string that was met."""
    stop_at_token_end: bool = False
    """A stop string is only seen where a token ends with it."""
    most_stops: int | None = None
    """More stop strings are refused."""
    hold_back: HoldBack = HoldBack.OVERLAP

    token_ids_field: str | None = None
    """The request's field that asks for the ids of the tokens written."""
    prompt_ids_field: str | None = None
    """The one that asks for those of the prompt."""
    logprobs: bool = True
    """Logprobs are given on request."""

    tools: bool = True
    tool_stream: ToolStream = ToolStream.FRAGMENTS
    tool_ids: str = "call_{}"
    """How the ids of calls are made; TGI calls every one "0"."""
    tool_answers_checked: bool = False
    """Each tool call must be answered, and each answer belong to a call."""

    thinking: Thinking = Thinking.REASONING_CONTENT
    finish: FinishNames = FinishNames()
    finish_alone: bool = True
    """The finish reason comes in a chunk without text; else with the last piece of text."""
    usage: StreamUsage = StreamUsage.ON_REQUEST
    role: Role = Role.OWN_CHUNK
    comment: str | None = None
    """A comment line that keeps the connection alive until the first event."""

    system_role: bool = True
    """False for templates that refuse it (Gemma)."""
    alternating: bool = False
    """User and assistant must take turns (Gemma, older Mistral and Llama templates)."""
