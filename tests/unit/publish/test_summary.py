import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from streampay_smoke.evidence.fleet import Disagreement, ReplicaAnswer
from streampay_smoke.gate.verdict import Action, Cost, FeatureCost, Fleet, Override, VerdictStatus
from streampay_smoke.publish import summary, wording
from streampay_smoke.publish.html import html_report
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.summary import (
    CONSOLE_LINES,
    Width,
    console_answer,
    console_block,
    paint_for,
    plain,
    summary_md,
    width_of,
)

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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


def test_checks_left_out_for_one_reason_share_a_row_that_names_each(sample: Callable[[str], Any]) -> None:
    run = many(sample, "excluded", 40)
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


def test_the_console_block_names_every_check_and_ends_with_what_next(sample: Callable[[str], Any]) -> None:
    block = console_block(sample("failing").report, plain)
    assert "\n  passed   The service is ready within 30 seconds  900 ms\n" in block
    assert '\n  failed   A caller with <junk> & "more" is refused (the release)  900 ms\n' in block
    assert "\nFAIL  The release broke a promise.\n" in block
    assert block.splitlines()[-1].startswith("Next: Roll back")
    assert "\033" not in block


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


def test_the_console_block_says_what_was_simulated(any_run: Any) -> None:
    assert f"On:   {wording.against(any_run.verdict)}" in console_block(any_run.report, plain)


def many(sample: Callable[[str], Any], name: str, count: int) -> Any:
    run = sample(name).report
    scenarios = tuple(
        msgspec.structs.replace(scenario, check=msgspec.structs.replace(scenario.check, scenario=f"number {number}"))
        for number in range(count)
        for scenario in run.scenarios
    )
    return msgspec.structs.replace(run, scenarios=scenarios)


@pytest.mark.parametrize("count", [1, 5, 8, 40])
@pytest.mark.parametrize("name", ["passing", "failing", "refused"])
def test_the_console_block_stays_short(sample: Callable[[str], Any], name: str, count: int) -> None:
    assert len(console_block(many(sample, name, count), plain).splitlines()) <= CONSOLE_LINES


def test_features_that_passed_whole_are_folded_when_there_are_many_checks(sample: Callable[[str], Any]) -> None:
    lines = console_block(many(sample, "failing", 8), plain).splitlines()
    assert "Service is ready: 8 of 8 passed" in lines
    assert sum(line.startswith("  failed") for line in lines) == 8


def test_only_what_went_wrong_is_shown_when_there_is_too_much_of_it(sample: Callable[[str], Any]) -> None:
    lines = console_block(many(sample, "failing", 40), plain).splitlines()
    assert "more: 80 passed, 40 failed in all" in "\n".join(lines)
    assert not any(line.startswith("  passed") for line in lines)


def test_where_nothing_went_wrong_and_room_is_short_the_checks_are_counted(
    sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "CONSOLE_LINES", 0)
    lines = console_block(many(sample, "passing", 2), plain).splitlines()
    assert "  6 passed in all" in lines
    assert not any("more: " in line for line in lines)


def test_long_lines_are_cut(sample: Callable[[str], Any]) -> None:
    run = sample("failing").report
    check = msgspec.structs.replace(run.scenarios[1].check, scenario="long " * 100)
    block = console_block(
        msgspec.structs.replace(run, scenarios=(msgspec.structs.replace(run.scenarios[1], check=check),)), plain
    )
    assert max(len(line) for line in block.splitlines()) <= 160
    assert "..." in block


def test_evidence_cannot_command_the_terminal(sample: Callable[[str], Any]) -> None:
    run = sample("ledger_down")
    verdict = msgspec.structs.replace(run.verdict, message_long="\x1b[2J\x9b31m\x07 gone\n  passed  all")
    block = console_block(msgspec.structs.replace(run, verdict=verdict).report, plain)
    assert "\nWhy:  [2J 31m gone passed all\n" in block


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: io.StringIO, environ: dict[str, str], coloured: bool, sample: Callable[[str], Any]
) -> None:
    block = console_block(sample("failing").report, paint_for(stream, environ))
    assert ("\033[" in block) == coloured


