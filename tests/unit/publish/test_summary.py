from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from streampay_smoke.evidence.fleet import Disagreement, ReplicaAnswer
from streampay_smoke.gate.verdict import Cost, FeatureCost, Fleet
from streampay_smoke.publish import wording
from streampay_smoke.publish.html import html_report
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.summary import summary_md
from streampay_smoke.publish.terminal import console_answer, console_block, plain

COST = Cost(
    service_requests=63,
    ledger_requests=40,
    transactions=3,
    fees_stroops=321,
    most_locked_stroops=15_000_000,
    by_feature=(
        FeatureCost(
            feature="Settlement",
            service_requests=60,
            ledger_requests=40,
            transactions=3,
            fees_stroops=321,
            most_locked_stroops=15_000_000,
        ),
        FeatureCost(
            feature="",
            service_requests=3,
            ledger_requests=0,
            transactions=0,
            fees_stroops=0,
            most_locked_stroops=0,
        ),
    ),
)


def markdown(run: Any) -> str:
    return summary_md(run.report).decode()


FLEET = Fleet(
    declared=3,
    looks=9,
    replicas=("a", "b"),
    miss_probability=1.0,
    statement="2 replicas answered in 9 looks, of 3 that are declared",
    disagreements=(
        Disagreement(
            about="limits",
            of="GET /api/readyz",
            most=ReplicaAnswer(said="x-ratelimit-limit: 60", looks=8, replicas=("a",)),
            other=ReplicaAnswer(said="<b>30</b>", looks=1, replicas=("b",)),
        ),
    ),
)


def test_both_answers_of_replicas_that_disagree_stand_side_by_side(sample: Callable[[str], Any]) -> None:
    failing_run = sample("failing")
    told = msgspec.structs.replace(failing_run.report, verdict=replace(failing_run.verdict, fleet=FLEET))
    (row,) = [line for line in summary_md(told).decode().splitlines() if line.startswith("| limits")]
    assert row == (
        "| limits of GET /api/readyz | a: x-ratelimit-limit: 60 (8 looks) | b: &lt;b&gt;30&lt;/b&gt; (1 look) |"
    )
    page = html_report(told).decode()
    assert "a: x-ratelimit-limit: 60 (8 looks)" in page
    assert "b: &lt;b&gt;30&lt;/b&gt; (1 look)" in page
    assert FLEET.statement in page
    assert "Replicas that disagree" not in summary_md(failing_run.report).decode()


def test_the_summary_begins_with_the_verdict(any_run: Any) -> None:
    assert markdown(any_run).startswith(f"# {any_run.verdict.verdict}: ")


def test_the_summary_says_what_next_and_what_was_simulated(sample: Callable[[str], Any]) -> None:
    text = markdown(sample("failing"))
    assert "**Next: Roll back to the previous release" in text
    assert "service SIMULATED at http://127.0.0.1:8123, ledger SIMULATED (sandbox)" in text


def test_the_summary_has_a_row_for_every_check(any_run: Any) -> None:
    rows = [line for line in markdown(any_run).splitlines() if line.startswith(("| ✅", "| ❌", "| ⚠️", "| ⏭️", "| ⏸️"))]
    assert len(rows) == len(any_run.report.scenarios)


def test_the_summary_explains_what_went_wrong_where_something_did(sample: Callable[[str], Any]) -> None:
    text = markdown(sample("failing"))
    assert "## What went wrong" in text
    assert '1. **A caller with &lt;junk&gt; &amp; "more" is refused** (contract of the API; the release)' in text
    assert "   the answer is a refusal: expected 401 or 403, seen 200 with 3 streams." in text
    assert text.index("## What went wrong") < text.index("## Checks")
    assert "## What went wrong" not in markdown(sample("passing"))


def test_the_summary_shows_exclusions_and_scenarios_without_an_end(sample: Callable[[str], Any]) -> None:
    assert "| excluded: production is read-only" in markdown(sample("excluded"))
    assert "| interrupted | 0 |  |" in markdown(sample("killed"))
    assert "| did not run | 0 |  |" in markdown(sample("killed"))


