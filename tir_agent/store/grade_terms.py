"""On what terms the grades of one grading were given."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from tir_agent.errors import RunError, StorageError
from tir_agent.messages import Record
from tir_agent.store.differences import differences
from tir_agent.store.encoding import encoded
from tir_agent.store.files import write_whole
from tir_agent.trajectory import PromptIdentity

__all__ = ["GradeTerms", "keep_terms"]


class GradeTerms(Record):
    """What all grades of one grading have in common. Who goes on with it must have the same."""

    grader: str
    """Name and version."""
    programs: str
    """Hash of the sandbox's own programs, the grader's among them."""
    timeout: float = Field(gt=0)
    """Seconds for one comparison."""
    relative: float | None = None
    """In the place of the problems' own; null: theirs."""
    absolute: float | None = None
    """In the place of the problems' own; null: theirs."""
    only: tuple[str, ...] = ()
    """The earlier verdicts that were graded again, `none` among them; empty: all. The others were kept."""
    extracted: bool = False
    """Answers were read from the last reply once more."""
    golds: str | None = None
    """Digest of the data set whose gold answers were taken, in the place of the run's own."""
    judge: str | None = None
    """The model that was asked where the grader could not tell."""
    judge_prompt: PromptIdentity | None = None


def keep_terms(path: Path, terms: GradeTerms, *, begun: bool) -> None:
    """Write `terms` where there are none yet; else see that they are the same.

    `begun` says that there are grades already.

    Raises:
        RunError: the grades that are there were given on other terms.
        StorageError: the file cannot be read or written.
    """
    try:
        known = GradeTerms.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        if begun:
            raise RunError(
                f"{path.parent} has grades of which nobody says how they were given",
                hint="Use another --name",
            ) from None
        write_whole(path, encoded(terms, indent=1) + b"\n")
        return
    except ValidationError:
        raise RunError(f"{path} is damaged", hint="Use another --name") from None
    except OSError as error:
        raise StorageError(f"Cannot read {path}: {error.strerror}") from None
    if differing := differences(terms, known, "terms"):
        raise RunError(
            f"The grades in {path.parent} were given on other terms: {'; '.join(differing)}",
            hint="Use another --name, or the options with which it was begun",
        )