@pytest.mark.parametrize("status", list(VerdictStatus))
def test_every_verdict_has_its_meaning_and_its_next_step(sample: Callable[[str], Any], status: VerdictStatus) -> None:
    verdict = msgspec.structs.replace(sample("passing").verdict, verdict=status)
    assert wording.MEANING[status]
    assert wording.next_step(verdict)


def test_a_missing_answer_that_counts_as_a_failure_still_holds(sample: Callable[[str], Any]) -> None:
    verdict = msgspec.structs.replace(sample("killed").verdict, exit_code=1)
    assert wording.next_step(verdict).startswith("Hold: promote nothing, roll nothing back.")
    assert wording.next_step(verdict).endswith(
        "Its exit code is that of a failure, as this run was told (--on-inconclusive fail)."
    )


@pytest.mark.parametrize("name", ["passing", "failing"])
def test_what_only_holds_asks_for_nothing_else(sample: Callable[[str], Any], name: str) -> None:
    verdict = msgspec.structs.replace(sample(name).verdict, action=Action.HOLD)
    assert wording.next_step(verdict).startswith("Hold: ")


@pytest.mark.parametrize(
    ("to", "action", "said"),
    [
        (VerdictStatus.PASS, Action.PROMOTE, "Promote on the word"),
        (
            VerdictStatus.PASS,
            Action.HOLD,
            "Hold: the word of the person named stands for a run that did not play the whole",
        ),
        (VerdictStatus.INCONCLUSIVE, Action.HOLD, "Hold on the word"),
    ],
)
def test_an_override_says_what_the_word_of_a_person_is_for(
    sample: Callable[[str], Any], to: VerdictStatus, action: Action, said: str
) -> None:
    override = Override(who="ana", why="drill", until="2027-01-01T00:00:00Z", from_="CONFIG", to=to)
    verdict = msgspec.structs.replace(sample("passing").verdict, verdict=to, action=action, overrides=(override,))
    assert wording.next_step(verdict).startswith(said)
    assert "The evidence says CONFIG: see to its cause" in wording.next_step(verdict)


def test_only_a_run_that_nobody_pointed_at_a_deployment_is_a_rehearsal(sample: Callable[[str], Any]) -> None:
    verdict = sample("passing").verdict
    simulated = msgspec.structs.replace(verdict.target, simulated=True)
    named = msgspec.structs.replace(verdict, target=simulated, action=Action.PROMOTE)
    assert wording.next_step(named) == "Promote the release. What was judged is a simulation."
    rehearsed = msgspec.structs.replace(named, target=msgspec.structs.replace(simulated, rehearsal=True))
    assert wording.next_step(rehearsed).startswith("This was a rehearsal")


def test_a_release_is_named_with_the_expected_one_where_they_differ(sample: Callable[[str], Any]) -> None:
    verdict = sample("passing").verdict
    assert wording.release(verdict) == "r-42"
    other = msgspec.structs.replace(verdict.target, release_expected="r-43")
    assert wording.release(msgspec.structs.replace(verdict, target=other)) == "r-42 (expected r-43)"
    none = msgspec.structs.replace(verdict.target, release_expected="", releases_observed=())
    assert wording.release(msgspec.structs.replace(verdict, target=none)) == "not stated"


