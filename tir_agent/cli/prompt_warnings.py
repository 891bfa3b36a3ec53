"""What a valid prompt file says that its protocol will not understand."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tir_agent.cli.prompt_samples import OUTPUT, as_completion, form_of, sample_reply
from tir_agent.prompts import Prompt
from tir_agent.prompts.faults import Fault, Location, Places
from tir_agent.protocols import protocol_for

__all__ = ["warnings"]

_MARK = re.compile(r"<[^<>\n]+>?|```\w*")


def warnings(prompt: Prompt, places: Places) -> list[Fault]:
    """All of them, in the order of the file."""
    found = [
        Fault(*places.of(location), ".".join(map(str, location)), message, hint)
        for location, message, hint in (
            *_stops(prompt),
            *_outputs(prompt),
            *_wrappers(prompt),
            *_exemplars(prompt),
        )
    ]
    return sorted(found, key=lambda fault: (fault.line, fault.column))


Warned = Iterator[tuple[Location, str, str | None]]


def _stops(prompt: Prompt) -> Warned:
    """Stop strings that look like a mark and are none of this prompt's."""
    form = form_of(prompt)
    if form is None:
        return
    texts = [prompt.system or "", prompt.user, prompt.exemplar_end, *_feedback_texts(prompt)]
    written = "\n".join([f"{form.code}\n{form.output}\n", *texts])
    for number, stop in enumerate(prompt.stop):
        marks = _MARK.findall(stop)
        if marks and not any(mark in written for mark in marks):
            yield (
                ["stop", number],
                f"{stop!r} is no mark of the protocol's",
                f"Outputs begin with {form.output}",
            )


def _feedback_texts(prompt: Prompt) -> list[str]:
    return [value for value in prompt.feedback.model_dump().values() if isinstance(value, str)]


def _outputs(prompt: Prompt) -> Warned:
    """An output that no stop string meets: the model pays for every one that it makes up."""
    form = form_of(prompt)
    if form is None:
        return
    continued = f"{form.code}\n{form.output}\n"
    if not any(stop in continued for stop in prompt.stop):
        hint = f"Add one, such as {form.output!r}"
        yield ["stop"], f"no stop string ends a reply that begins an output ({form.output})", hint


def _wrappers(prompt: Prompt) -> Warned:
    """Outputs that the protocol would take for the model's own words, were it to imitate them."""
    if form_of(prompt) is None:
        return
    protocol = protocol_for(prompt.protocol)
    for field, failed in (("observation", False), ("error", True)):
        if failed and prompt.feedback.error is None:
            continue
        reply = sample_reply(prompt)
        wrapped = "".join(text for text, _ in prompt.observed(OUTPUT, failed=failed))
        # A message begins on a line of its own, whatever the reply before it ended with.
        gaps = ("", "\n")
        texts = [f"{reply}{gap}{wrapped}" for gap in gaps]
        if all(protocol.parse(as_completion(text)).kept == len(text) for text in texts):
            yield ["feedback", field], "the protocol does not recognise this as an output", None


def _exemplars(prompt: Prompt) -> Warned:
    """Replies that the protocol reads otherwise than the exemplar means them."""
    if form_of(prompt) is None:
        return
    protocol = protocol_for(prompt.protocol)
    for number, exemplar in enumerate(prompt.exemplars):
        for turn_number, turn in enumerate(exemplar.turns):
            location: Location = ("exemplars", number, "turns", turn_number, "reply")
            action = protocol.parse(as_completion(turn.reply))
            if stop := next((stop for stop in prompt.stop if stop in turn.reply), None):
                yield location, f"it goes on behind the stop string {stop!r}", None
            elif action.kept < len(turn.reply):
                yield location, "it holds an output, which only the interpreter may write", "Use `output`"
            elif turn.output is not None and not action.blocks:
                yield location, "an output follows, but there is no code in it that would run", None
            elif turn.output is None and action.blocks:
                yield location, "it has code, but no output follows", None
