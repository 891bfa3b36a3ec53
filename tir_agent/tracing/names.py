"""Names of attributes: OpenTelemetry's for generative AI, and this project's own where it has none.

Source: the OpenTelemetry GenAI semantic conventions, status Development
(github.com/open-telemetry/semantic-conventions-genai); a test compares them with the package
`opentelemetry-semantic-conventions`.
"""

from __future__ import annotations

from typing import Final

AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_VERSION: Final = "gen_ai.agent.version"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CONVERSATION: Final = "gen_ai.conversation.id"
ERROR: Final = "error.type"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
MAX_TOKENS: Final = "gen_ai.request.max_tokens"
MODEL: Final = "gen_ai.request.model"
OPERATION: Final = "gen_ai.operation.name"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
PROVIDER: Final = "gen_ai.provider.name"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
SEED: Final = "gen_ai.request.seed"
SERVER: Final = "server.address"
SERVER_PORT: Final = "server.port"
STOP_STRINGS: Final = "gen_ai.request.stop_sequences"
STREAM: Final = "gen_ai.request.stream"
TEMPERATURE: Final = "gen_ai.request.temperature"
TOOL: Final = "gen_ai.tool.name"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL: Final = "gen_ai.tool.call.id"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOP_K: Final = "gen_ai.request.top_k"
TOP_P: Final = "gen_ai.request.top_p"

ANSWER: Final = "tir.answer"
ATTEMPTS: Final = "tir.requests"
CELLS: Final = "tir.cells"
COST: Final = "tir.cost"
CURRENCY: Final = "tir.cost.currency"
EXECUTION: Final = "tir.execution.status"
PROBLEM: Final = "tir.problem.id"
PROMPT: Final = "tir.prompt"
QUEUED: Final = "tir.queued"
SAMPLE_ARM: Final = "tir.sample.arm"
SAMPLE_INDEX: Final = "tir.sample.index"
STOP: Final = "tir.stop"
TURN: Final = "tir.turn"
TURNS: Final = "tir.turns"
VERDICT: Final = "tir.verdict"
