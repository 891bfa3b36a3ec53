"""Write the JSON Schemas of this folder anew from the types: `python docs/schema/make.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel

from tir_agent.export.manifest import ExportManifest
from tir_agent.store import GradeRow, Manifest
from tir_agent.trajectory import Problem, Trajectory

__all__ = ["SCHEMAS", "schema"]

SCHEMAS: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {
        "trajectory.schema.json": Trajectory,
        "run.schema.json": Manifest,
        "problem.schema.json": Problem,
        "grade.schema.json": GradeRow,
        "export.schema.json": ExportManifest,
    }
)
"""Which file describes which record."""


def schema(model: type[BaseModel]) -> str:
    """JSON Schema (draft 2020-12) of what is read: fields that have a default may be left out."""
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    content |= model.model_json_schema()
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for name, record in SCHEMAS.items():
        Path(__file__).with_name(name).write_text(schema(record), encoding="utf-8")
