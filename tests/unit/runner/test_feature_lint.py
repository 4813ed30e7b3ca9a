"""Every rule is shown to be silent on a good feature file and to speak on a bad one."""

from pathlib import Path

import pytest
from behave.parser import parse_file

from streampay_smoke.runner import feature_lint

GOOD = """\
@smoke @streams
Feature: A user lists their streams
  StreamPay promises every user a list of their own streams,
  newest first.

  Background:
    Given the synthetic user

  @critical
  Scenario: The list is shown page by page
    When the user opens the list of 200 streams
    Then every page holds 2.404 XLM or 404 stroops
      | payer | amount |
      | me    | 10     |

  Scenario Outline: A stranger with <credential> is refused
    When a stranger brings <credential>
    Then they are refused within 503 ms

    @money
    Examples: what strangers bring
      | credential   |
      | nothing      |
      | an old token |
"""


@pytest.fixture(name="folder")
def a_folder_for_feature_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("features").mkdir()
    return Path("features")


def lint(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "it.feature"
    path.write_text(text)
    return feature_lint.problems([parse_file(str(path))])


def test_a_good_feature_has_no_problems(folder: Path) -> None:
    assert lint(folder, GOOD) == ()


BAD = [
    pytest.param("Feature: A user lists", "Feature:\n  A user lists", "2: this Feature has no name", id="no-name"),
    pytest.param(
        "Scenario: The list is shown page by page", "Scenario:", "10: this Scenario has no name", id="unnamed"
    ),
    pytest.param(
        "  StreamPay promises every user a list of their own streams,\n  newest first.\n",
        "",
        "2: the feature has no description",
        id="no-description",
    ),
    pytest.param(
        "Given the synthetic", "Gven the synthetic", '6: "Gven the synthetic user" is read as', id="background"
    ),
    pytest.param("When the user opens", "Wen the user opens", '10: "Wen the user opens the list', id="misspelt-step"),
    pytest.param("Background:", "Backgroud:", '2: "Backgroud:" in the description reads', id="misspelt-background"),
    pytest.param("newest first.", "When asked, newest.", '2: "When asked, newest." in the desc', id="step-in-text"),
    pytest.param("newest first.", "* newest first.", '2: "* newest first." in the desc', id="star-in-text"),
    pytest.param(
        "    Then every page", "    And every page", '"The list is shown page by page" has no Then', id="no-then"
    ),
    pytest.param(
        "      | nothing      |\n      | an old token |\n", "", "21: the Examples of", id="examples-without-rows"
    ),
    pytest.param("@money\n    Examples: what", "# Examples: what", "has no Examples", id="no-examples"),
    pytest.param("brings <credential>", "brings <credentials>", "17: <credentials> is in no", id="unknown-placeholder"),
    pytest.param("opens the list", "opens <the list>", "11: <the list> is in no", id="placeholder-without-outline"),
    pytest.param("@smoke @streams", "@smoke @stream", "2: @stream is not a known tag, so", id="unknown-feature-tag"),
    pytest.param("@smoke @streams", "@smoke @stream", "write @streams", id="near-tag"),
    pytest.param("@smoke @streams", "@smoke @zzz", "use one of docs/tags.md", id="far-tag"),
    pytest.param("@critical", "@urgent", "10: @urgent is not a known tag", id="unknown-scenario-tag"),
    pytest.param("@money", "@mony", "21: @mony is not a known tag", id="unknown-examples-tag"),
    pytest.param("newest first", "see https://streampay.test/x", '2: "https://" is an address', id="url"),
    pytest.param("their streams\n", "their URL\n", '2: "URL" is an address', id="url-word"),
    pytest.param("synthetic user", "user on localhost", '7: "localhost" is an address', id="host"),
    pytest.param("synthetic user", "user on 127.0.0.1", '7: "127.0.0.1" is an address', id="ip"),
    pytest.param("opens the list", "opens /api/v1/streams", '11: "/api" is a path', id="path"),
    pytest.param("page by page", "as JSON", '10: "JSON" is a wire format', id="json"),
    pytest.param("opens the list", "sends a GET to the list", '11: "GET" is the protocol', id="verb"),
    pytest.param("opens the list", "speaks http to the list", '11: "http" is the protocol', id="protocol"),
    pytest.param("| me    | 10     |", "| me    | port 80 |", '14: "port" is a port', id="cell"),
    pytest.param("| payer | amount |", "| header | amount |", '13: "header" is a header', id="heading"),
    pytest.param("an old token |", "a Bearer     |", '24: "Bearer" is a header', id="examples-cell"),
    pytest.param("what strangers bring", "cookies", '21: "cookies" is a header', id="examples-name"),
    pytest.param("they are refused", "they get a 401", '18: "401" is a status code', id="status"),
    pytest.param("they are refused", "they see status code x", '18: "status code" is a status code', id="status-words"),
    pytest.param(
        "    Then every page holds 2.404 XLM or 404 stroops\n",
        '    Then every page holds\n      """\n      some json\n      """\n    And more\n',
        '12: "json" is a wire format',
        id="doc-string",
    ),
]


@pytest.mark.parametrize(("good", "bad", "problem"), BAD)
def test_a_bad_feature_is_named_with_its_line(folder: Path, good: str, bad: str, problem: str) -> None:
    assert good in GOOD
    found = lint(folder, GOOD.replace(good, bad, 1))
    assert [line for line in found if problem in line], found
    assert all(line.startswith(f"{folder}/it.feature:") and "; " in line for line in found)


def test_one_mistake_is_one_problem(folder: Path) -> None:
    assert len(lint(folder, GOOD.replace("@critical", "@urgent"))) == 1


def test_a_scenario_without_steps_is_a_problem(folder: Path) -> None:
    found = lint(folder, GOOD + "\n  Scenario: Nothing is done\n")
    assert found == (
        f'{folder}/it.feature:26: "Nothing is done" has no steps and would pass unrun; write its steps or remove it',
    )


def test_a_feature_without_scenarios_is_a_problem(folder: Path) -> None:
    (found,) = lint(folder, "Feature: Nothing\n  is promised\n")
    assert "the feature has no scenario, so it proves nothing" in found


def test_two_scenarios_of_one_name_are_a_problem(folder: Path) -> None:
    (found,) = lint(folder, GOOD + "\n  Scenario: The list is shown page by page\n    Then nothing\n")
    assert "is also the scenario in line 10" in found


def test_a_rule_is_a_problem_and_what_is_in_it_is_still_read(folder: Path) -> None:
    found = lint(folder, GOOD + "\n  Rule: Inside\n    Background:\n      Gven x\n    Scenario: Empty\n")
    assert len(found) == 3, found
    assert 'Rule "Inside"' in found[0]
    assert '"Gven x" is read as description' in found[1]
    assert '"Empty" has no steps' in found[2]


def test_two_features_of_one_name_are_a_problem(folder: Path) -> None:
    (folder / "one.feature").write_text(GOOD)
    (folder / "two.feature").write_text(GOOD)
    (found,) = feature_lint.problems_in([folder])
    assert found.startswith(f"{folder}/two.feature:2: ")
    assert f"is also the feature of {folder}/one.feature" in found


def test_features_may_be_linted_again_after_behave_expanded_their_outlines(folder: Path) -> None:
    (folder / "it.feature").write_text(GOOD)
    feature = parse_file(str(folder / "it.feature"))
    assert len(feature.walk_scenarios()) == 3
    assert feature_lint.problems([feature]) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: the file has no feature"),
        ("# only a comment\n", "1: the file has no feature"),
        (GOOD.replace("    Then every page", "    Thn every page"), "12: is no Gherkin: "),
        (GOOD.replace("| me    | 10     |", "| me |"), "14: is no Gherkin: "),
        (GOOD.replace("Scenario Outline: A", "Scenario: A"), "is no Gherkin: "),
    ],
)
def test_a_file_that_behave_would_drop_or_refuse_is_a_problem(folder: Path, text: str, problem: str) -> None:
    (folder / "it.feature").write_text(text)
    (found,) = feature_lint.problems_in([folder])
    assert found.startswith(f"{folder}/it.feature:{problem}" if problem[0].isdigit() else f"{folder}/it.feature:")
    assert problem in found


def test_a_folder_without_feature_files_is_a_problem(folder: Path) -> None:
    (found,) = feature_lint.problems_in([folder])
    assert "no feature file below this folder" in found


def test_a_missing_file_is_a_problem(folder: Path) -> None:
    (found,) = feature_lint.problems_in([folder / "missing.feature"])
    assert "cannot be read: No such file or directory; check the path" in found


def test_the_command_is_silent_on_good_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "it.feature").write_text(GOOD)
    assert feature_lint.main([str(folder)]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_lints_the_features_folder_by_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "it.feature").write_text("")
    assert feature_lint.main([]) == 1
    assert capsys.readouterr().out.startswith("features/it.feature:1: ")
