import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streampay_smoke.core.files import replace_file, replacing_folder
from streampay_smoke.publish.allure import CATEGORIES, environment, report_name, write_allure_results
from streampay_smoke.publish.executor import executor

ALLURE_CONFIG = Path(__file__).parents[3] / "report" / "allurerc.json"


class Results:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = [json.loads(path.read_text()) for path in sorted(folder.glob("*-result.json"))]

    def named(self, name: str) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = [result for result in self.results if result["name"] == name]
        return found

    def labels(self, name: str) -> dict[str, list[str]]:
        labels: dict[str, list[str]] = {}
        for label in self.named(name)["labels"]:
            labels.setdefault(label["name"], []).append(label["value"])
        return labels

    def globals(self) -> dict[str, Any]:
        (found,) = self.folder.glob("*-globals.json")
        document: dict[str, Any] = json.loads(found.read_text())
        return document

    def properties(self) -> dict[str, str]:
        lines = (self.folder / "environment.properties").read_text("ascii").splitlines()
        pairs = (line.split(" = ", 1) for line in lines)
        return {unescaped(name): unescaped(value) for name, value in pairs}


def unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-f]{4})|\\(.)", lambda found: found[2] or chr(int(found[1], 16)), text)


@pytest.fixture
def written(tmp_path: Path, sample: Callable[[str], Any]) -> Callable[[str], Results]:
    def write(name: str) -> Results:
        write_allure_results(tmp_path / "allure-results", sample(name).report, {})
        return Results(tmp_path / "allure-results")

    return write


READY = "The service is ready within 30 seconds"
REFUSED = 'A caller with <junk> & "more" is refused'
PAID = "The recipient is paid exactly once"


@pytest.mark.parametrize(
    ("run", "name", "status"),
    [
        ("passing", READY, "passed"),
        ("failing", REFUSED, "failed"),
        ("ledger_down", PAID, "broken"),
        ("killed", REFUSED, "broken"),
        ("killed", PAID, "skipped"),
        ("excluded", PAID, "skipped"),
        ("hook_failed", PAID, "broken"),
        ("set_up_failed", PAID, "broken"),
        ("refused", "The run was refused before any scenario", "broken"),
        ("after_all_failed", "The run as a whole", "broken"),
        ("empty", "The run as a whole", "broken"),
    ],
)
def test_allure_tells_the_truth(written: Callable[[str], Results], run: str, name: str, status: str) -> None:
    assert written(run).named(name)["status"] == status


def test_there_is_a_result_for_every_expected_scenario_whatever_happened(any_run: Any, tmp_path: Path) -> None:
    write_allure_results(tmp_path / "results", any_run.report, {})
    assert len(list((tmp_path / "results").glob("*-result.json"))) == max(len(any_run.report.scenarios), 1)


def test_results_are_labelled_by_epic_feature_story_severity_tags_and_place(written: Callable[[str], Results]) -> None:
    labels = written("passing").labels(READY)
    assert labels["epic"] == ["Contract of the API"]
    assert labels["owner"] == ["API"]
    assert labels["feature"] == ["Service is ready"]
    assert labels["story"] == [READY]
    assert labels["severity"] == ["critical"]
    assert labels["tag"] == ["readiness", "smoke"]
    assert labels["host"] == labels["region"] == ["eu-1"]
    assert labels["thread"] == ["In turn"], "the timeline shows nothing without one"
    assert not {"framework", "language"} & set(labels), "they say nothing about the product"


def test_money_and_decision_are_among_the_first_lines(sample: Callable[[str], Any]) -> None:
    lines = environment(msgspec.structs.replace(sample("passing").report, decision="hold: a rehearsal"))
    assert [name for name in lines if name != "Objectives"][:5] == [
        "Verdict",
        "Money",
        "Decision",
        "Why",
        "Reason code",
    ]
    assert lines["Money"] == "The recipient was paid 10.5 XLM, proved in ledger 120 of a simulation."


def test_a_tag_may_set_a_label_of_its_own(script: Any, sample: Callable[[str], Any], tmp_path: Path) -> None:
    run = sample("passing").report
    tagged = msgspec.structs.replace(run.scenarios[0], tags=("allure.story:Readiness", "minor"))
    write_allure_results(tmp_path / "r", msgspec.structs.replace(run, scenarios=(tagged,)), {})
    labels = Results(tmp_path / "r").labels(READY)
    assert (labels["story"], labels["severity"]) == (["Readiness"], ["minor"])


def test_a_link_tag_becomes_a_link_and_no_tag(written: Callable[[str], Results]) -> None:
    links = written("passing").named(READY)["links"]
    assert links == [{"type": "link", "url": "https://runbook.example/readiness", "name": "runbook"}]


