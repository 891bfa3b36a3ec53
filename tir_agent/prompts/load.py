"""Reading prompt files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from tir_agent.assets import prompts_dir
from tir_agent.errors import PromptError
from tir_agent.prompts.faults import Fault, Places, repeated_keys, schema_faults
from tir_agent.prompts.prompt import Prompt

__all__ = ["PromptFile", "find_prompt", "load_prompt", "prompt_names", "read_prompt", "read_yaml"]

_HINT = "See prompts/README.md for the format"


def prompt_names() -> list[str]:
    """Names of the prompts that ship with tir-agent."""
    return sorted(path.stem for path in prompts_dir().glob("*.yaml"))


def find_prompt(name_or_path: str) -> Path:
    """The file of a prompt: by its name, or a path (anything with a slash or a YAML suffix).

    Raises:
        PromptError: there is no prompt of this name.
    """
    path = Path(name_or_path)
    if "/" in name_or_path or path.suffix in {".yaml", ".yml"}:
        return path
    path = prompts_dir() / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(prompt_names())
        raise PromptError(f"There is no prompt named {name_or_path!r}", hint=f"Known ones: {known}")
    return path


def load_prompt(name_or_path: str) -> Prompt:
    """Read a prompt by its name, or from a YAML file (anything with a slash or a YAML suffix).

    Raises:
        PromptError: there is no such prompt, or the file is not a valid one; says where.
    """
    path = find_prompt(name_or_path)
    prompt, faults = read_prompt(path)
    if prompt is None or faults:
        first, *others = faults
        more = f"; `tir prompts check` lists {len(others)} more" if others else ""
        raise PromptError(f"{path}:{first}", hint=(first.hint or _HINT) + more)
    return prompt


def read_prompt(path: Path) -> tuple[Prompt | None, list[Fault]]:
    """Read a prompt file and find all that is wrong with it; there is a prompt where nothing is.

    Raises:
        PromptError: the file cannot be read at all.
    """
    read = read_yaml(path)
    return (None, [read]) if isinstance(read, Fault) else _checked(read, path.stem)


@dataclass(frozen=True)
class PromptFile:
    """A file that is a YAML mapping, whatever is in it."""

    content: dict[str, object]
    text: str
    sha256: str


def read_yaml(path: Path) -> PromptFile | Fault:
    """Read a file as a YAML mapping; what is wrong with it, where it is none.

    Raises:
        PromptError: the file cannot be read at all.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PromptError(f"Cannot read the prompt file {path}: {error.strerror}") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        return Fault(line, column, "", f"not UTF-8 text (byte {error.start})")
    try:
        Places(text)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Fault(line, column, "", error.problem or "not YAML")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        return Fault(line, column, "", f"a character that YAML does not allow: {error.reason}")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Fault(1, 1, "", f"not YAML that can be read: {error}")
    if not isinstance(content, dict):
        return Fault(1, 1, "", "a prompt file must be a YAML mapping", _HINT)
    return PromptFile(content, text, hashlib.sha256(data).hexdigest())


def _checked(read: PromptFile, name: str) -> tuple[Prompt | None, list[Fault]]:
    places = Places(read.text)
    faults = list(repeated_keys(places.root))
    for field in sorted({"name", "sha256"} & read.content.keys()):
        faults.append(Fault(*places.of([field]), field, "is made from the file and may not be given"))
    prompt = None
    try:
        prompt = Prompt.model_validate({**read.content, "name": name, "sha256": read.sha256})
    except ValidationError as error:
        faults += schema_faults(error, places)
    faults.sort(key=lambda fault: (fault.line, fault.column))
    return (None if faults else prompt), faults
