"""The manifest: what the features and the tag expression promise to run, and what an environment leaves out by name."""

from pathlib import Path
from typing import Any

import pytest
from behave.configuration import Configuration
from behave.parser import parse_feature, parse_file

from streampay_smoke import settings as configuration
from streampay_smoke.runner.plan import PlannedScenario, announced, plan, readiness_first

TEXT = """
@smoke
Feature: Money
  Why it matters.

  Background:
    Given the service is ready

  Scenario: A plain one
    When something happens
    Then it is so

  @money
  Scenario: One that settles
    When money moves
    Then it is so

  @second-user
  Scenario: One with two users
    Then it is so

  @writes
  Scenario: One that tries a door by writing
    Then it is so

  @wallet
  Scenario: One that repeats a sign-in
    Then it is so

  @signing-secret
  Scenario: One with a genuine token
    Then it is so

  @app-origin
  Scenario: One of the web app
    Then it is so

  @read-limit
  Scenario: One in a rush
    Then it is so

  @sign-in-limit
  Scenario: One that signs in and in
    Then it is so

  @live-events
  Scenario: One that listens
    Then it is so

  Scenario Outline: A caller with <what>
    Then <what> is refused

    Examples: callers
      | what  |
      | junk  |
      | none! |
"""
ROOT = Path(__file__).parents[3]
PRODUCTION = {
    "SMOKE_ENV": "production",
    "SMOKE_BASE_URL": "https://x",
    "SMOKE_AUTH_TOKEN": "a-long-token",
    "SMOKE_CONTRACT_ID": "C1",
}

WHOLE: Any = {"tags": "@smoke", "whole_suite": True, "by_path": False}


def planned(*arguments: str) -> tuple[PlannedScenario, ...]:
    config = Configuration(["--runner=behave.runner:Runner", *arguments], load_config=False)
    return plan([parse_feature(TEXT, filename="features/money.feature")], config)


def ids(items: tuple[PlannedScenario, ...]) -> list[str]:
    return [item.expected.id for item in items]


def test_every_selected_scenario_and_outline_row_has_a_stable_name() -> None:
    assert ids(planned("--tags=@smoke")) == [
        "money/a-plain-one",
        "money/one-that-settles",
        "money/one-with-two-users",
        "money/one-that-tries-a-door-by-writing",
        "money/one-that-repeats-a-sign-in",
        "money/one-with-a-genuine-token",
        "money/one-of-the-web-app",
        "money/one-in-a-rush",
        "money/one-that-signs-in-and-in",
        "money/one-that-listens",
        "money/a-caller-with-junk",
        "money/a-caller-with-none",
    ]


def test_the_tag_expression_selects() -> None:
    assert ids(planned("--tags=@money")) == ["money/one-that-settles"]
    assert ids(planned("--tags=@smoke and not @money"))[1] == "money/one-with-two-users"
    assert planned("--tags=@typo") == ()


def test_steps_include_the_background() -> None:
    expected = planned("--tags=@money")[0].expected
    assert expected.steps == ("Given the service is ready", "When money moves", "Then it is so")
    assert expected.tags == ("smoke", "money") or set(expected.tags) == {"smoke", "money"}


def test_same_names_stay_apart() -> None:
    feature = parse_feature(TEXT.replace("One that settles", "A plain one"), filename="features/money.feature")
    items = plan([feature], Configuration(["--runner=behave.runner:Runner"], load_config=False))
    assert len(set(ids(items))) == len(items) == 12


SECRET = {"SMOKE_AUTH_JWT_SECRET": "a-long-secret"}
NO_SECRET = {"money/one-with-a-genuine-token": "SMOKE_AUTH_JWT_SECRET is not set"}
ONE_USER = {"money/one-with-two-users": "api-key", "money/one-that-repeats-a-sign-in": "api-key"}
IN_PRODUCTION = {
    "money/one-that-settles": "read-only",
    "money/one-that-tries-a-door-by-writing": "read-only",
    "money/one-with-two-users": "bearer",
    "money/one-that-repeats-a-sign-in": "bearer",
    "money/one-of-the-web-app": "environments/production.toml names no app_origin",
    "money/one-in-a-rush": "environments/production.toml says nothing of reads_per_minute",
    "money/one-that-signs-in-and-in": "environments/production.toml says nothing of sign_ins_per_minute",
    "money/one-that-listens": "service.live_events",
}


@pytest.mark.parametrize(
    ("environ", "excluded"),
    [
        (SECRET, {}),
        ({}, NO_SECRET),
        ({**SECRET, "SMOKE_AUTH_MODE": "jwt"}, {"money/one-that-repeats-a-sign-in": "jwt"}),
        ({**SECRET, "SMOKE_AUTH_MODE": "api-key", "SMOKE_API_KEY": "a-long-key"}, ONE_USER),
        ({**SECRET, **PRODUCTION}, IN_PRODUCTION),
        (PRODUCTION, {**NO_SECRET, **IN_PRODUCTION}),
    ],
)
def test_an_environment_leaves_out_by_name_and_with_its_reason(
    environ: dict[str, str], excluded: dict[str, str]
) -> None:
    items = planned()
    settings = configuration.load(environ=environ, root=ROOT)
    found = {item.id: item.reason for item in announced(items, ROOT / "features", settings, **WHOLE).excluded}
    assert found.keys() == excluded.keys()
    for scenario_id, reason in excluded.items():
        assert reason in found[scenario_id]
    skipped = {item.expected.id for item in items if item.scenario.should_skip}
    assert skipped == set(excluded)


