import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import jinja2
import msgspec
import pytest

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.publish.html import html_report, render
from streampay_smoke.publish.report_model import report_of

LOADING = {"src", "srcset", "data", "poster", "action", "background"}


class Page(HTMLParser):
    """Reads a page, insisting that every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def scenarios(self) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.seen if tag == "details" and "scenario" in (attrs.get("class") or "")]


def page(run: Any) -> Page:
    return Page(html_report(run.report).decode())


def test_every_run_makes_a_whole_page_with_its_verdict_first(any_run: Any) -> None:
    read = page(any_run)
    words = [status for status in read.words if status.strip()]
    title = next(number for number, word in enumerate(words) if word.startswith("StreamPay deploy gate"))
    assert any_run.verdict.run_id in words[title]
    assert str(any_run.verdict.verdict) in words[title + 1]


def test_the_page_loads_nothing(any_run: Any) -> None:
    read = page(any_run)
    assert {tag for tag, _ in read.seen}.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form"})
    assert not any(LOADING & set(attrs) for _, attrs in read.seen)
    outside = [attrs for _, attrs in read.seen if not (attrs.get("href") or "#").startswith("#")]
    assert all(attrs["rel"] == "noreferrer" for attrs in outside), "a link is followed by a person, and tells nobody"
    style = next(status for status in read.words if ":root" in status)
    assert not re.search(r"url\(|@import", style)


def test_the_page_forbids_the_browser_to_load_anything(sample: Callable[[str], Any]) -> None:
    policies = [
        attrs["content"]
        for tag, attrs in page(sample("passing")).seen
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_unhappy_scenarios_are_open_and_passed_ones_closed(sample: Callable[[str], Any]) -> None:
    opened = {attrs["id"]: "open" in attrs for attrs in page(sample("failing")).scenarios()}
    assert list(opened.values()) == [False, True, False]


def test_the_error_comes_before_the_steps(sample: Callable[[str], Any]) -> None:
    text = html_report(sample("failing").report).decode()
    scenario = text[text.index('id="check-user_lists_streams') :]
    assert scenario.index("saw 200 with 3 streams") < scenario.index("Given a caller with a junk credential")
    assert scenario.index("Attributed to") < scenario.index("Given a caller with a junk credential")


def test_links_of_what_went_wrong_lead_to_the_checks(sample: Callable[[str], Any]) -> None:
    read = page(sample("killed"))
    links = [attrs["href"] for tag, attrs in read.seen if tag == "a"]
    assert links
    assert {f"#{attrs['id']}" for attrs in read.scenarios()} >= set(links)


def test_evidence_cannot_turn_into_markup(script: Any, sample: Callable[[str], Any]) -> None:
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    ready = sample("passing").entries[1].event.expected[0]
    run = script().begin(expected=(ready,)).open(ready)
    run.step(
        bad,
        events.Exchanged(
            peer=bad, method=bad, target=bad, status=500, duration_ms=1, request=bad, response=bad, request_id=bad
        ),
        events.Checked(promise=bad, held=False, expected=bad, observed=bad),
        status="failed",
        failure=events.Failure(kind=bad, blame="product", message=bad, next_step=bad),
    )
    verdict = msgspec.structs.replace(sample("failing").verdict, message=bad)
    check = msgspec.structs.replace(verdict.checks[1], id=ready.id, scenario=bad, feature=bad, hint=bad)
    report = report_of(tuple(run.close(ready, "failed").entries), msgspec.structs.replace(verdict, checks=(check,)))
    read = Page(html_report(report).decode())
    assert {tag for tag, _ in read.seen}.isdisjoint({"script", "img"})
    assert "<script>alert(1)</script>" in read.text


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("passing", "service: simulated"),
        ("excluded", "service: real"),
        ("excluded", "Left out here: production is read-only"),
        ("killed", "did not run"),
        ("killed", "interrupted here"),
        ("refused", "Nothing"),
        ("ledger_down", "waited in vain for the transaction to be final"),
        ("passing", "Proved on the ledger: transaction"),
        ("passing", "1 made, 1 brought to an end, 0 left behind"),
    ],
)
def test_the_page_says_what_matters(sample: Callable[[str], Any], run: str, words: str) -> None:
    expected = {"refused": "The guard of real money refused to go on."}.get(run, words)
    assert expected in page(sample(run)).text


def test_exchanges_can_be_opened(sample: Callable[[str], Any]) -> None:
    text = html_report(sample("passing").report).decode()
    assert "service: GET /readyz → 200 (12 ms)" in text
    assert "&#34;token&#34;: &#34;&lt;redacted&gt;&#34;" in text


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("refused", "Money was not looked at, because the run ended before its first check."),
        ("failing", "streampay-smoke run --env sandbox"),
        ("failing", "expected 401 or 403"),
    ],
)
def test_every_page_has_its_sentence_on_money_its_cause_and_its_way_to_run_again(
    sample: Callable[[str], Any], run: str, words: str
) -> None:
    found = page(sample(run)).text
    assert words in " ".join(found.split())


@pytest.mark.parametrize(
    ("run", "opened"),
    [("passing", [False, False, False]), ("failing", [False, True, False]), ("excluded", [False] * 3)],
)
def test_features_without_a_failure_are_folded(sample: Callable[[str], Any], run: str, opened: list[bool]) -> None:
    seen = page(sample(run)).seen
    features = [at for at, (_, attrs) in enumerate(seen) if attrs.get("class") == "feature"]
    assert ["open" in seen[at + 1][1] for at in features] == opened


def test_many_answered_requests_in_a_row_are_folded(script: Any) -> None:
    asked = events.Exchanged(peer="ledger", method="POST", target="getHealth", status=200, duration_ms=2)
    ready = events.ExpectedScenario(id="r", feature="f", scenario="s", location="", tags=(), steps=("Given it",))
    run = script().begin(expected=(ready,)).open(ready).step("Given it", *[asked] * 3).step("When it", *[asked] * 30)
    entries = tuple(run.close(ready).finish().entries)
    text = Page(html_report(report_of(entries, judge(JournalRead(entries=entries, sha256="5" * 64)))).decode()).text
    assert text.count("requests in a row") == 1
    assert "30 requests in a row, all answered" in text


def test_a_problem_is_told_in_parts(sample: Callable[[str], Any]) -> None:
    words = [word for word in page(sample("failing")).words if word.strip()]
    at = words.index("the answer is a refusal")
    assert words[at + 1 : at + 5] == ["Expected", "401 or 403", "Seen", "200 with 3 streams"]
    assert words[at + 5] == "Meaning"
    assert words[at + 7 : at + 9] == ["What to do", "look at the release's authentication middleware."]


def test_a_reason_code_leads_to_the_runbook(sample: Callable[[str], Any]) -> None:
    run = sample("failing").report
    assert "docs/runbook.md#promise_broken" in Page(html_report(run).decode()).words
    settings = {"runbook_url": "https://wiki.example/runbook"}
    linked = msgspec.structs.replace(run, started=msgspec.structs.replace(run.started, settings=settings))
    links = [attrs.get("href") for tag, attrs in Page(html_report(linked).decode()).seen if tag == "a"]
    assert "https://wiki.example/runbook#promise_broken" in links


def test_a_long_name_is_shown_short_and_copied_whole(sample: Callable[[str], Any]) -> None:
    text = html_report(sample("passing").report).decode()
    assert f'<span class="long" title="{"ab" * 32}">{"ab" * 32}</span>' in text


def test_the_decision_is_on_the_page(sample: Callable[[str], Any]) -> None:
    report = msgspec.structs.replace(sample("passing").report, decision="hold: <a rehearsal>")
    assert "hold: <a rehearsal>" in Page(html_report(report).decode()).text


def test_a_template_that_names_something_unknown_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("banner.html.j2", tone="#000")
