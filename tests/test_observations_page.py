"""docs/observations.md shows what really happens, and names every setting."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tir_agent.observation import observe
from tir_agent.settings import ObservationPolicy
from tir_agent.trajectory import Execution

PAGE = (Path(__file__).parent.parent / "docs" / "observations.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<settings>.*?)` \| `(?P<execution>.*?)` \| `(?P<shown>.*?)` \|$", re.MULTILINE)
EXAMPLES = [match.groups() for match in ROW.finditer(PAGE)]
OTHERS = re.findall(r"^\| \[\w[^|]*\| [^|]*\| `(\{.*\})` \|$", PAGE, re.MULTILINE)
PACKAGES = {"sympy": "1.14.0", "numpy": "2.4.6"}


def test_every_row_of_the_table_of_examples_is_run() -> None:
    table = PAGE.partition("| settings | execution | shown |\n")[2].partition("\n\n")[0]
    assert len(EXAMPLES) == len(table.splitlines()) - 1 >= 20


@pytest.mark.parametrize(("settings", "execution", "shown"), EXAMPLES)
def test_an_example_is_shown_as_the_page_says(settings: str, execution: str, shown: str) -> None:
    policy = ObservationPolicy.model_validate(yaml.safe_load(settings))
    recorded = Execution.model_validate({"status": "ok", **yaml.safe_load(execution)})
    assert observe(recorded, policy, seconds=30, packages=PACKAGES) == json.loads(shown)


@pytest.mark.parametrize("field", ObservationPolicy.model_fields)
def test_every_setting_has_a_row(field: str) -> None:
    table = PAGE.partition("| step | setting |")[2].partition("\n\n")[0]
    assert f"`{field}`" in table


def test_the_defaults_in_the_table_are_the_defaults() -> None:
    for field, default in re.findall(r"^\| \w+ \| `(\w+)` \| `(.*?)` \|", PAGE, re.MULTILINE):
        policy = ObservationPolicy.model_validate({field: yaml.safe_load(default)})
        assert policy == ObservationPolicy(), field


def test_what_others_do_can_be_set() -> None:
    assert len(OTHERS) == 6
    for settings in OTHERS:
        policy = ObservationPolicy.model_validate(yaml.safe_load(settings))
        long = "".join(str(number) for number in range(2000))
        shown = observe(Execution.model_validate({"status": "ok", "stdout": long}), policy, seconds=1)
        tail = long[len(long) - policy.tail :]
        assert shown.startswith(long[: policy.head])
        assert shown.endswith(tail)
