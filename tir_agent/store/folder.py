"""A run's folder: making it, and seeing whether it is the run that is meant."""

from __future__ import annotations

import hashlib
import platform
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from tir_agent import __version__
from tir_agent.errors import RunError, StorageError
from tir_agent.settings import Fixed, Recipe
from tir_agent.store.differences import differences
from tir_agent.store.encoding import encoded
from tir_agent.store.files import cannot_write, write_whole
from tir_agent.store.layout import Layout, shards_in
from tir_agent.store.manifest import Draft, Manifest, Part, ProblemSet, Writing
from tir_agent.store.versions import manifest_of
from tir_agent.trajectory import Problem

__all__ = ["begin", "check_folder", "problem_lines", "problem_set", "read_manifest", "resume"]


def read_manifest(layout: Layout) -> Manifest:
    """What the run in a folder is.

    Raises:
        RunError: it is no run, or of a newer version.
        StorageError: it cannot be read.
    """
    try:
        return manifest_of(layout.manifest.read_bytes(), str(layout.manifest))
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(f"{layout.root} is not a run: it has no {layout.manifest.name}") from None
    except OSError as error:
        raise StorageError(f"Cannot read {layout.manifest}: {error.strerror}") from None


def check_folder(layout: Layout) -> None:
    """Make the folder where there is none.

    Raises:
        RunError: there is something else.
        StorageError: it cannot be made or read.
    """
    root = layout.root
    if root.exists() and not root.is_dir():
        raise RunError(f"{root} is not a folder", hint="Give a run a folder of its own")
    try:
        root.mkdir(parents=True, exist_ok=True)
        ours = {layout.lock, layout.problems, layout.shards, layout.failures}
        # What a process that was killed here before has left is no one else's.
        ours |= {path.with_name(f".{path.name}.new") for path in (layout.manifest, layout.problems)}
        strange = sorted(path.name for path in root.iterdir() if path not in ours)
    except OSError as error:
        raise cannot_write(root, error) from None
    if strange and not layout.manifest.exists():
        raise RunError(
            f"{root} is not empty and not a run: it has {strange[0]}", hint="Give a run a folder of its own"
        )


def problem_lines(problems: Iterable[Problem]) -> bytes:
    """The content of `problems.jsonl`.

    Raises:
        RunError: two problems have the same id.
    """
    lines: dict[str, bytes] = {}
    for problem in problems:
        if problem.id in lines:
            raise RunError(f"Two problems have the id {problem.id}")
        # Without defaults, so that a field which later versions add does not make them other problems.
        lines[problem.id] = encoded(problem, defaults=False) + b"\n"
    return b"".join(lines.values())


def problem_set(lines: bytes) -> ProblemSet:
    """Which problems these lines are."""
    return ProblemSet(count=lines.count(b"\n"), sha256=hashlib.sha256(lines).hexdigest())


def begin(layout: Layout, draft: Draft, lines: bytes, parts: tuple[Part, ...] = ()) -> Manifest:
    """Make a run of an empty folder. The manifest comes last: until it is there, there is no run.

    Raises:
        StorageError: the disk failed.
    """
    _make_folders(layout)
    write_whole(layout.problems, lines)
    manifest = Manifest(
        id=uuid.uuid4().hex,
        created=datetime.now(UTC),
        tir_agent=__version__,
        python=platform.python_version(),
        recipe=draft.recipe,
        prompts=draft.prompts,
        problems=problem_set(lines),
        writings=(Writing.now(draft.operation),),
        parts=parts,
        imported=draft.imported,
    )
    _write(layout, manifest)
    return manifest


def resume(layout: Layout, draft: Draft, lines: bytes) -> Manifest:
    """Go on with the run of a folder.

    Raises:
        RunError: it was begun with another recipe, other prompts or other problems, or was merged.
        StorageError: the disk failed.
    """
    manifest = read_manifest(layout)
    if manifest.parts:
        raise RunError(f"{layout.root} was merged of other runs, and nothing is added to such a run")
    if (manifest.imported is None) != (draft.imported is None):
        was, now = ("imported", "a collection") if manifest.imported else ("collected", "an import")
        raise RunError(
            f"The run in {layout.root} was {was}: {now} is not added to it", hint="Give another folder"
        )
    recipe = _grown(manifest.recipe, draft.recipe)
    differing = differences(draft.recipe, recipe, "recipe")
    differing += differences(draft.prompts, manifest.prompts, "prompts")
    if draft.imported is not None and manifest.imported is not None:
        differing += differences(draft.imported, manifest.imported, "imported")
    differing += differences(problem_set(lines), manifest.problems, "problems")
    if differing:
        raise RunError(
            f"The run in {layout.root} was begun with another configuration: {'; '.join(differing)}",
            hint="Give another folder, or the configuration with which it was begun"
            if shards_in(layout.shards)
            else "It holds no trajectory: delete it, or give another folder",
        )
    _make_folders(layout)
    if not layout.problems.exists():
        write_whole(layout.problems, lines)
    manifest = manifest.model_copy(
        update={"recipe": recipe, "writings": (*manifest.writings, Writing.now(draft.operation))},
    )
    _write(layout, manifest)
    return manifest


def _grown(recipe: Recipe, wanted: Recipe) -> Recipe:
    """The recipe with as many samples of each problem as are wanted, where these are more than it has.

    Those that are there stay the first ones: which sample is whose does not hang on how many there are.
    """
    plan, larger = recipe.samples, wanted.samples
    if isinstance(plan, Fixed) and isinstance(larger, Fixed):
        most = {"samples": max(plan.samples, larger.samples)}
    elif not isinstance(plan, Fixed) and not isinstance(larger, Fixed) and plan.kind == larger.kind:
        most = {"at_most": max(plan.at_most, larger.at_most)}
    else:
        return recipe
    return recipe.model_copy(update={"samples": plan.model_copy(update=most)})


def _make_folders(layout: Layout) -> None:
    for folder in (layout.shards, layout.failures):
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from None


def _write(layout: Layout, manifest: Manifest) -> None:
    write_whole(layout.manifest, encoded(manifest, indent=1) + b"\n")
