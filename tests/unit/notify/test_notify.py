"""Somebody is told: each service in its own words, at most once more often than it takes, and never for long."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from engine_double import Answered, Asked, Double, serving
from msgspec.structs import replace
from official import package
from waits import HANG_SECONDS, slowdown

from streampay_smoke.cli import main
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret, SecretAddress
from streampay_smoke.evidence.addresses import host_only
from streampay_smoke.evidence.chain import ChainRead
from streampay_smoke.evidence.events import Failure, RunRefused
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.policy import Circumstances, Decision, VerdictSummary, decide
from streampay_smoke.gate.verdict import Override, Verdict, VerdictStatus
from streampay_smoke.notify.delivery import MOST_ATTEMPTS, deliver
from streampay_smoke.notify.notice import Notice, is_told, notice_of, notice_of_a_test
from streampay_smoke.notify.targets import targets_of
from streampay_smoke.publish.report_model import report_of
from streampay_smoke.settings import load, load_evidence, load_notifications
from streampay_smoke.settings.notification import NotificationSettings

TOKEN = "xK9vT2mQ8rLw4ZpN7bJd3sHf"
WHSEC = "whsec_" + base64.b64encode(b"n" * 32).decode()


class Receiver:
    """Takes what it is sent, as the services do."""

    def answer(self, asked: Asked) -> Answered:
        return Answered(202 if asked.path in {"/v2/enqueue", "/v2/alerts"} else 200)


@pytest.fixture
def receiver() -> Iterator[Double]:
    with serving(Receiver()) as double:
        yield double


def settings(url: str) -> NotificationSettings:
    return NotificationSettings(
        notify_slack_url=SecretAddress(f"{url}/services/T0/B0/{TOKEN}"),
        notify_teams_url=SecretAddress(f"{url}/workflows/run?sig={TOKEN}"),
        notify_webhook_url=SecretAddress(f"{url}/hooks/{TOKEN}"),
        notify_webhook_secret=Secret(WHSEC),
        page_pagerduty_key=Secret(f"pd-{TOKEN}"),
        page_pagerduty_url=f"{url}/v2/enqueue",
        page_opsgenie_key=Secret(f"og-{TOKEN}"),
        page_opsgenie_url=f"{url}/v2/alerts",
        report_url="https://reports.example/{run_id}/",
        runbook_url="https://docs.example/runbook",
    )


def slack(url: str) -> NotificationSettings:
    return NotificationSettings(notify_slack_url=settings(url).notify_slack_url)


def verdict(word: str = "FAIL", *, rehearsal: bool = False) -> Verdict:
    blank = judge(ChainRead(entries=(), sha256=""))
    target = replace(
        blank.target,
        environment="staging",
        region="eu",
        rehearsal=rehearsal,
        releases_observed=("<!channel> & [x](y)",),
    )
    return replace(
        blank,
        run_id="20260101T000001Z-abc",
        verdict=VerdictStatus(word),
        reason_code="promise_broken",
        message="paid\ntwice",
        target=target,
    )


def decision(word: str = "FAIL", **run: Any) -> Decision:
    answer = VerdictSummary(status=VerdictStatus(word), reason_code="promise_broken")
    return decide(answer, Policy(), Circumstances(**{"whole_suite": True, **run}), run_id="20260101T000001Z-abc")


REFUSED = Entry(
    seq=1,
    at_ms=1,
    prev="",
    event=RunRefused(
        failure=Failure(kind="settings_invalid", blame="config", message="no"),
        runbook_url="https://docs.example/runbook",
    ),
)

PAGING = decision(on_fail="rollback")
"""Somebody counts on a rollback that is not made."""


def notice(url: str = "http://127.0.0.1:1", decided: Decision = PAGING, environ: Mapping[str, str] = {}) -> Notice:
    return notice_of(report_of((REFUSED,), verdict()), decided, settings(url), environ)


def problems(url: str, *, limit_seconds: float = HANG_SECONDS, pauses: list[float] | None = None) -> list[str]:
    """Tell one chat, and return what went wrong."""
    told = [] if pauses is None else pauses
    found = deliver(notice(url), targets_of(slack(url)), limit_seconds=limit_seconds, pause=told.append)
    return [result.problem for result in found]


def test_each_service_gets_what_its_interface_asks_for(receiver: Double) -> None:
    results = deliver(notice(receiver.url), targets_of(settings(receiver.url)))
    assert [(result.target, result.problem) for result in results] == [
        (name, "") for name in ("Slack", "Teams", "webhook", "PagerDuty", "Opsgenie")
    ]
    sent = {asked.path: asked for asked in receiver.asked}
    assert all(
        asked.method == "POST" and asked.headers["content-type"] == "application/json" for asked in sent.values()
    )

    lines = sent[f"/services/T0/B0/{TOKEN}"].json["text"].splitlines()
    assert len(lines) == 6
    assert lines[0] == "FAIL on staging, eu: release &lt;!channel&gt; &amp; [x](y)"
    assert lines[1] == "promise_broken: paid twice"
    assert lines[5] == (
        "<https://reports.example/20260101T000001Z-abc/|Report> · <https://docs.example/runbook#promise_broken|Runbook>"
    )

    assert sent["/workflows/run"].query == {"sig": TOKEN}
    (attachment,) = sent["/workflows/run"].json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert {block["type"] for block in attachment["content"]["body"]} == {"RichTextBlock"}
    assert [action["title"] for action in attachment["content"]["actions"]] == ["Report", "Runbook"]

    event = sent["/v2/enqueue"].json
    assert (event["routing_key"], event["event_action"]) == (f"pd-{TOKEN}", "trigger")
    assert event["dedup_key"] == "streampay-smoke:staging:eu:promise_broken"
    assert event["payload"]["severity"] == "critical"
    assert {"summary", "source", "severity"} <= event["payload"].keys()

    alert = sent["/v2/alerts"]
    assert alert.headers["authorization"] == f"GenieKey og-{TOKEN}"
    assert (alert.json["alias"], alert.json["priority"]) == (event["dedup_key"], "P1")
    assert len(alert.json["message"]) <= 130


def test_the_reference_library_verifies_the_webhook(receiver: Double) -> None:
    deliver(notice(receiver.url), targets_of(settings(receiver.url)))
    (asked,) = (asked for asked in receiver.asked if asked.path.startswith("/hooks/"))
    body = package("standardwebhooks").Webhook(WHSEC).verify(asked.body, asked.headers)
    assert (body["type"], body["data"]["verdict"], body["data"]["page"]) == ("gate.verdict", "FAIL", True)
    datetime.fromisoformat(body["timestamp"]).astimezone(UTC)
    assert TOKEN not in asked.body.decode()


def test_who_pages_is_told_of_pages_only(receiver: Double) -> None:
    results = deliver(notice(receiver.url, decision()), targets_of(settings(receiver.url)))
    assert [result.target for result in results] == ["Slack", "Teams", "webhook"]
    assert deliver(notice(receiver.url), []) == []


def test_a_busy_service_is_asked_again_when_it_says_so(receiver: Double) -> None:
    pauses: list[float] = []
    receiver.refuse(429, headers={"retry-after": "3"})
    receiver.refuse(503)
    assert problems(receiver.url, pauses=pauses) == [""]
    assert (pauses, len(receiver.asked)) == ([3.0, 1.0], 3)


@pytest.mark.parametrize(("status", "attempts"), [(500, MOST_ATTEMPTS), (400, 1), (404, 1)])
def test_a_service_that_refuses_is_named_and_its_address_is_not(receiver: Double, status: int, attempts: int) -> None:
    receiver.refuse(status, times=MOST_ATTEMPTS)
    assert problems(receiver.url) == [f"it answered with status {status}"]
    assert len(receiver.asked) == attempts


def test_a_redirect_is_refused(receiver: Double) -> None:
    receiver.refuse(307, headers={"location": f"{receiver.url}/elsewhere"})
    assert problems(receiver.url) == ["it answered with status 307, a redirect, which is not followed"]
    assert len(receiver.asked) == 1


def test_services_that_hang_hold_nobody_up_and_are_waited_for_together(receiver: Double) -> None:
    released = threading.Event()
    receiver.never_answer(released)
    receiver.refuse(429, headers={"retry-after": "60"})
    try:
        results = deliver(
            notice(receiver.url, decision()), targets_of(settings(receiver.url)), limit_seconds=2 * slowdown()
        )
    finally:
        released.set()
    found = sorted(result.problem for result in results)
    assert found[0] == ""
    assert found[1].startswith(f"{receiver.url}: there was no full answer in time after ")
    assert found[2] == "it answered with status 429"


def test_a_service_that_is_not_there_is_named_by_its_host_alone() -> None:
    (problem,) = problems("http://127.0.0.1:1")
    assert problem.startswith("http://127.0.0.1:1: the connection was refused")
    assert TOKEN not in problem


def test_where_nobody_says_where_reports_are_the_ci_is_linked() -> None:
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "7",
        "GITHUB_WORKFLOW": "deploy",
        "GITHUB_RUN_NUMBER": "1",
    }
    found = notice_of(report_of((), verdict()), PAGING, NotificationSettings(), github)
    assert [link.url for link in found.links] == ["https://github.com/a/b/actions/runs/7"]
    assert notice_of(report_of((), verdict()), PAGING, NotificationSettings(), {}).links == ()


def test_the_environment_says_which_verdicts_are_told() -> None:
    usual, every, none = Policy().notify, ("PASS",), ()
    hold = decision("CONFIG")
    assert is_told(verdict("CONFIG"), hold, usual)
    assert not is_told(verdict("PASS"), hold, usual)
    assert is_told(verdict("PASS"), hold, every)
    assert not is_told(verdict("CONFIG"), hold, none)
    assert is_told(verdict("CONFIG"), PAGING, none), "a page is always told"
    assert not is_told(verdict("CONFIG", rehearsal=True), hold, usual)
    override = Override(who="Ada", why="known", until="2026-01-01T00:00:00Z", from_="FAIL", to="PASS")
    assert is_told(replace(verdict("PASS"), overrides=(override,)), hold, none)
    with pytest.raises(ValueError, match="notify names 'MAYBE'"):
        Policy(notify=("MAYBE",))


# -- as settings


GIVEN = {
    "SMOKE_NOTIFY_SLACK_URL": f"https://hooks.slack.com/services/T0/B0/{TOKEN}",
    "SMOKE_NOTIFY_WEBHOOK_URL": f"https://example.org/hooks/{TOKEN}",
    "SMOKE_NOTIFY_WEBHOOK_SECRET": WHSEC,
    "SMOKE_PAGE_PAGERDUTY_KEY": f"pd-{TOKEN}",
}


def test_targets_are_secrets_of_a_run_and_addresses_alone_are_not_redacted() -> None:
    found = load(environ=GIVEN)
    assert TOKEN not in str(found.dump())
    assert TOKEN not in repr(found)
    assert {TOKEN, WHSEC, f"pd-{TOKEN}"} <= set(found.redacted())
    assert not any("slack.com" in secret for secret in found.redacted())
    assert [(target.name, host_only(target.address.reveal()), target.pages) for target in targets_of(found)] == [
        ("Slack", "https://hooks.slack.com", False),
        ("webhook", "https://example.org", False),
        ("PagerDuty", "https://events.pagerduty.com", True),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SMOKE_NOTIFY_SLACK_URL": f"http://hooks.slack.com/{TOKEN}"}, "SMOKE_NOTIFY_SLACK_URL is no https address"),
        ({"SMOKE_NOTIFY_TEAMS_URL": f"hooks.example/{TOKEN}"}, "SMOKE_NOTIFY_TEAMS_URL is not an http"),
        ({"SMOKE_PAGE_OPSGENIE_URL": "http://api.opsgenie.com/"}, "SMOKE_PAGE_OPSGENIE_URL is no https address"),
        ({"SMOKE_NOTIFY_WEBHOOK_URL": f"https://a.example/{TOKEN}"}, "SMOKE_NOTIFY_WEBHOOK_SECRET is not"),
        ({"SMOKE_NOTIFY_WEBHOOK_SECRET": f"whsec-{TOKEN}"}, "SMOKE_NOTIFY_WEBHOOK_SECRET is no webhook secret"),
    ],
)
def test_a_target_that_cannot_be_used_is_config_and_its_address_is_not_shown(given: dict[str, str], said: str) -> None:
    for reading in (load, load_notifications):
        with pytest.raises(SettingsInvalid, match=said) as raised:
            reading(environ=given)
        assert TOKEN not in f"{raised.value}{raised.value.next_step}"
    assert load_evidence(environ=given).notify_slack_url is None


# -- as commands


@pytest.fixture
def chat(receiver: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Double:
    monkeypatch.setenv("SMOKE_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("SMOKE_NOTIFY_SLACK_URL", f"{receiver.url}/services/T0/B0/{TOKEN}")
    return receiver


def test_the_end_of_a_run_is_told_and_failing_to_tell_changes_nothing(
    chat: Double, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = ["run", "--deadline", "soon", "--no-report"]
    assert main(refused) == 2
    well = capsys.readouterr()
    assert chat.asked[0].json["text"].startswith("CONFIG on sandbox: release not stated\nsettings_invalid: ")
    chat.refuse(403)
    assert main(refused) == 2
    badly = capsys.readouterr()
    assert "note: Slack was not told: it answered with status 403\n" in badly.err
    assert "note" not in well.err
    assert TOKEN not in f"{badly}{well}"
    written = [path.read_bytes() for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert written
    assert not any(TOKEN.encode() in content for content in written)


def test_targets_are_tried(chat: Double, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SMOKE_PAGE_PAGERDUTY_KEY", f"pd-{TOKEN}")
    monkeypatch.setenv("SMOKE_PAGE_PAGERDUTY_URL", f"{chat.url}/v2/enqueue")
    assert main(["notify", "--test"]) == 0
    said = capsys.readouterr().out
    assert said == "Slack: took the test\nPagerDuty: not tried, for it pages; --page tries it\n"
    assert chat.asked[0].json["text"].startswith("TEST of streampay-smoke: nothing happened\n")
    chat.refuse(410, when=lambda asked: "routing_key" in json.loads(asked.body))
    assert main(["notify", "--test", "--page"]) == 3
    assert "PagerDuty: not told: it answered with status 410\n" in capsys.readouterr().out
    monkeypatch.delenv("SMOKE_NOTIFY_SLACK_URL")
    monkeypatch.delenv("SMOKE_PAGE_PAGERDUTY_KEY")
    assert main(["notify", "--test"]) == 2
    assert "nobody is told" in capsys.readouterr().err


def test_a_test_wakes_nobody_for_good() -> None:
    found = notice_of_a_test(settings("http://127.0.0.1:1"), {}, page=True)
    assert (found.test, found.critical, found.incident) == (True, False, "streampay-smoke:::test")
