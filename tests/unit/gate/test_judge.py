"""The judge, both ways: PASS only for complete evidence, and the right word for everything else."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from gate_stories import HELD, MONEY, READY, SETTLED, ended, planned, played, started

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import Action, Verdict, VerdictStatus, from_json, to_json, written_at

WriteJournal = Callable[..., JournalRead]


def failure(blame: Blame, kind: str = "some_kind", message: str = "it went wrong") -> events.Failure:
    return events.Failure(kind=kind, blame=blame, message=message, next_step="look")


BOTH_PASS = ended(readiness__ready="passed", settlement__paid="passed")


def a_good_run() -> list[object]:
    return [started(), planned(READY, MONEY), played(READY, HELD), played(MONEY, HELD, SETTLED), BOTH_PASS]


def test_complete_evidence_is_a_pass(journaled: WriteJournal) -> None:
    verdict = judge(journaled(*a_good_run()))
    assert (verdict.verdict, verdict.exit_code, verdict.action) == (VerdictStatus.PASS, 0, Action.PROMOTE)
    assert verdict.message == "PASS: 2 scenarios, 2 assertions, settlement proved by the ledger"
    assert verdict.settlement.tx_hash == SETTLED.tx_hash
    assert verdict.evidence.missing_ids == ()


def test_no_prefix_of_a_good_run_is_a_pass(journaled: WriteJournal) -> None:
    whole = journaled(*a_good_run())
    for length in range(len(whole.entries)):
        cut = JournalRead(entries=whole.entries[:length], sha256="")
        assert judge(cut).verdict is VerdictStatus.INCONCLUSIVE, length


def test_no_good_run_without_one_of_its_events_is_a_pass(journaled: WriteJournal) -> None:
    whole = journaled(*a_good_run())
    for missing in whole.entries:
        rest = tuple(entry for entry in whole.entries if entry is not missing)
        assert judge(JournalRead(entries=rest, sha256="")).verdict is not VerdictStatus.PASS, missing.event


@pytest.mark.parametrize(
    ("blame", "expected_status", "exit_code", "action", "status"),
    [
        (Blame.PRODUCT, VerdictStatus.FAIL, 1, Action.ROLLBACK, "failed"),
        (Blame.CONFIG, VerdictStatus.CONFIG, 2, Action.HOLD, "broken"),
        (Blame.DEPENDENCY, VerdictStatus.INCONCLUSIVE, 3, Action.HOLD, "broken"),
        (Blame.HARNESS, VerdictStatus.INCONCLUSIVE, 3, Action.HOLD, "broken"),
        (Blame.SAFETY, VerdictStatus.SAFETY, 4, Action.HOLD, "broken"),
    ],
)
def test_the_blame_decides_the_word(
    journaled: WriteJournal, blame: Blame, expected_status: VerdictStatus, exit_code: int, action: Action, status: str
) -> None:
    story = played(READY, HELD, status="failed", failure=failure(blame))
    verdict = judge(journaled(started(), planned(READY), story, ended(failed=True, readiness__ready="failed")))
    assert (verdict.verdict, verdict.exit_code, verdict.action) == (expected_status, exit_code, action)
    assert verdict.reason_code == "some_kind"
    assert verdict.attribution == blame
    assert verdict.checks[0].status == status
    assert "Next: look." in verdict.checks[0].hint


def test_the_gravest_finding_wins_in_any_order(journaled: WriteJournal) -> None:
    order = [Blame.SAFETY, Blame.PRODUCT, Blame.CONFIG, Blame.DEPENDENCY]
    words = [VerdictStatus.SAFETY, VerdictStatus.FAIL, VerdictStatus.CONFIG, VerdictStatus.INCONCLUSIVE]
    for (graver, lighter), expected_status in zip(pairwise(order), words, strict=False):
        for first, second in ((graver, lighter), (lighter, graver)):
            verdict = judge(
                journaled(
                    started(),
                    planned(READY, MONEY),
                    played(READY, HELD, status="failed", failure=failure(first)),
                    played(MONEY, HELD, SETTLED, status="failed", failure=failure(second)),
                    ended(failed=True, readiness__ready="failed", settlement__paid="failed"),
                )
            )
            assert verdict.verdict is expected_status


def test_an_empty_selection_is_config(journaled: WriteJournal) -> None:
    verdict = judge(journaled(started(), planned(), ended()))
    assert (verdict.verdict, verdict.reason_code, verdict.exit_code) == (VerdictStatus.CONFIG, "nothing_selected", 2)


def test_excluding_everything_is_config(journaled: WriteJournal) -> None:
    excluded = (events.Exclusion(id=READY.id, reason="read-only"),)
    verdict = judge(journaled(started(), planned(READY, excluded=excluded), ended(readiness__ready="skipped")))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.CONFIG, "everything_excluded")


def test_a_named_exclusion_is_shown_and_does_not_stand_in_the_way(journaled: WriteJournal) -> None:
    excluded = (events.Exclusion(id=MONEY.id, reason="production is read-only"),)
    verdict = judge(
        journaled(
            started(),
            planned(READY, MONEY, excluded=excluded),
            played(READY, HELD),
            ended(readiness__ready="passed", settlement__paid="skipped"),
        )
    )
    assert verdict.verdict is VerdictStatus.PASS
    assert "1 excluded here" in verdict.message
    assert [(check.status, check.hint) for check in verdict.checks][1] == ("excluded", "production is read-only")
    assert verdict.evidence.excluded_ids == (MONEY.id,)


def test_a_skipped_scenario_nobody_excluded_is_inconclusive(journaled: WriteJournal) -> None:
    verdict = judge(
        journaled(
            started(),
            planned(READY, MONEY),
            played(READY, HELD),
            ended(readiness__ready="passed", settlement__paid="skipped"),
        )
    )
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "scenarios_missing")
    assert verdict.evidence.missing_ids == (MONEY.id,)


def test_a_scenario_that_asserted_nothing_is_inconclusive(journaled: WriteJournal) -> None:
    verdict = judge(journaled(started(), planned(READY), played(READY), ended(readiness__ready="passed")))
    assert (verdict.verdict, verdict.checks[0].rule) == (VerdictStatus.INCONCLUSIVE, "harness")
    assert "nothing was asserted by: Then ready" in verdict.message


def test_a_then_step_that_asserts_nothing_is_inconclusive_whatever_other_steps_assert(journaled: WriteJournal) -> None:
    early = [events.ScenarioStarted(id=READY.id), events.StepStarted(text="When asked"), HELD]
    early.append(events.StepFinished(text="When asked", status="passed", duration_ms=1))
    story = played(READY)
    verdict = judge(journaled(started(), planned(READY), [*early, *story[3:]], ended(readiness__ready="passed")))
    assert (verdict.verdict, verdict.checks[0].assertions) == (VerdictStatus.INCONCLUSIVE, 1)
    assert "nothing was asserted by: Then ready" in verdict.message


def test_a_step_that_left_no_evidence_is_inconclusive(journaled: WriteJournal) -> None:
    story = [event for event in played(READY, HELD) if getattr(event, "text", "") != "When asked"]
    verdict = judge(journaled(started(), planned(READY), story, ended(readiness__ready="passed")))
    assert verdict.verdict is VerdictStatus.INCONCLUSIVE
    assert "1 of 2 steps" in verdict.message


def test_a_swallowed_assertion_is_still_a_broken_promise(journaled: WriteJournal) -> None:
    broken = events.Checked(promise="paid once", held=False, expected="1", observed="2")
    verdict = judge(journaled(started(), planned(READY), played(READY, HELD, broken), ended(readiness__ready="passed")))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.FAIL, "promise_broken")


def test_a_clean_up_that_fails_after_the_scenario_is_inconclusive(journaled: WriteJournal) -> None:
    verdict = judge(
        journaled(started(), planned(READY), played(READY, HELD), ended(failed=True, readiness__ready="cleanup_error"))
    )
    assert verdict.verdict is VerdictStatus.INCONCLUSIVE


def test_a_hook_that_fails_outside_scenarios_is_inconclusive(journaled: WriteJournal) -> None:
    verdict = judge(
        journaled(
            started(),
            planned(READY),
            played(READY, HELD),
            ended(failed=True, hook_failures=1, readiness__ready="passed"),
        )
    )
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "harness_error")


def test_money_needs_the_proof_the_run_asks_for(journaled: WriteJournal) -> None:
    by_service = events.Settled(stream_id="s", tx_hash="x", ledger=None, proof="service", amount_stroops=None)
    story = [planned(MONEY), played(MONEY, HELD, by_service), ended(settlement__paid="passed")]
    refused = judge(journaled(started(proof="ledger"), *story))
    assert (refused.verdict, refused.reason_code) == (VerdictStatus.INCONCLUSIVE, "evidence_missing")


def test_the_services_word_is_shown_where_it_was_allowed(journaled: WriteJournal) -> None:
    by_service = events.Settled(stream_id="s", tx_hash="x", ledger=None, proof="service", amount_stroops=None)
    verdict = judge(
        journaled(
            started(proof="service"), planned(MONEY), played(MONEY, HELD, by_service), ended(settlement__paid="passed")
        )
    )
    assert verdict.verdict is VerdictStatus.PASS
    assert "settlement proved by the service" in verdict.message
    assert verdict.settlement.proof == "service"


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("killed", 3)])
def test_a_run_that_was_killed_is_inconclusive_even_with_a_failure(
    journaled: WriteJournal, signal: str, code: int
) -> None:
    verdict = judge(
        journaled(
            started(),
            planned(READY),
            played(READY, HELD, status="failed", failure=failure(Blame.PRODUCT)),
            events.Interrupted(reason=signal, detail="while in step: Then ready"),
        )
    )
    assert (verdict.verdict, verdict.reason_code, verdict.exit_code) == (VerdictStatus.INCONCLUSIVE, "terminated", code)


def test_a_killed_run_that_touched_real_money_is_still_safety(journaled: WriteJournal) -> None:
    story = played(READY, HELD, status="failed", failure=failure(Blame.SAFETY))
    verdict = judge(journaled(started(), planned(READY), story, events.Interrupted(reason="SIGTERM")))
    assert verdict.verdict is VerdictStatus.SAFETY


def test_a_deadline_leaves_a_proved_fault_standing_and_nothing_else(journaled: WriteJournal) -> None:
    deadline = events.Interrupted(reason="deadline", detail="while in step: Then paid")
    proved = played(READY, HELD, status="failed", failure=failure(Blame.PRODUCT))
    assert judge(journaled(started(), planned(READY, MONEY), proved, deadline)).verdict is VerdictStatus.FAIL
    slow = judge(JournalRead(entries=journaled(started(), planned(MONEY), deadline).entries[-3:], sha256=""))
    assert (slow.verdict, slow.reason_code, slow.exit_code) == (VerdictStatus.INCONCLUSIVE, "deadline", 3)
    assert "Then paid" in slow.message


def test_a_deadline_says_where_the_time_went_and_how_to_give_more(journaled: WriteJournal) -> None:
    waits = [
        events.Waited(what=what, met=True, within_seconds=9, waited_seconds=seconds, attempts=2, last="")
        for what, seconds in (("a ledger after 5", 4.0), ("the rate limit to let GET /x through", 12.4), ("short", 0.1))
    ]
    cut_off = [events.ScenarioStarted(id=MONEY.id), events.StepStarted(text="When paid", budget_seconds=30)]
    begun = events.Awaiting(what="the service to say that it is ready")
    deadline = events.Interrupted(reason="deadline", detail="the 9 s of this run were over in step 'When paid'")
    clean_up = events.CleanUpStarted(within_seconds=9)
    after = events.Waited(what="a ledger", met=True, within_seconds=9, waited_seconds=99, attempts=2, last="")
    story = (*waits, *cut_off, begun, *[events.StepStarted(text="When paid")] * 60, clean_up, after, deadline)
    verdict = judge(journaled(started(), planned(READY, MONEY), played(READY, HELD), *story))
    told_long = verdict.message_long
    assert f"spent: {MONEY.feature} 1 s" in told_long, told_long
    assert "of it waiting for rate limits 12 s, ledgers 4 s, readiness 1 s." in told_long
    assert "raise SMOKE_DEADLINE_SECONDS (--deadline, or deadline_seconds in environments/staging.toml)" in told_long


@pytest.mark.parametrize(("reason", "attribution"), [("deadline", "dependency"), ("SIGTERM", "harness")])
def test_a_deadline_that_the_ledger_used_up_is_the_ledgers(
    journaled: WriteJournal, reason: str, attribution: str
) -> None:
    stalled = played(READY, HELD, status="failed", failure=failure(Blame.DEPENDENCY, kind="chain_unavailable"))
    verdict = judge(journaled(started(), planned(READY, MONEY), stalled, events.Interrupted(reason=reason)))
    assert (verdict.verdict, verdict.attribution) == (VerdictStatus.INCONCLUSIVE, attribution)
    known = verdict.reason_code == "chain_unavailable"
    assert known is (attribution == "dependency")


@pytest.mark.parametrize(
    ("blame", "expected_status"),
    [
        (Blame.CONFIG, VerdictStatus.CONFIG),
        (Blame.SAFETY, VerdictStatus.SAFETY),
        (Blame.DEPENDENCY, VerdictStatus.INCONCLUSIVE),
    ],
)
def test_a_run_refused_before_it_began_says_why(
    journaled: WriteJournal, blame: Blame, expected_status: VerdictStatus
) -> None:
    refused = events.RunRefused(failure=failure(blame, kind="settings_invalid", message="no address"), run_id="r7")
    verdict = judge(journaled(refused))
    assert verdict.run_id == "r7"
    assert (verdict.verdict, verdict.reason_code) == (expected_status, "settings_invalid")
    assert "no address" in verdict.message


def test_a_defective_feature_file_is_config(journaled: WriteJournal) -> None:
    problem = "features/a.feature:3: a scenario without steps"
    verdict = judge(
        journaled(started(), planned(READY, problems=(problem,)), played(READY, HELD), ended(readiness__ready="passed"))
    )
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.CONFIG, "suite_defective")
    assert problem in verdict.message


def test_a_tampered_journal_is_never_a_pass(journaled: WriteJournal) -> None:
    whole = journaled(*a_good_run())
    verdict = judge(JournalRead(entries=whole.entries, sha256="", tampered_at=4))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "journal_tampered")


def test_a_sandbox_cannot_vouch_for_a_deployment(journaled: WriteJournal) -> None:
    seen = events.ServiceSeen(release="r", simulated=True)
    story = [planned(READY), seen, played(READY, HELD), ended(readiness__ready="passed")]
    assert judge(journaled(started(), *story)).reason_code == "simulated_target"


def test_a_rehearsal_on_the_sandbox_ledger_says_that_it_is_one(journaled: WriteJournal) -> None:
    seen = events.ServiceSeen(release="r", simulated=True)
    story = [planned(READY), seen, played(READY, HELD), ended(readiness__ready="passed")]
    verdict = judge(journaled(started(network="sandbox"), *story))
    assert verdict.verdict is VerdictStatus.PASS
    assert verdict.message.startswith("PASS (simulated service and ledger)")
    assert verdict.target.simulated
    assert verdict.chain.simulated


def test_two_state_engines_can_have_inconclusive_as_a_failure(journaled: WriteJournal) -> None:
    story = played(READY, HELD, status="failed", failure=failure(Blame.DEPENDENCY))
    verdict = judge(
        journaled(started(on_inconclusive="fail"), planned(READY), story, ended(failed=True, readiness__ready="failed"))
    )
    assert (verdict.verdict, verdict.exit_code, verdict.action) == (VerdictStatus.INCONCLUSIVE, 1, Action.HOLD)


def test_releases_and_ledgers_and_leaks_are_counted(journaled: WriteJournal) -> None:
    exchanged = events.Exchanged(peer="service", method="GET", target="/", status=200, duration_ms=1, release="r2")
    verdict = judge(
        journaled(
            started(),
            planned(READY),
            events.ServiceSeen(release="r1"),
            events.ChainSeen(network="testnet", simulated=False, ledger=5, contract_id="C1"),
            events.ChainSeen(network="testnet", simulated=False, ledger=9, contract_id="C1"),
            events.ResourceCreated(kind="stream", id="a"),
            events.ResourceCreated(kind="stream", id="b"),
            events.ResourceReleased(kind="stream", id="a"),
            played(READY, HELD, exchanged),
            ended(readiness__ready="passed"),
        )
    )
    assert verdict.target.releases_observed == ("r1", "r2")
    assert (verdict.chain.ledger_start, verdict.chain.ledger_end) == (5, 9)
    assert (verdict.cleanup.created, verdict.cleanup.deleted, verdict.cleanup.leaked) == (2, 1, 1)


def test_messages_fit_an_engine(journaled: WriteJournal) -> None:
    story = played(READY, HELD, status="failed", failure=failure(Blame.PRODUCT, message="long " * 100))
    verdict = judge(journaled(started(), planned(READY), story, ended(failed=True, readiness__ready="failed")))
    assert len(verdict.message) == 140
    assert len(verdict.checks[0].hint) > 140


def test_the_same_journal_gives_the_same_bytes(journaled: WriteJournal) -> None:
    journal = journaled(*a_good_run())
    first = to_json(judge(journal))
    assert to_json(judge(journal)) == first
    assert isinstance(from_json(first), Verdict)
    assert to_json(from_json(first)) == first


def test_a_verdict_is_read_from_where_a_run_wrote_it_and_from_nowhere_else(
    journaled: WriteJournal, tmp_path: Path
) -> None:
    verdict, path = judge(journaled(*a_good_run())), tmp_path / "verdict.json"
    assert written_at(path) is None
    path.write_bytes(to_json(verdict))
    assert written_at(path) == verdict
    for spoilt in (to_json(verdict)[:-3], b"[]", b'"\xff"', b""):
        path.write_bytes(spoilt)
        assert written_at(path) is None


def test_nothing_at_all_is_inconclusive() -> None:
    verdict = judge(JournalRead(entries=(), sha256=""))
    assert (verdict.verdict, verdict.exit_code, verdict.action) == (VerdictStatus.INCONCLUSIVE, 3, Action.HOLD)


def test_how_many_replicas_were_met_is_part_of_the_praise(journaled: WriteJournal) -> None:
    seen = [events.ReplicaSeen(replica=name, release="v1") for name in ("a", "b")]
    _, plan, ready, *rest = a_good_run()
    looks = [events.ReleaseSeen(moment="start", release="v1"), *seen]
    assert "2 of 5 replicas" in judge(journaled(started(replicas=5), plan, looks, ready, *rest)).message


def test_a_release_that_never_answered_is_not_rolled_back(journaled: WriteJournal) -> None:
    _, *rest = a_good_run()
    seen = events.ReleaseSeen(moment="start", release="v1")
    verdict = judge(journaled(started(release_expected="v2"), seen, *rest))
    assert (verdict.verdict, verdict.reason_code, verdict.action) == (
        VerdictStatus.FAIL,
        "release_unexpected",
        Action.HOLD,
    )


def test_what_is_known_is_told_before_the_suites_own_trouble_however_grave(journaled: WriteJournal) -> None:
    own, ledger = failure(Blame.HARNESS, message="the suite broke"), failure(Blame.DEPENDENCY, message="no ledger")
    verdict = judge(
        journaled(
            started(),
            planned(READY, MONEY),
            played(MONEY, status="error", failure=own),
            played(READY, status="error", failure=ledger),
            ended(failed=True, readiness__ready="error", settlement__paid="error"),
        )
    )
    assert [cause.attribution for cause in verdict.causes] == ["dependency", "harness"]


def test_where_a_run_read_its_settings_from_is_told(journaled: WriteJournal) -> None:
    read_from = {"environments": "environments"}
    _, *rest = a_good_run()
    assert judge(journaled(started(read_from=read_from), *rest)).target.read_from == read_from


def test_a_run_that_lost_its_first_line_still_says_where_time_is_given(journaled: WriteJournal) -> None:
    verdict = judge(journaled(events.Interrupted(reason="deadline", detail="it took too long")))
    assert "deadline_seconds in environments/NAME.toml" in verdict.message_long
