"""The policies put together, in an order that `docs/observations.md` explains."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tir_agent.observation.containers import summarise_containers
from tir_agent.observation.excerpt import cut
from tir_agent.observation.figures import is_figure, name_figures
from tir_agent.observation.floats import round_floats
from tir_agent.observation.frames import trim_traceback
from tir_agent.observation.hints import hint_for
from tir_agent.observation.python_warnings import collapse_syntax_warnings, drop_warnings
from tir_agent.observation.repetition import collapse_repeats
from tir_agent.observation.terminal import resolve_returns, strip_ansi, strip_controls
from tir_agent.settings import ObservationPolicy, WarningPolicy
from tir_agent.trajectory import Execution, ExecutionError, ExecutionStatus

__all__ = ["observe"]

_NO_PACKAGES: Final[Mapping[str, str]] = MappingProxyType({})


def observe(
    execution: Execution,
    policy: ObservationPolicy,
    *,
    seconds: float,
    packages: Mapping[str, str] = _NO_PACKAGES,
) -> str:
    """The text that stands for `execution` in the conversation.

    `seconds` is the time that the cell was allowed, named where it was exceeded; `packages` are the
    versions of what is installed beside the program, by name, for the hints.

    >>> policy = ObservationPolicy()
    >>> observe(Execution(status=ExecutionStatus.OK, stdout="a\\n", result="2"), policy, seconds=30)
    'a\\n2'
    >>> observe(Execution(status=ExecutionStatus.OK), policy, seconds=30)
    '(no output; use print() to see a value)'
    """
    output = _output(execution, policy)
    closing = _closing(execution, policy, seconds, packages)
    if not output and not closing:
        return policy.empty
    return cut("\n".join(part for part in (output, closing) if part), policy)


def _output(execution: Execution, policy: ObservationPolicy) -> str:
    """What the program wrote, and its last value."""
    stdout = name_figures(_plain(execution.stdout), execution.images, policy.images)
    parts = [_shortened(stdout, policy), _warned(_plain(execution.stderr), policy)]
    result = _plain(execution.result or "")
    # A figure that was shown has been named already.
    said = bool(policy.images and execution.images) and is_figure(result)
    if policy.echo and not said:
        parts.append(_shortened(result, policy))
    text = "\n".join(part.rstrip("\n") for part in parts if part.strip()).rstrip()
    return collapse_repeats(text) if policy.collapse else text


def _plain(text: str) -> str:
    return strip_controls(resolve_returns(strip_ansi(text)))


def _shortened(text: str, policy: ObservationPolicy) -> str:
    if policy.float_digits is not None:
        text = round_floats(text, policy.float_digits)
    if policy.container_items is not None:
        text = summarise_containers(text, policy.container_items)
    return text


def _warned(stderr: str, policy: ObservationPolicy) -> str:
    if policy.warnings is WarningPolicy.DROP:
        return drop_warnings(stderr)
    return collapse_syntax_warnings(stderr)


def _closing(
    execution: Execution, policy: ObservationPolicy, seconds: float, packages: Mapping[str, str]
) -> str:
    """How it ended, where it did not end well."""
    lines: list[str] = []
    match execution.status:
        case ExecutionStatus.TIMEOUT:
            lines.append(policy.timeout.replace("{seconds}", f"{seconds:.3g}"))
        case ExecutionStatus.DIED:
            lines.append(policy.died)
        case ExecutionStatus.ERROR | ExecutionStatus.REFUSED | ExecutionStatus.OK:
            if execution.error is not None:
                lines.append(_error(execution.error, policy))
                if policy.hints and (hint := hint_for(execution.error, packages)):
                    lines.append(f"Hint: {hint}")
    if execution.state_lost:
        lines.append(policy.state_lost.replace("{names}", ", ".join(execution.lost_names) or "-"))
    return "\n".join(lines)


def _error(error: ExecutionError, policy: ObservationPolicy) -> str:
    text = _plain(error.traceback).strip() or f"{error.name}: {error.message}"
    return trim_traceback(text) if policy.own_frames_only else text