@pytest.mark.parametrize(
    ("duration_ms", "text"), [(0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (59_900, "59.9 s"), (65_000, "1 min 5 s")]
)
def test_durations_are_for_people(duration_ms: int, text: str) -> None:
    assert wording.seconds(duration_ms) == text


@pytest.mark.parametrize(
    ("proof", "ledger", "text"),
    [
        ("ledger", 7, "Proved on the ledger: transaction t in ledger 7."),
        ("ledger", None, "Proved on the ledger: transaction t."),
        ("service", None, "Claimed by the service only, the ledger was not asked: transaction t."),
    ],
)
def test_a_settlement_is_told_with_its_proof(
    sample: Callable[[str], Any], proof: str, ledger: int | None, text: str
) -> None:
    verdict = sample("passing").verdict
    proved = msgspec.structs.replace(verdict.settlement, tx_hash="t", ledger=ledger, proof=proof)
    assert wording.settlement(msgspec.structs.replace(verdict, settlement=proved)) == text


def test_a_real_ledger_that_answered_is_real(sample: Callable[[str], Any]) -> None:
    verdict = sample("passing").verdict
    chain = msgspec.structs.replace(verdict.chain, simulated=False, network="testnet")
    assert wording.ledger(msgspec.structs.replace(verdict, chain=chain)) == "real"


def test_attributions_are_worded_plainly() -> None:
    assert wording.who("dependency") == "a dependency"
    assert wording.who("none") == ""
    assert wording.who("a word of tomorrow") == "a word of tomorrow"


def test_a_verdict_of_before_the_paragraph_gives_its_line_as_the_reason(sample: Callable[[str], Any]) -> None:
    verdict = msgspec.structs.replace(sample("passing").verdict, message="only a line", message_long="")
    assert wording.reason(verdict) == "only a line"


def test_a_reason_the_verdict_had_to_cut_off_is_told_whole(sample: Callable[[str], Any]) -> None:
    run = sample("failing")
    assert "…" in run.verdict.message
    assert "Next: look at the release's authentication middleware." in wording.reason(run.verdict)
    assert "Next: look at the release's authentication middleware." in console_block(run.report, plain)


def test_an_endless_reason_takes_three_lines(sample: Callable[[str], Any]) -> None:
    run = sample("ledger_down")
    verdict = msgspec.structs.replace(run.verdict, message_long="so it is " * 200)
    lines = console_block(msgspec.structs.replace(run, verdict=verdict).report, plain).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Why:  "))
    assert lines[first + 2].endswith(" ...")
    assert lines[first + 3].startswith("On:   ")


def test_a_reason_that_is_too_long_still_says_what_to_do_next(sample: Callable[[str], Any]) -> None:
    run = sample("ledger_down")
    verdict = msgspec.structs.replace(run.verdict, message_long=f"{'so it is ' * 200}. Next: look at the ledger first.")
    report = msgspec.structs.replace(run, verdict=verdict).report
    for width in (Width(), Width(check=50, sentence=50)):
        assert "      Next: look at the ledger first.\n" in console_block(report, plain, width)


@pytest.mark.parametrize("name", ["passing", "failing", "refused"])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_block_is_as_wide_as_its_terminal_but_for_what_to_do_next(
    sample: Callable[[str], Any], name: str, columns: int
) -> None:
    lines = console_block(sample(name).report, plain, Width(check=columns, sentence=columns)).splitlines()
    assert all(len(line) <= columns for line in lines if "Next: " not in line and not line.startswith("Code: "))


@pytest.mark.parametrize("name", ["passing", "failing", "refused"])
def test_an_answer_has_five_lines(sample: Callable[[str], Any], name: str) -> None:
    run = sample(name)
    lines = console_answer(run.report, plain).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["Why:", "On:", "Paid:", "Next:"]
    assert lines[-1].startswith(f"Next: {wording.next_step(run.verdict)}")


def test_a_broken_promise_is_explained_in_parts(sample: Callable[[str], Any]) -> None:
    lines = console_block(sample("failing").report, plain).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Why:  "))
    assert lines[at : at + 5] == [
        'Why:  A caller with <junk> & "more" is refused: the answer is a refusal',
        "      expected 401 or 403",
        "      seen     200 with 3 streams",
        "      The release did not keep its promise, and no control probe explains it otherwise.",
        "      Next: look at the release's authentication middleware.",
    ]


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


def test_nothing_is_said_twice_of_what_to_do_next(any_run: Any) -> None:
    text = wording.reason(any_run.verdict)
    assert not text.endswith(("Next: roll back.", "Next: hold, run again.", "Next: mend, run again.", "hold, page."))


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert width_of(Terminal()) == Width(check=72, sentence=72)
    assert width_of(io.StringIO()) == Width()


def test_a_summary_of_endless_evidence_stays_within_the_limits_of_git_hub(sample: Callable[[str], Any]) -> None:
    run = many(sample, "failing", 200)
    endless = tuple(
        msgspec.structs.replace(scenario, check=msgspec.structs.replace(scenario.check, hint="x" * 100_000))
        for scenario in run.scenarios
    )
    text = summary_md(msgspec.structs.replace(run, scenarios=endless))
    assert len(text) < 1_000_000
    assert len(text.splitlines()) <= 120
