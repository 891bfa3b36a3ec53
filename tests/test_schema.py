"""The JSON Schemas in `docs/schema` are those of the types, and real records satisfy them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from tir_agent.agent import Agent
from tir_agent.grades import Grade, Verdict
from tir_agent.kernel.base import Sandbox
from tir_agent.models.scripted import ScriptedModel
from tir_agent.prompts import load_prompt
from tir_agent.settings import RunSettings
from tir_agent.store import GradeLog, GradeRow, RunWriter

from run_samples import draft, problems, sample

FOLDER = Path(__file__).parent.parent / "docs" / "schema"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schema_make", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = loaded()


def check(name: str, record: Any) -> None:
    Draft202012Validator(json.loads((FOLDER / name).read_text(encoding="utf-8"))).validate(record)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", list(MAKE.SCHEMAS))
def test_the_schema_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == MAKE.schema(MAKE.SCHEMAS[name]), (
        "run python docs/schema/make.py"
    )
    Draft202012Validator.check_schema(json.loads((FOLDER / name).read_text(encoding="utf-8")))


async def test_real_records_satisfy_the_schemas(tmp_path: Path, local_sandbox: Sandbox) -> None:
    asked = problems(2)
    model = ScriptedModel(["```python\nprint(6 * 7)\n1 / 0\n```\n", "So it is \\boxed{42}."])
    agent = Agent(model, local_sandbox, load_prompt("tir"), RunSettings(model="scripted"))
    real = await agent.solve(asked[0])
    assert len(real.turns) == 2
    with RunWriter.open(tmp_path, draft(), asked) as writer:
        await writer.append(real.model_copy(update={"sample": sample(asked[0]).sample}))
        await writer.append(sample(asked[1]))
    row = GradeRow(
        problem=asked[0].id,
        arm="base",
        index=0,
        trajectory=real.id,
        grade=Grade(verdict=Verdict.WRONG, reason="r", grader="g"),
    )
    with GradeLog.open(tmp_path, "g") as log:
        log.append([row])
    check("run.schema.json", json.loads((tmp_path / "run.json").read_bytes()))
    for name, file, count in [
        ("trajectory.schema.json", "shards/00000.jsonl", 2),
        ("problem.schema.json", "problems.jsonl", 2),
        ("grade.schema.json", "grades/g/00000.jsonl", 1),
    ]:
        records = lines(tmp_path / file)
        assert len(records) == count
        for record in records:
            check(name, record)
    with pytest.raises(ValidationError):
        check("trajectory.schema.json", lines(tmp_path / "shards/00000.jsonl")[0] | {"surprise": 1})