def test_a_run_without_a_region_is_labelled_with_its_environment(sample: Callable[[str], Any], tmp_path: Path) -> None:
    run = sample("passing").report
    nowhere = msgspec.structs.replace(run.verdict.target, region="")
    verdict = msgspec.structs.replace(run.verdict, target=nowhere)
    write_allure_results(tmp_path / "r", msgspec.structs.replace(run, verdict=verdict), {})
    labels = Results(tmp_path / "r").labels(READY)
    assert labels["host"] == ["sandbox"]
    assert "region" not in labels


def test_identities_are_stable_from_run_to_run(sample: Callable[[str], Any], tmp_path: Path) -> None:
    first, other = sample("passing").report, sample("failing").report
    verdict = msgspec.structs.replace(other.verdict, run_id="another-run")
    write_allure_results(tmp_path / "a", first, {})
    write_allure_results(tmp_path / "b", msgspec.structs.replace(other, verdict=verdict), {})
    a, b = Results(tmp_path / "a").named(REFUSED), Results(tmp_path / "b").named(REFUSED)
    for identity in ("historyId", "testCaseId", "fullName"):
        assert a[identity] == b[identity]
    assert a["uuid"] != b["uuid"]


def test_exchanges_are_attached_to_the_step_they_happened_in(written: Callable[[str], Results]) -> None:
    results = written("passing")
    step = results.named(READY)["steps"][0]
    line = step["steps"][0]
    (attachment,) = line["attachments"]
    assert attachment["name"] == line["name"] == "service: GET /readyz → 200 (12 ms)"
    text = (results.folder / attachment["source"]).read_text()
    assert "request id: req-1" in text
    assert '"token": "<redacted>"' in text


def test_checks_and_waits_are_lines_of_their_step(written: Callable[[str], Results]) -> None:
    step = written("failing").named(REFUSED)["steps"][2]
    assert [(line["name"], line["status"]) for line in step["steps"]] == [
        ("the service says it is ready", "passed"),
        ("the answer is a refusal", "failed"),
    ]
    assert {"name": "seen", "value": "200 with 3 streams"} in step["steps"][1]["parameters"]


def test_the_failed_step_has_the_error_of_its_scenario(written: Callable[[str], Results]) -> None:
    result = written("failing").named(REFUSED)
    assert result["steps"][2]["statusDetails"] == result["statusDetails"]
    assert "Next: look at the release's authentication middleware" in result["statusDetails"]["trace"]


def test_an_exclusion_shows_its_reason(written: Callable[[str], Results]) -> None:
    details = written("excluded").named(PAID)["statusDetails"]
    assert details["message"] == "Excluded here: production is read-only: its money scenarios run in staging"


@pytest.mark.parametrize(
    ("run", "name", "category"),
    [
        ("failing", REFUSED, "Product: the release broke a promise"),
        ("ledger_down", PAID, "Dependency: something the release stands on was down"),
        ("hook_failed", PAID, "Harness: the suite or its machine failed"),
        ("refused", "The run was refused before any scenario", "Safety: the guard of real money refused"),
        ("killed", REFUSED, "Did not run: no evidence"),
        ("killed", PAID, "Did not run: no evidence"),
    ],
)
def test_every_unhappy_result_falls_into_one_category(
    written: Callable[[str], Results], run: str, name: str, category: str
) -> None:
    results = written(run)
    result = results.named(name)
    categories = json.loads((results.folder / "categories.json").read_text())
    matching = [
        item["name"]
        for item in categories
        if result["status"] in item["matchedStatuses"]
        and re.fullmatch(item["traceRegex"], result["statusDetails"]["trace"])
    ]
    assert matching == [category]


def test_allures_own_configuration_has_the_same_categories() -> None:
    assert json.loads(ALLURE_CONFIG.read_text())["categories"] == json.loads(msgspec.json.encode(CATEGORIES))


def test_the_environment_says_what_was_judged_and_whether_it_was_real(written: Callable[[str], Results]) -> None:
    lines = written("failing").properties()
    assert lines["Verdict"] == "FAIL (ROLLBACK)"
    assert (lines["Service"], lines["Ledger"]) == ("simulated", "simulated")
    assert lines["Base URL"] == "http://127.0.0.1:8123"
    assert (lines["Release expected"], lines["Release observed"]) == ("r-42", "r-42")
    assert lines["Run id"] == "20261123T190000Z-abc123"


def test_the_environment_of_a_run_that_never_reached_anything_says_so(sample: Callable[[str], Any]) -> None:
    lines = environment(sample("empty").report)
    assert (lines["Service"], lines["Ledger"]) == ("not reached", "not reached")
    assert "Region" not in lines


