"""What counts as a refusal: features and code say the same, and each attempt names a kind that its feature defines."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from behave.parser import parse_feature, parse_file

from streampay_smoke.acceptance.checks.refusals import NOT_AUTHORIZED, NOT_VISIBLE, REFUSALS, refusals_of
from streampay_smoke.runner.feature_lint import SPECIFICATION, problems, summary

FEATURES = Path(__file__).parents[3] / "features"
PARSED = {path.stem: parse_file(str(path)) for path in sorted(FEATURES.glob("*.feature"))}


def statuses(text: str) -> frozenset[int]:
    """Read `401, 403`, and `400 to 499 except 408, 425`."""
    included, _, excepted = text.partition(" except ")
    if " to " in included:
        first, last = map(int, included.split(" to "))
        return frozenset(range(first, last + 1)) - (statuses(excepted) if excepted else frozenset())
    return frozenset(map(int, re.split(r",\s*", included)))


def specified(feature: Any) -> dict[str, frozenset[int]]:
    """Return the statuses of each kind of refusal, as a feature's specification lists them."""
    lines = [line for line in feature.description if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {kind: statuses(listed) for kind, listed in rows[1:]} if rows else {}


def kinds_named(feature: Any) -> Iterator[str]:
    for scenario in feature.walk_scenarios():
        for step in scenario.all_steps:
            if step.table is not None and "refusal" in step.table.headings:
                yield from (row["refusal"] for row in step.table)


@pytest.mark.parametrize("name", PARSED)
def test_a_feature_lists_the_statuses_that_the_code_takes_for_a_refusal(name: str) -> None:
    listed = specified(PARSED[name])
    assert {kind: REFUSALS.get(kind) for kind in listed} == listed


def test_every_kind_of_refusal_is_specified_in_a_feature() -> None:
    assert {kind for feature in PARSED.values() for kind in specified(feature)} == REFUSALS.keys()


@pytest.mark.parametrize("name", PARSED)
def test_an_attempt_names_a_kind_that_its_feature_specifies(name: str) -> None:
    assert set(kinds_named(PARSED[name])) <= specified(PARSED[name]).keys()


def test_no_kind_of_refusal_takes_a_success_a_redirect_or_a_limit_for_one() -> None:
    for kind, refused in REFUSALS.items():
        assert not refused & {*range(100, 400), 408, 425, 429}, kind


def test_a_table_says_in_its_order_what_refuses_each_attempt() -> None:
    rows = [{"attempt": "b", "refusal": "not visible"}, {"attempt": "a", "refusal": "not authorized"}]
    assert list(refusals_of(rows).items()) == [("b", NOT_VISIBLE), ("a", NOT_AUTHORIZED)]
    with pytest.raises(KeyError):
        refusals_of([{"attempt": "a", "refusal": "whatever"}])


def test_a_specification_may_name_statuses_and_the_rest_of_a_description_may_not() -> None:
    text = "Feature: F\n  {}\n\n  SPECIFICATION: What refuses.\n    | refusal | status |\n    | no | 401 |\n"
    text += "\n  Scenario: S\n    When it is done\n    Then it holds\n"
    right = parse_feature(text.format("People are refused."), filename="f.feature")
    assert problems([right]) == ()
    assert summary(right) == "People are refused."
    assert right.description[1].startswith(SPECIFICATION)
    wrong = parse_feature(text.format("People get a 401."), filename="f.feature")
    assert '"401" is a status code' in "".join(problems([wrong]))
