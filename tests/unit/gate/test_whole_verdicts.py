"""Whole verdicts, field by field: what was judged, on which ledger, by which evidence, and in which words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gate_stories import HELD, MONEY, READY, SETTLED, ended, planned, played, started
from msgspec.structs import replace

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.blocking import Examined
from streampay_smoke.gate.facts import (
    chain_of,
    cleanup_of,
    evidence_of,
    foreign_simulation,
    settlement_of,
    simulated_description,
    target_of,
)
from streampay_smoke.gate.findings import Finding, findings_of_checks, findings_of_the_run, unproved
from streampay_smoke.gate.history import RunHistory, fold
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import (
    Action,
    Chain,
    Check,
    Cleanup,
    Cost,
    Data,
    Evidence,
    Fleet,
    Settlement,
    Target,
    Timings,
    Verdict,
    VerdictStatus,
    schema,
    to_json,
)
from streampay_smoke.publish import wording

WriteJournal = Callable[..., JournalRead]

DOCUMENTED = Path(__file__).parents[3] / "docs" / "schemas" / "verdict.schema.json"
WHO = {
    "region": "eu-1",
    "release_expected": "v2",
    "trace_id": "ab" * 16,
    "signed_by": "cd" * 32,
    "contract_id": "C9",
}
BOTH_PASS = ended(readiness__ready="passed", settlement__paid="passed")


WRONG = events.Failure(kind="promise_broken", blame=Blame.PRODUCT, message="expected 5, saw 4")
HOW_TO_SELECT = "check --tags (SMOKE_TAGS), --name and the feature files; docs/tags.md lists the tags"


def seen(*moments: tuple[int, bool]) -> list[events.ChainSeen]:
    return [
        events.ChainSeen(network="testnet", simulated=simulated, ledger=ledger, contract_id="C9")
        for ledger, simulated in moments
    ]


def test_a_pass_field_by_field(journaled: WriteJournal) -> None:
    read = journaled(
        started(**WHO),
        planned(READY, MONEY),
        events.ReleaseSeen(moment="start", release="v2"),
        events.ServiceSeen(release="v2", network="testnet"),
        seen((5, False), (7, False), (9, False)),
        events.ResourceCreated(kind="stream", id="s1"),
        events.ResourceCreated(kind="stream", id="s2"),
        played(READY, HELD),
        played(MONEY, HELD, HELD, SETTLED),
        events.ResourceReleased(kind="stream", id="s1"),
        events.Warned(code="a", text="rotate"),
        events.Warned(code="a", text="rotate"),
        BOTH_PASS,
    )
    verdict = judge(read)
    assert verdict == Verdict(
        schema="streampay.dev/gate-verdict/v1",
        run_id="r1",
        verdict=VerdictStatus.PASS,
        exit_code=0,
        reason_code="all_promises_kept",
        message="PASS: 2 scenarios, 3 assertions, settlement proved by the ledger",
        attribution="none",
        action=Action.PROMOTE,
        target=Target(
            environment="staging",
            region="eu-1",
            base_url="https://staging.example",
            release_expected="v2",
            releases_observed=("v2",),
            simulated=False,
            reached=True,
        ),
        chain=Chain(network="testnet", simulated=False, contract_id="C9", ledger_start=5, ledger_end=9),
        checks=verdict.checks,
        settlement=Settlement(stream_id="stream-1", tx_hash="ab" * 32, ledger=7, proof="ledger"),
        objectives=(),
        evidence=Evidence(
            expected_ids=(READY.id, MONEY.id),
            executed_ids=(READY.id, MONEY.id),
            missing_ids=(),
            excluded_ids=(),
            assertions=3,
            journal_sha256=read.sha256,
        ),
        cleanup=Cleanup(created=2, deleted=1, leaked=1),
        timings=Timings(started_at_ms=1_000, ended_at_ms=1_280, total_ms=280),
        warnings=("rotate",),
        overrides=(),
        message_long="2 scenarios, 3 assertions, settlement proved by the ledger",
        trace_id="ab" * 16,
        signed_by="cd" * 32,
        data=Data(verdict=VerdictStatus.PASS, passed=True, failed=False, score=1),
        cost=Cost(
            service_requests=0, ledger_requests=0, transactions=0, fees_stroops=0, most_locked_stroops=0, by_feature=()
        ),
        fleet=Fleet(
            declared=None,
            looks=0,
            replicas=(),
            miss_probability=None,
            statement="no replica named itself in 0 looks over connections of their own; how many there are is not "
            "declared (service.replicas): whether one was missed is not known",
        ),
    )
    assert [(check.id, check.status) for check in verdict.checks] == [(READY.id, "passed"), (MONEY.id, "passed")]


def test_a_fail_field_by_field(journaled: WriteJournal) -> None:
    broken = events.Failure(kind="promise_broken", blame=Blame.PRODUCT, message="it lied", next_step="look")
    read = journaled(
        started(network="sandbox"),
        planned(READY, MONEY),
        events.ServiceSeen(simulated=True),
        played(READY, status="failed", failure=broken),
        played(MONEY, HELD, SETTLED),
        ended(failed=True, readiness__ready="failed", settlement__paid="passed"),
    )
    verdict = judge(read)
    reason = "The release did not keep its promise, and no control probe explains it otherwise."
    assert (verdict.verdict, verdict.exit_code, verdict.action) == (VerdictStatus.FAIL, 1, Action.ROLLBACK)
    assert verdict.message == (
        "FAIL [product] (simulated): The release is ready: it lied (at: Then ready). The release did not keep "
        "its promise, and no contr… -> roll back"
    )
    assert verdict.message_long == (
        f"The release is ready: it lied (at: Then ready). {reason} Next: look. Attributed to the release."
    )
    assert verdict.data == Data(verdict=VerdictStatus.FAIL, passed=False, failed=True, score=0)
    assert (verdict.reason_code, verdict.attribution) == ("promise_broken", "product")


def test_an_override_field_by_field(journaled: WriteJournal) -> None:
    broken = events.Failure(kind="promise_broken", blame=Blame.PRODUCT, message="it lied")
    override = events.Overridden(who="Ada", why="known", until_ms=60_000, to="PASS")
    read = journaled(
        started(),
        planned(READY),
        played(READY, status="failed", failure=broken),
        ended(failed=True, readiness__ready="failed"),
        override,
    )
    verdict = judge(read)
    said = (
        "OVERRIDDEN from FAIL by Ada until 1970-01-01T00:01:00Z: The release is ready: it lied (at: Then ready). "
        "The release did not keep its promise, and no control probe explains it otherwise."
    )
    assert (verdict.message_long, verdict.attribution, verdict.reason_code) == (said, "none", "overridden")
    assert verdict.message.startswith("PASS: OVERRIDDEN from FAIL by Ada until 1970-01-01T00:01:00Z: The release is")
    assert verdict.timings.ended_at_ms == 1_080, "an override is no part of the run's time"


def test_a_journal_of_nothing(journaled: WriteJournal) -> None:
    verdict = judge(journaled())
    assert verdict.target == Target(
        environment="",
        region="",
        base_url="",
        release_expected="",
        releases_observed=(),
        simulated=False,
        reached=False,
    )
    assert verdict.chain == Chain(network="", simulated=False, contract_id="", ledger_start=None, ledger_end=None)
    assert verdict.settlement == Settlement(stream_id="", tx_hash="", ledger=None, proof="none")
    assert (verdict.run_id, verdict.trace_id, verdict.signed_by) == ("", "", "")
    assert verdict.message_long == (
        "the journal ends before any scenario was planned. Attributed to the test suite or its machine. "
        "Next: hold, run again."
    )


def run_of(journaled: WriteJournal, *story: Any) -> RunHistory:
    return fold(journaled(*story).entries)


@pytest.mark.parametrize(
    ("service", "ledger", "long", "short"),
    [
        (True, True, "simulated service and ledger", "simulated"),
        (True, False, "simulated service", "simulated service"),
        (False, True, "simulated ledger", "simulated ledger"),
        (False, False, "", ""),
    ],
)
def test_what_is_simulated_is_said(journaled: WriteJournal, service: bool, ledger: bool, long: str, short: str) -> None:
    by_settings = run_of(journaled, started(service_simulated=service, network="sandbox" if ledger else "testnet"))
    by_answers = run_of(journaled, started(), events.ServiceSeen(simulated=service), seen((1, ledger), (2, not ledger)))
    for run in (by_settings, by_answers):
        assert (target_of(run).simulated, chain_of(run).simulated) == (service, ledger)
        assert simulated_description(run, short=False) == long
        assert simulated_description(run, short=True) == short


def test_a_simulation_is_foreign_where_nobody_chose_it(journaled: WriteJournal) -> None:
    answer = events.ServiceSeen(simulated=True)
    assert foreign_simulation(run_of(journaled, started(), answer))
    assert not foreign_simulation(run_of(journaled, started(service_simulated=True), answer))
    assert not foreign_simulation(run_of(journaled, started(network="sandbox"), answer))
    assert not foreign_simulation(run_of(journaled, started(), events.ServiceSeen()))
    assert not foreign_simulation(run_of(journaled, answer))


def test_releases_are_observed_once_each_in_their_order(journaled: WriteJournal) -> None:
    def answered(release: str, peer: str = "service") -> events.Exchanged:
        return events.Exchanged(peer=peer, method="GET", target="/", status=200, duration_ms=1, release=release)

    run = run_of(
        journaled,
        started(),
        answered("early"),
        events.ReleaseSeen(moment="start", release="a"),
        events.ReleaseSeen(moment="sample", release=""),
        answered("b"),
        answered("b"),
        answered(""),
        answered("stable", peer="stable"),
        events.ServiceSeen(release="c"),
        events.ServiceSeen(release=""),
    )
    assert target_of(run).releases_observed == ("c", "early", "a", "b")
    assert [(sighting.moment, sighting.release) for sighting in run.sightings] == [
        ("start", "a"),
        ("sample", ""),
        ("answer", "b"),
        ("answer", "b"),
    ]


def test_evidence_is_counted_by_what_was_planned(journaled: WriteJournal) -> None:
    other = replace(READY, id="readiness/other")
    story = (
        started(),
        planned(READY, MONEY, other, excluded=(events.Exclusion(id=MONEY.id, reason="read-only"),)),
        played(READY, HELD),
        played(MONEY, HELD),
        ended(),
    )
    verdict = judge(journaled(*story))
    assert verdict.evidence == Evidence(
        expected_ids=(READY.id, other.id),
        executed_ids=(READY.id,),
        missing_ids=(other.id,),
        excluded_ids=(MONEY.id,),
        assertions=2,
        journal_sha256=verdict.evidence.journal_sha256,
    )
    run = run_of(journaled, *story)
    assert evidence_of(run, (), JournalRead(entries=(), sha256="x")).journal_sha256 == "x"


def test_the_first_settlement_is_shown_and_left_overs_are_counted(journaled: WriteJournal) -> None:
    second = replace(SETTLED, stream_id="stream-2", ledger=8)
    run = run_of(
        journaled,
        events.ResourceCreated(kind="stream", id="1"),
        events.ResourceCreated(kind="stream", id="1"),
        events.ResourceCreated(kind="account", id="1"),
        events.ResourceReleased(kind="account", id="1"),
        events.ResourceReleased(kind="account", id="of somebody else"),
        played(MONEY, HELD, SETTLED, second),
    )
    assert settlement_of(run) == Settlement(stream_id="stream-1", tx_hash="ab" * 32, ledger=7, proof="ledger")
    assert cleanup_of(run) == Cleanup(created=2, deleted=1, leaked=1)


def found(journaled: WriteJournal, *story: Any) -> list[tuple[str, str, str, str]]:
    read = journaled(*story)
    findings = findings_of_the_run(fold(read.entries), read)
    return [(str(each.status), each.reason_code, each.attribution, each.text) for each in findings]


CONFIG_REFUSAL = events.RunRefused(
    failure=events.Failure(kind="settings_invalid", blame=Blame.CONFIG, message="no URL", next_step="set it")
)
RUN_FINDINGS: dict[str, tuple[list[Any], list[tuple[str, str, str, str]]]] = {
    "nothing": ([started(), planned(READY), ended()], []),
    "never started": (
        [started()],
        [
            ("INCONCLUSIVE", "never_started", "harness", "the journal ends before any scenario was planned"),
            ("INCONCLUSIVE", "unfinished", "harness", "the journal ends before the run did"),
        ],
    ),
    "nobody knows what was asked": (
        [planned(READY), ended()],
        [("INCONCLUSIVE", "never_started", "harness", "the journal ends before any scenario was planned")],
    ),
    "nobody knows what was expected": (
        [planned(READY), events.ReleaseSeen(moment="start", release="a"), ended()],
        [("INCONCLUSIVE", "never_started", "harness", "the journal ends before any scenario was planned")],
    ),
    "refused": (
        [started(), CONFIG_REFUSAL, ended()],
        [("CONFIG", "settings_invalid", "config", "no URL; set it")],
    ),
    "refused without advice": (
        [started(), events.RunRefused(failure=events.Failure(kind="k", blame=Blame.SAFETY, message="no")), ended()],
        [("SAFETY", "k", "safety", "no")],
    ),
    "a hook that failed": (
        [started(), planned(READY), ended(failed=True, a="passed", b="skipped")],
        [("INCONCLUSIVE", "harness_error", "harness", "behave failed outside the scenarios (a hook or a clean-up)")],
    ),
    "a scenario tells it": ([started(), planned(READY), ended(failed=True, a="failed")], []),
    "the clock was set": (
        [started(), planned(READY), replace(ended(), clock_moved_seconds=-5.1)],
        [
            (
                "INCONCLUSIVE",
                "runner_clock_off",
                "harness",
                "this runner's clock was moved by -5.1 s while the run was played",
            )
        ],
    ),
    "the clock was corrected": ([started(), planned(READY), replace(ended(), clock_moved_seconds=5.0)], []),
    "defective features": (
        [started(), planned(READY, problems=("a: wrong", "b: wrong")), ended()],
        [("CONFIG", "suite_defective", "config", "a: wrong"), ("CONFIG", "suite_defective", "config", "b: wrong")],
    ),
    "a defective quarantine": (
        [
            started(),
            events.QuarantineRead(today="2026-01-02", entries=(), problems=("q: wrong",)),
            planned(READY),
            ended(),
        ],
        [("CONFIG", "suite_defective", "config", "q: wrong")],
    ),
    "nothing selected": (
        [started(), planned(), ended()],
        [("CONFIG", "nothing_selected", "config", f"no scenario matches @smoke; {HOW_TO_SELECT}")],
    ),
    "nothing selected by paths": (
        [started(), replace(planned(), tags=""), ended()],
        [("CONFIG", "nothing_selected", "config", f"no scenario matches the selection; {HOW_TO_SELECT}")],
    ),
    "everything excluded": (
        [started(), planned(READY, excluded=(events.Exclusion(id=READY.id, reason="r"),)), ended()],
        [
            (
                "CONFIG",
                "everything_excluded",
                "config",
                "every selected scenario is excluded in this environment or quarantined",
            )
        ],
    ),
    "another release": (
        [
            started(release_expected="new"),
            planned(READY),
            events.ReleaseSeen(moment="start", release="old"),
            ended(),
        ],
        [("FAIL", "release_unexpected", "product", "old answered where new was expected")],
    ),
    "a foreign simulation": (
        [started(), planned(READY), events.ServiceSeen(simulated=True), ended()],
        [
            (
                "CONFIG",
                "simulated_target",
                "config",
                "staging answered as a sandbox: a simulation cannot vouch for a deployment",
            )
        ],
    ),
}


@pytest.mark.parametrize("name", RUN_FINDINGS)
def test_what_speaks_against_a_run_is_said_to_the_letter(journaled: WriteJournal, name: str) -> None:
    story, findings = RUN_FINDINGS[name]
    assert found(journaled, *story) == findings


def test_a_journal_that_was_changed_speaks_first(journaled: WriteJournal) -> None:
    read = replace(journaled(started(), planned(READY), ended()), tampered_at=7)
    findings = findings_of_the_run(fold(read.entries), read)
    assert findings == [unproved("journal_tampered", "line 7 of the journal does not follow")]
    assert findings[0].attribution == "harness"


def test_a_check_that_gates_and_did_not_pass_is_a_finding(journaled: WriteJournal) -> None:
    run = run_of(journaled, started(), planned(READY), ended())
    check = Check(
        id=READY.id,
        feature="f",
        scenario="The release is ready",
        status="missing",
        attribution="harness",
        assertions=0,
        duration_ms=0,
        attempts=(),
        hint="never ran",
    )
    assert findings_of_checks(run, [Examined(check=check)]) == [
        Finding(
            status=VerdictStatus.INCONCLUSIVE,
            reason_code="scenarios_missing",
            attribution="harness",
            text="never ran",
            scenario="The release is ready",
            concern="",
            checks=(READY.id,),
        )
    ]
    for status in ("passed", "excluded", "quarantined"):
        assert findings_of_checks(run, [Examined(check=replace(check, status=status))]) == []


def test_an_interruption_names_the_step_it_met(journaled: WriteJournal) -> None:
    met = [events.ScenarioStarted(id=READY.id), events.StepStarted(text="When asked", budget_seconds=2.0)]
    read = journaled(started(), planned(READY), met, events.Interrupted(reason="SIGTERM", detail="by CI"))
    verdict = judge(read)
    step = "in step 'When asked' (budget 2 s), waiting for nothing it announced; nothing had answered in it"
    assert (verdict.reason_code, verdict.exit_code) == ("terminated", 143)
    assert verdict.message_long.startswith(f"ended by SIGTERM by CI {step}. Attributed to")
    gone = events.Interrupted(reason="killed", detail="behave was killed by SIGKILL")
    vouched = judge(journaled(started(), planned(READY), met, gone))
    assert vouched.message_long.startswith(f"behave was killed by SIGKILL {step}. Attributed to")
    late = judge(journaled(started(), planned(READY), met, events.Interrupted(reason="deadline", detail="too late")))
    assert (late.reason_code, late.exit_code) == ("deadline", 3)
    assert late.message_long.startswith(f"too late {step}. Next: see what the time went into; ")


def test_what_was_cut_off_is_not_red(journaled: WriteJournal) -> None:
    other = replace(READY, id="readiness/other", scenario="other")
    third = replace(READY, id="readiness/third", scenario="third")
    verdict = judge(
        journaled(
            started(),
            planned(READY, other, third),
            played(READY, status="failed", failure=WRONG),
            played(other, status="error", failure=events.cut_off("deadline")),
            events.Interrupted(reason="deadline", detail="too late"),
        )
    )
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.FAIL, WRONG.kind)
    assert [check.status for check in verdict.checks] == ["failed", "missing", "missing"]
    assert "red" not in verdict.message_long + verdict.message
    assert [cause.reason_code for cause in verdict.causes] == [WRONG.kind, "deadline"]


def test_what_is_told_beside_the_guard_accuses_nobody(journaled: WriteJournal) -> None:
    other = replace(READY, id="readiness/other", scenario="other")
    refused = events.Failure(kind="guard_refused", blame=Blame.SAFETY, message="the public network")
    put_off = replace(WRONG, kind="write_put_off", message="answered 503")
    story = (
        played(READY, status="failed", failure=put_off),
        played(other, status="error", failure=refused),
    )
    verdict = judge(journaled(started(), planned(READY, other), *story, ended()))
    assert verdict.verdict is VerdictStatus.SAFETY
    assert [cause.attribution for cause in verdict.causes] == ["safety", "dependency"]


def test_two_states_are_in_the_exit_code_alone(journaled: WriteJournal) -> None:
    verdict = judge(journaled(started(on_inconclusive="fail"), planned(READY), ended()))
    assert (verdict.exit_code, verdict.action) == (1, Action.HOLD)
    assert verdict.message == "INCONCLUSIVE [harness]: The release is ready: never ran -> hold, run again"
    assert verdict.message_long == (
        "The release is ready: never ran. Attributed to the test suite or its machine. Next: hold, run again."
    )


def test_a_long_name_leaves_room_for_what_happened(journaled: WriteJournal) -> None:
    long = replace(READY, scenario="The service and its dependencies are ready everybody")
    lied = events.Failure(kind="promise_broken", blame=Blame.PRODUCT, message="it lied " * 20)
    verdict = judge(journaled(started(), planned(long), played(long, status="failed", failure=lied), ended()))
    assert verdict.message.startswith("FAIL [product]: The service and its dependencies ar…: it lied it lied")


def test_an_interruption_by_nobodys_signal_is_inconclusive(journaled: WriteJournal) -> None:
    verdict = judge(journaled(started(), planned(READY), events.Interrupted(reason="killed")))
    assert (verdict.reason_code, verdict.exit_code, verdict.verdict) == ("terminated", 3, VerdictStatus.INCONCLUSIVE)


def test_a_safety_finding_outlives_an_interruption_by_a_signal(journaled: WriteJournal) -> None:
    money = events.Failure(kind="guard_refused", blame=Blame.SAFETY, message="real money")
    story = played(READY, status="error", failure=money)
    verdict = judge(journaled(started(), planned(READY), story, events.Interrupted(reason="SIGTERM")))
    assert (verdict.verdict, verdict.exit_code) == (VerdictStatus.SAFETY, 4)


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "PASS: 1 scenario, 1 assertions"), (2, "PASS: 2 scenarios, 2 assertions")],
)
def test_one_scenario_is_one(journaled: WriteJournal, count: int, said: str) -> None:
    expected = [replace(READY, id=f"readiness/{number}") for number in range(count)]
    statuses = events.RunFinished(failed=False, hook_failures=0, statuses={each.id: "passed" for each in expected})
    assert judge(
        journaled(started(), planned(*expected), *[played(each, HELD) for each in expected], statuses)
    ).message == (said)


def test_what_was_left_out_and_held_apart_is_counted_apart(journaled: WriteJournal) -> None:
    apart, left_out = replace(READY, id="readiness/apart"), replace(READY, id="readiness/out")
    entry = events.QuarantineEntry(id=apart.id, owner="o", ticket="t", until="2026-01-03", reason="slow")
    broken = events.Failure(kind="promise_broken", blame=Blame.PRODUCT, message="it lied")
    verdict = judge(
        journaled(
            started(),
            events.QuarantineRead(today="2026-01-03", entries=(entry,)),
            planned(READY, apart, left_out, excluded=(events.Exclusion(id=left_out.id, reason="r"),)),
            played(READY, HELD),
            played(apart, status="failed", failure=broken),
            ended(readiness__ready="passed", readiness__apart="failed", readiness__out="skipped"),
        )
    )
    assert verdict.message == "PASS: 1 scenario, 1 assertions, 1 excluded here, 1 quarantined and not passed"
    check = verdict.checks[1]
    assert check.quarantined is not None
    assert (check.quarantined.until, check.quarantined.reason, check.quarantined.found) == (
        "2026-01-03",
        "slow",
        "failed",
    )
    assert check.hint.startswith("Quarantined until 2026-01-03 by o (t); it failed: it lied")
    assert verdict.warnings == ()


def test_the_file_is_indented_and_its_schema_is_the_documented_one(journaled: WriteJournal) -> None:
    content = to_json(judge(journaled(started())))
    assert content.startswith(b'{\n  "schema": "streampay.dev/gate-verdict/v1",\n  "run_id": "r1",\n')
    assert content.endswith(b"}\n")
    assert schema() == json.loads(DOCUMENTED.read_text())


@pytest.mark.parametrize(
    ("peer", "status", "reached"), [("service", None, False), ("service", 502, True), ("stable", 200, False)]
)
def test_a_host_is_reached_by_an_answer_of_its_own(
    journaled: WriteJournal, peer: str, status: int | None, reached: bool
) -> None:
    asked = events.Exchanged(peer=peer, method="GET", target="/", status=status, duration_ms=1)
    verdict = judge(
        journaled(started(**WHO), planned(READY), asked, played(READY, HELD), ended(readiness__ready="passed"))
    )
    assert verdict.target.reached is reached
    assert wording.service(verdict) == (wording.REAL if reached else wording.NOT_REACHED)


def test_a_deployment_was_reached_that_named_a_release_or_itself() -> None:
    assert target_of(RunHistory(releases=["v1"])).reached
    assert target_of(RunHistory(services=[events.ServiceSeen(release="")])).reached
    assert target_of(RunHistory(service_answered=True)).reached
    assert not target_of(RunHistory()).reached