def test_properties_survive_every_character(sample: Callable[[str], Any], tmp_path: Path) -> None:
    run = sample("passing").report
    target = msgspec.structs.replace(run.verdict.target, region="a=b:c#d!\\é🙂\nend")
    verdict = msgspec.structs.replace(run.verdict, target=target)
    write_allure_results(tmp_path / "r", msgspec.structs.replace(run, verdict=verdict), {})
    text = (tmp_path / "r" / "environment.properties").read_text("ascii")
    assert "Region = a\\=b\\:c\\#d\\!\\\\\\u00e9\\ud83d\\ude42\\nend\n" in text


def test_a_verdict_other_than_pass_is_an_error_of_the_whole_run(written: Callable[[str], Results]) -> None:
    (error,) = json.loads(next(written("failing").folder.glob("*-globals.json")).read_text())["errors"]
    assert error["message"].startswith("FAIL")


def test_a_pass_has_no_error_of_the_whole_run(written: Callable[[str], Results]) -> None:
    assert "errors" not in written("passing").globals()


def test_summary_and_verdict_belong_to_the_whole_run(written: Callable[[str], Results]) -> None:
    results = written("failing")
    attached = {each["name"]: results.folder / each["source"] for each in results.globals()["attachments"]}
    assert attached["summary.md"].read_text().startswith("# FAIL")
    assert json.loads(attached["verdict.json"].read_text())["verdict"] == "FAIL"


def test_results_of_an_earlier_run_do_not_stay(written: Callable[[str], Results]) -> None:
    written("passing")
    assert [result["name"] for result in written("refused").results] == ["The run was refused before any scenario"]


def test_the_report_is_named_after_the_verdict_and_the_environment(sample: Callable[[str], Any]) -> None:
    assert report_name(sample("failing").verdict) == "FAIL · sandbox · StreamPay deploy gate"
    assert report_name(sample("empty").verdict) == "INCONCLUSIVE · StreamPay deploy gate"


@pytest.mark.parametrize(
    ("environ", "name", "order", "url"),
    [
        ({}, "streampay-smoke", 0, ""),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_WORKFLOW": "deploy",
                "GITHUB_RUN_NUMBER": "7",
                "GITHUB_SERVER_URL": "https://github.example",
                "GITHUB_REPOSITORY": "streampay/app",
                "GITHUB_RUN_ID": "99",
            },
            "GitHub Actions",
            7,
            "https://github.example/streampay/app/actions/runs/99",
        ),
        (
            {"GITLAB_CI": "true", "CI_JOB_NAME": "smoke", "CI_PIPELINE_IID": "8", "CI_JOB_URL": "https://u:p@lab/9"},
            "GitLab CI",
            8,
            "https://<redacted>@lab/9",
        ),
        ({"JENKINS_URL": "https://j", "BUILD_NUMBER": "x", "BUILD_URL": "https://j/1"}, "Jenkins", 0, "https://j/1"),
    ],
)
def test_the_executor_is_the_ci_that_ran_this(environ: dict[str, str], name: str, order: int, url: str) -> None:
    ran_by = executor(environ)
    assert (ran_by.name, ran_by.build_order, ran_by.build_url) == (name, order, url)


def test_the_executor_file_is_in_allures_spelling(tmp_path: Path, sample: Callable[[str], Any]) -> None:
    write_allure_results(tmp_path / "r", sample("passing").report, {"JENKINS_URL": "j", "BUILD_NUMBER": "3"})
    assert json.loads((tmp_path / "r" / "executor.json").read_text()) == {
        "name": "Jenkins",
        "type": "jenkins",
        "buildOrder": 3,
    }


def test_a_run_by_hand_has_no_executor(tmp_path: Path, sample: Callable[[str], Any]) -> None:
    write_allure_results(tmp_path / "r", sample("passing").report, {})
    assert not (tmp_path / "r" / "executor.json").exists()


def test_the_thread_of_a_scenario_is_its_lane(sample: Callable[[str], Any], tmp_path: Path) -> None:
    run = sample("passing")
    laned = tuple(msgspec.structs.replace(entry, lane=3) for entry in run.entries)
    write_allure_results(tmp_path / "r", msgspec.structs.replace(run, entries=laned).report, {})
    assert Results(tmp_path / "r").labels(READY)["thread"] == ["Lane 3"]


def test_a_folder_that_could_not_be_filled_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "old").write_text("old")
    with pytest.raises(OSError, match="Is a directory"), replacing_folder(tmp_path / "r") as part:
        part.write_text("half")
    assert [path.name for path in tmp_path.rglob("*")] == ["r", "old"]


def test_a_file_is_replaced_whole_and_its_folder_made(tmp_path: Path) -> None:
    replace_file(tmp_path / "a" / "b", b"1")
    replace_file(tmp_path / "a" / "b", b"2")
    assert (tmp_path / "a" / "b").read_bytes() == b"2"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
