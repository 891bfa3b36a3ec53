"""The floors of the house: imports point downwards, and rooms on one floor do not know each other.

A room is a module or a package directly under `tir_agent/`; inside a package its parts may import one
another.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tir_agent"

FLOORS = [
    {
        "errors",
        "settings",
        "messages",
        "completion",
        "execution",
        "grades",
        "usage",
        "trajectory",
        "assets",
        "checks",
    },
    {
        "problems",
        "prompts",
        "protocols",
        "observation",
        "answers",
        "models",
        "kernel",
        "grading",
        "costs",
        "preferences",
        "configuration",
        "tokenizers",
    },
    {"agent", "judging"},
    {"store", "evaluate", "tracing"},
    {"collect", "regrade", "export", "imports", "training"},
    {"console", "cli", "__main__"},
]
# Plain data may be made of plain data; the screens are drawn by the command line; grading asks a kernel.
NEIGHBOURS = {
    ("messages", "settings"),
    ("completion", "messages"),
    ("execution", "messages"),
    ("grades", "messages"),
    ("trajectory", "grades"),
    ("trajectory", "completion"),
    ("trajectory", "execution"),
    ("trajectory", "messages"),
    ("trajectory", "usage"),
    ("usage", "messages"),
    ("trajectory", "settings"),
    ("cli", "console"),
    ("__main__", "cli"),
    ("grading", "kernel"),
    ("tokenizers", "preferences"),
}


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            modules.add(node.module or "")
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    rooms = {module.split(".")[1] for module in modules if module.startswith("tir_agent.")}
    return {room for room in rooms if (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").is_file()}


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        assert floor_of(other) < floor_of(room) or (room, other) in NEIGHBOURS, f"{room} imports {other}"


def test_only_the_command_line_reads_the_environment() -> None:
    for path in SOURCES:
        if room_of(path) != "cli":
            text = path.read_text(encoding="utf-8")
            assert "os.environ" not in text, path
            assert "getenv" not in text, path
