"""`docs/filters.md` says what the code does: every filter, whom it drops, its default and its source."""

from __future__ import annotations

import re
from pathlib import Path

from tir_agent.preferences.filters import TRAJECTORY_FILTERS, Filter
from tir_agent.preferences.groups import group_stages
from tir_agent.settings import BudgetRule, Contamination, FilterSettings

PAGE = (Path(__file__).parent.parent / "docs" / "filters.md").read_text(encoding="utf-8")
ROWS = {
    name: tuple(cell.strip() for cell in rest.split("|"))
    for name, rest in re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
}
GROUPS = [
    stage.name
    for stage in group_stages(
        FilterSettings(
            all_right=True,
            all_wrong=True,
            min_pass_rate=0.1,
            max_tokens=1,
            duplicates=True,
            duplicate_code=True,
            per_problem=1,
        )
    )
]


def default_of(name: str) -> str:
    settings = FilterSettings()
    if name == "pass_rate":
        return f"{settings.min_pass_rate:.0f} to {settings.max_pass_rate:.0f}"
    value = getattr(settings, name)
    return {True: "on", False: "off", None: "off"}[value]


def row_of(each: Filter) -> tuple[str, ...]:
    default = "always" if each.always else default_of(each.name)
    return each.says, each.scope.value, default, each.source


def test_the_table_has_every_filter_in_its_order() -> None:
    named = [*(each.name for each in TRAJECTORY_FILTERS), *GROUPS]
    assert list(ROWS)[: len(named)] == named


def test_each_row_of_a_trajectorys_filter_says_what_the_code_says() -> None:
    assert {each.name: ROWS[each.name] for each in TRAJECTORY_FILTERS} == {
        each.name: row_of(each) for each in TRAJECTORY_FILTERS
    }


def test_each_row_of_a_groups_filter_has_its_default() -> None:
    assert {name: ROWS[name][2] for name in GROUPS} == {name: default_of(name) for name in GROUPS}


def test_every_setting_of_the_filters_is_on_the_page() -> None:
    for name in FilterSettings.model_fields:
        assert f"`{name}`" in PAGE


def test_budgets_and_the_number_of_words_are_on_the_page() -> None:
    assert [name for name in ROWS if name in set(BudgetRule)] == list(BudgetRule)
    assert f"`ngram` words in a row ({Contamination().ngram})" in PAGE