def test_checks_left_out_for_one_reason_share_a_row_that_names_each(many: Callable[[str, int], Any]) -> None:
    run = many("excluded", 40)
    text = summary_md(run).decode()
    assert text.count("| excluded: production is read-only") == 1
    assert all(f"number {number};" in text for number in range(39))
    assert len(text.splitlines()) <= 60


def test_evidence_cannot_turn_into_markup(sample: Callable[[str], Any]) -> None:
    text = markdown(sample("failing"))
    assert "&lt;junk&gt; &amp; " in text
    assert "<junk>" not in text


def test_a_pipe_or_a_link_in_evidence_stays_in_its_cell(sample: Callable[[str], Any]) -> None:
    run = sample("failing")
    check = msgspec.structs.replace(run.verdict.checks[1], scenario="a | [b](c) \\| `d`\n*e*")
    text = markdown(msgspec.structs.replace(run, verdict=msgspec.structs.replace(run.verdict, checks=(check,))))
    assert "| a \\| \\[b\\](c) \\\\\\| \\`d\\` \\*e\\* |" in text


def test_what_a_run_cost_is_told_in_all_and_by_feature(sample: Callable[[str], Any]) -> None:
    run = sample("passing").report
    spent = replace(run, verdict=replace(run.verdict, cost=COST))
    whole = "63 requests to the service, 40 to the ledger, 3 transactions signed, 0.0000321 XLM in fees"

    assert f"\nCost: {whole}, at most 1.5 locked at a time; test money.\n" in console_block(spent, plain)
    assert whole in summary_md(spent).decode()
    page = html_report(spent).decode()
    assert whole in page
    assert '<th scope="row">Settlement</th><td>60</td><td>40</td><td>3</td><td>321</td><td>1.5</td>' in page
    assert f'<th scope="row">{wording.NO_FEATURE}</th><td>3</td>' in page


def test_a_verdict_without_a_cost_tells_none(sample: Callable[[str], Any]) -> None:
    run = sample("passing").report
    older = replace(run, verdict=replace(run.verdict, cost=None))

    assert "Cost" not in console_block(older, plain) + summary_md(older).decode() + html_report(older).decode()


@pytest.mark.parametrize(("name", "code"), [("failing", "promise_broken"), ("refused", "guard_refused")])
def test_every_answer_but_a_pass_names_its_section_of_the_runbook(
    sample: Callable[[str], Any], name: str, code: str
) -> None:
    run = sample(name).report
    assert f"\nCode: {code}, see docs/runbook.md#{code}\n" in console_block(run, plain)
    assert console_answer(run, plain).endswith(f" Reason code {code}, see docs/runbook.md#{code}.\n")
    assert f"`docs/runbook.md#{code}`" in summary_md(run).decode()
    passing = sample("passing").report
    assert "runbook" not in console_block(passing, plain) + console_answer(passing, plain)


def test_a_runbook_with_an_address_is_linked(sample: Callable[[str], Any]) -> None:
    run = sample("failing").report
    assert run.started is not None
    settings = {**run.started.settings, "runbook_url": "https://wiki.example/runbook"}
    linked = msgspec.structs.replace(run, started=msgspec.structs.replace(run.started, settings=settings))
    assert "[promise\\_broken](https://wiki.example/runbook#promise_broken)" in summary_md(linked).decode()


def test_the_same_sentence_on_money_is_in_the_answer_and_in_the_summary(any_run: Any) -> None:
    sentence = payment_summary(any_run.report).sentence
    assert f"\nPaid: {sentence[:100]}" in console_block(any_run.report, plain)
    assert summary_md(any_run.report).decode().splitlines()[2].startswith("**Money: ")


def test_a_summary_of_endless_evidence_stays_within_the_limits_of_git_hub(many: Callable[[str, int], Any]) -> None:
    run = many("failing", 200)
    endless = tuple(
        msgspec.structs.replace(scenario, check=msgspec.structs.replace(scenario.check, hint="x" * 100_000))
        for scenario in run.scenarios
    )
    text = summary_md(msgspec.structs.replace(run, scenarios=endless))
    assert len(text) < 1_000_000
    assert len(text.splitlines()) <= 120