def test_an_empty_feature_file_is_a_problem_whatever_is_selected(tmp_path: Path) -> None:
    (tmp_path / "money.feature").write_text("")
    settings = configuration.load(environ={}, root=ROOT)
    assert "money.feature" in announced(planned(), tmp_path, settings, **WHOLE).problems[0]


def test_the_projects_own_features_have_no_problems() -> None:
    settings = configuration.load(environ={}, root=ROOT)
    assert announced(planned(), ROOT / "features", settings, **WHOLE).problems == ()


@pytest.mark.parametrize(
    ("environ", "whole", "lacking"),
    [({}, True, True), ({}, False, False), (PRODUCTION, True, False)],
    ids=["settles", "a part was selected", "read-only"],
)
def test_a_whole_suite_without_a_settlement_is_a_problem_where_streams_are_settled(
    environ: dict[str, str], whole: bool, lacking: bool
) -> None:
    settings = configuration.load(environ=environ, root=ROOT)
    config = Configuration(["--runner=behave.runner:Runner"], load_config=False)
    items = plan([parse_file(str(ROOT / "features" / "readiness.feature"))], config)
    problems = announced(items, ROOT / "features", settings, **{**WHOLE, "whole_suite": whole}).problems
    assert any("proves a settlement" in problem for problem in problems) is lacking


WITHOUT_FACTS = {
    "ledger/only-the-expected-administrator-controls-the-contract",
    "operations/the-metrics-are-available",
    "operations/the-index-of-the-ledger-is-up-to-date",
    "records/a-stream-from-an-earlier-release-still-exists",
}
"""What an environment leaves out that names no contract admin, no kept stream, and nothing that can be scraped."""

WRITES = {
    "settlement/a-settled-stream-pays-the-recipient-on-the-ledger",
    "settlement/a-repeated-settlement-does-not-pay-the-recipient-twice",
    "settlement/a-settlement-refused-before-the-start-succeeds-after-the-start",
    "records/api-v1-and-api-v2-return-the-same-record-of-a-settled-stream",
    "records/a-repeated-create-request-makes-one-stream-and-every-replica-shows-it",
}


@pytest.mark.parametrize(
    ("environ", "left_out"),
    [
        ({}, {"readiness/the-expected-release-is-deployed-on-every-replica"}),
        ({"SMOKE_ENV": "local", "SMOKE_CONTRACT_ID": "C1"}, WITHOUT_FACTS),
        ({"SMOKE_ENV": "staging", "SMOKE_BASE_URL": "https://x", "SMOKE_CONTRACT_ID": "C1"}, WITHOUT_FACTS),
        (
            PRODUCTION,
            WITHOUT_FACTS | WRITES | {"streams/a-second-user-cannot-list-or-read-the-streams-of-the-first-user"},
        ),
    ],
)
def test_each_place_leaves_out_of_the_projects_features_what_it_cannot_prove(
    environ: dict[str, str], left_out: set[str]
) -> None:
    config = Configuration(["--runner=behave.runner:Runner"], load_config=False)
    features = [parse_file(str(path)) for path in sorted((ROOT / "features").glob("*.feature"))]
    items = plan(features, config)
    settings = configuration.load(environ=environ, root=ROOT)
    excluded = {item.id for item in announced(items, ROOT / "features", settings, **WHOLE).excluded}
    assert {name for name in excluded if name in ids(items)} == excluded
    assert excluded >= left_out
    assert not {name for name in excluded - left_out if name.startswith(("ledger/", "settlement/", "records/"))}


@pytest.mark.parametrize("release", ["", "v2"])
def test_the_expected_release_is_left_out_only_where_a_run_expects_none(release: str) -> None:
    config = Configuration(["--runner=behave.runner:Runner"], load_config=False)
    items = plan([parse_file(str(ROOT / "features" / "readiness.feature"))], config)
    settings = configuration.load(environ={"SMOKE_EXPECT_RELEASE": release}, root=ROOT)
    excluded = {item.id: item.reason for item in announced(items, ROOT / "features", settings, **WHOLE).excluded}
    scenario = "readiness/the-expected-release-is-deployed-on-every-replica"
    assert (scenario in excluded) is not bool(release)
    assert set(excluded) <= {scenario}
    assert all("SMOKE_EXPECT_RELEASE" in reason for reason in excluded.values())


def test_readiness_is_played_first_and_the_rest_in_its_order() -> None:
    features = [parse_feature(f"Feature: {name}", filename=f"features/{name}.feature") for name in "cbra"]
    ready = parse_feature("Feature: ready", filename="features/readiness.feature")
    assert readiness_first([*features[:2], ready, *features[2:]]) == [ready, *features]


def test_a_scenario_is_planned_with_what_it_is_about() -> None:
    feature = parse_feature(TEXT, filename="features/settlement.feature")
    assert {item.expected.concern for item in plan([feature], Configuration(command_args=[]))} == {"money"}
