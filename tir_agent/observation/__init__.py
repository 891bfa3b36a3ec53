"""From an execution to what the model gets to see of it.

Every policy is a pure function of text, linear in its length, in a module named after what it is about;
`view` puts them in order. `docs/observations.md` has the table of settings, with examples. Text of the
program's is read character by character, never evaluated.

Not here: the fence or tag around the output, which is the prompt's, and what the kernel itself
cut before it was recorded (`Execution.dropped`).
"""

from tir_agent.observation.excerpt import cut
from tir_agent.observation.frames import trim_traceback
from tir_agent.observation.terminal import strip_ansi
from tir_agent.observation.view import observe

__all__ = ["cut", "observe", "strip_ansi", "trim_traceback"]
