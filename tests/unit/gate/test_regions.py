"""The quorum rule: what the verdicts of several regions say together."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gate_stories import LATE_READS
from msgspec.structs import replace
from sample_runs import SCRIPTS, judged, passing

from streampay_smoke.evidence.events import AnyEvent, Overridden, RegionsMerged
from streampay_smoke.evidence.journal import Entry, JournalRead
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.evidence.regions import MergedRun, Quorum, RefusedArtifact
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.policy import SCHEMA as DECISION_SCHEMA
from streampay_smoke.gate.policy import Decision, ReleaseStep
from streampay_smoke.gate.regions import REGION_RULES, RULES, decided, merged, region_of
from streampay_smoke.gate.verdict import (
    SCHEMA,
    Action,
    Cause,
    Chain,
    Cleanup,
    Cost,
    Evidence,
    FeatureCost,
    Override,
    RegionRun,
    RegionVerdict,
    Settlement,
    Target,
    Timings,
    Verdict,
    VerdictStatus,
    from_json,
    to_json,
)
from streampay_smoke.publish import wording

P, F, I, C, S = (VerdictStatus[name] for name in ("PASS", "FAIL", "INCONCLUSIVE", "CONFIG", "SAFETY"))  # noqa: E741
ATTRIBUTION = {P: "none", F: "product", I: "dependency", C: "config", S: "safety"}
ACTION = {P: Action.PROMOTE, F: Action.ROLLBACK, I: Action.HOLD, C: Action.HOLD, S: Action.HOLD}
REFUSED = RefusedArtifact(artifact="artifacts/x", kind="journal_forged", text="it was changed")


def said(status: VerdictStatus, run_id: str, **changed: object) -> Verdict:
    verdict = judged(passing()).verdict
    target = replace(verdict.target, base_url=f"https://{run_id}.example")
    fields = {
        "target": target,
        "verdict": status,
        "run_id": run_id,
        "reason_code": f"code_of_{status}",
        "attribution": ATTRIBUTION[status],
        "action": ACTION[status],
        "message": f"{status} [x]: what happened -> next",
    }
    return replace(verdict, **{**fields, **changed})


def run(region: str, status: VerdictStatus, vantage: str = "", **changed: object) -> MergedRun:
    verdict = said(status, changed.pop("run_id", f"run-{region}-{vantage}"), **changed)  # type: ignore[arg-type]
    return MergedRun(
        region=region,
        vantage=vantage,
        verdict=msgspec.to_builtins(verdict),
        artifacts=f"artifacts/{region}",
        whole_suite=True,
    )


def merge_of(runs: Sequence[MergedRun], quorum: Quorum, *after: Overridden, **fields: object) -> Verdict:
    event = RegionsMerged(run_id="merge-1", quorum=quorum, runs=tuple(runs), **fields)  # type: ignore[arg-type]
    first = Entry(seq=1, at_ms=0, prev="", event=event)
    later = (Entry(seq=seq, at_ms=0, prev="", event=each) for seq, each in enumerate(after, 2))
    return judge(JournalRead(entries=(first, *later), sha256="of the journal"))


def merge(*runs: MergedRun, refused: tuple[RefusedArtifact, ...] = (), **quorum: object) -> Verdict:
    return merge_of(runs, Quorum(**{"expected": ("eu", "us"), **quorum}), refused=refused)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("eu", "us", "status", "reason_code"),
    [
        (P, P, P, "every_region_passed"),
        (P, F, F, "region_failed"),
        (F, F, F, "region_failed"),
        (F, I, F, "region_failed"),
        (F, C, F, "region_failed"),
        (F, None, F, "region_failed"),
        (P, I, I, "region_inconclusive"),
        (P, None, I, "region_missing"),
        (I, None, I, "region_missing"),
        (P, C, C, "region_config"),
        (I, C, C, "region_config"),
        (P, S, S, "region_safety"),
        (F, S, S, "region_safety"),
        (None, None, I, "region_missing"),
    ],
)
def test_the_gravest_region_decides_and_a_missing_one_never_passes(
    eu: VerdictStatus | None, us: VerdictStatus | None, status: VerdictStatus, reason_code: str
) -> None:
    runs = [run(name, word) for name, word in (("eu", eu), ("us", us)) if word is not None]

    for ordered in (runs, runs[::-1]):
        verdict = merge(*ordered)
        assert (verdict.verdict, verdict.reason_code) == (status, reason_code)
        assert [region.region for region in verdict.regions] == ["eu", "us"]
        assert verdict.exit_code == {P: 0, F: 1, C: 2, I: 3, S: 4}[status]


def test_the_page_states_the_rule_as_it_is() -> None:
    page = (Path(__file__).parents[3] / "docs/regions.md").read_text()
    stated = re.findall(r"^\| `(\w+)` \| ([A-Z]+) \|", page, re.MULTILINE)

    assert stated == [*((code, str(status)) for code, status, _, _ in RULES), ("every_region_passed", "PASS")]
    assert all(f"| {status} | {when} |" in page for status, when in REGION_RULES)


def test_a_region_that_fails_alone_is_named_and_rolled_back_alone() -> None:
    verdict = merge(run("eu", P), run("us", F))
    decision = decided(verdict, [])

    assert "us failed" in verdict.message
    assert verdict.attribution == "product"
    assert decision.step is ReleaseStep.ROLLBACK
    assert decision.regions == {"eu": ReleaseStep.HOLD, "us": ReleaseStep.ROLLBACK}
    assert not decision.acts


def test_every_region_is_promoted_together_or_none_is() -> None:
    whole = decided(merge(run("eu", P), run("us", P)), [])
    part = decided(merge(run("eu", P), run("us", P, action=Action.HOLD)), [])

    assert (whole.step, set(whole.regions.values())) == (ReleaseStep.PROMOTE, {ReleaseStep.PROMOTE})
    assert part.step is ReleaseStep.HOLD
    assert decided(merge(run("eu", P), run("us", I)), []).regions["eu"] is ReleaseStep.HOLD


@pytest.mark.parametrize("us", [P, F])
def test_a_rehearsal_promotes_nothing_rolls_nothing_back_and_wakes_nobody(us: VerdictStatus) -> None:
    quorum = Quorum(expected=("eu", "us"))
    verdict = merge_of([run("eu", P), run("us", us)], quorum, rehearsal=True)
    decision = decided(verdict, [])

    assert (verdict.verdict, decision.step, decision.page) == (us, ReleaseStep.HOLD, False)
    assert set(decision.regions.values()) == {ReleaseStep.HOLD}


def test_an_end_by_a_signal_exits_as_one() -> None:
    quorum = Quorum(expected=("eu", "us"))

    assert merge_of([run("eu", I)], quorum, ended_by="SIGTERM").exit_code == 143
    assert merge_of([run("eu", F)], quorum, ended_by="SIGTERM").exit_code == 1


def test_a_fail_that_is_not_the_releases_accuses_nobody() -> None:
    assert merge(run("eu", P), run("us", F, attribution="dependency")).verdict is I


def test_inconclusive_exits_as_a_failure_where_that_was_asked_for() -> None:
    quorum = Quorum(expected=("eu", "us"))
    verdict = merge_of([run("eu", P)], quorum, inconclusive_fails=True)

    assert (verdict.verdict, verdict.exit_code) == (I, 1)


@pytest.mark.parametrize(
    ("words", "needed", "status"),
    [
        ((P, P, I), 2, P),
        ((P, I, I), 2, I),
        ((P, P, F), 2, F),
        ((I, I, F), 2, F),
        ((P, P, C), 2, C),
        ((P, P, S), 2, S),
        ((P,), 2, I),
        ((I,), 1, I),
    ],
)
def test_a_vantage_point_that_sees_nothing_is_outvoted_and_one_that_sees_a_fault_is_not(
    words: tuple[VerdictStatus, ...], needed: int, status: VerdictStatus
) -> None:
    runs = [run("eu", word, f"v{number}") for number, word in enumerate(words)]

    assert merge(*runs, expected=("eu",), vantages=needed).verdict is status


@pytest.mark.parametrize(
    ("runs", "quorum", "status", "reason_code"),
    [
        ([run("eu", P), run("eu", P, run_id="again"), run("us", P)], {}, C, "region_twice"),
        ([run("eu", P, "a"), run("eu", P, "a", run_id="again"), run("us", P, "a")], {"vantages": 1}, C, "region_twice"),
        ([run("eu", P, run_id="same"), run("us", P, run_id="same")], {}, C, "run_twice"),
        ([run("eu", P), run("us", P), run("moon", P)], {}, C, "region_unexpected"),
        ([run("eu", P), run("us", P)], {"expected": ()}, C, "no_region_expected"),
        ([run("eu", P), run("us", P)], {"release": "r-43"}, C, "releases_differ"),
        ([run("eu", P), run("us", P)], {"release": "r-42"}, P, "every_region_passed"),
        ([run("eu", P), run("us", P)], {"environment": "staging"}, C, "environments_differ"),
        # A fault that is proved stands beside what was given twice.
        ([run("eu", F), run("us", P), run("us", P, run_id="again")], {}, F, "region_failed"),
    ],
)
def test_evidence_that_does_not_go_together_is_refused_by_name(
    runs: list[MergedRun], quorum: dict[str, Any], status: VerdictStatus, reason_code: str
) -> None:
    verdict = merge(*runs, **quorum)

    assert (verdict.verdict, verdict.reason_code) == (status, reason_code)


@pytest.mark.parametrize("eu", [P, F])
def test_runs_of_two_releases_say_nothing_together(eu: VerdictStatus) -> None:
    target = judged(passing()).verdict.target
    other = replace(target, release_expected="", releases_observed=("r-43",))

    assert merge(run("eu", eu), run("us", P, target=other)).reason_code == "releases_differ"
    assert merge(run("eu", S), run("us", P, target=other)).verdict is S


@pytest.mark.parametrize(("us", "status"), [(P, I), (F, F), (S, S), (C, C)])
def test_evidence_that_does_not_count_keeps_a_merge_from_pass_and_hides_no_fault(
    us: VerdictStatus, status: VerdictStatus
) -> None:
    verdict = merge(run("eu", P), run("us", us), refused=(REFUSED,))

    assert verdict.verdict is status
    assert any("journal_forged" in cause.text for cause in verdict.causes)


def test_a_region_that_does_not_say_what_passed_does_not_pass_where_a_release_is_asked_for() -> None:
    target = replace(judged(passing()).verdict.target, release_expected="", releases_observed=())
    silent = run("us", P, target=target)

    assert merge(run("eu", P), silent).verdict is P
    assert merge(run("eu", P), silent, release="r-42").reason_code == "releases_differ"


def test_runs_that_never_started_are_not_one_run_given_twice() -> None:
    assert merge(run("eu", I, run_id=""), run("us", I, run_id="")).reason_code == "region_inconclusive"


def test_a_region_whose_evidence_was_refused_says_so() -> None:
    verdict = merge(run("eu", P), refused=(replace(REFUSED, region="us"),))

    assert verdict.reason_code == "artifact_refused"
    assert [region.reason_code for region in verdict.regions] == ["code_of_PASS", "journal_forged"]


def test_regions_that_were_judged_at_one_address_are_named() -> None:
    target = judged(passing()).verdict.target

    assert merge(run("eu", P), run("us", P)).warnings == ()
    (warning,) = merge(run("eu", P, target=target), run("us", P, target=target)).warnings
    assert "eu and us were judged at one address" in warning


def test_an_override_of_one_region_is_told_as_that_regions() -> None:
    override = Override(who="Ann", why="seen", until="2026-11-23T20:00:00Z", from_="FAIL", to="PASS")
    verdict = merge(run("eu", P), run("us", P, overrides=(override,)))

    assert verdict.overrides == ()
    assert verdict.regions[1].overrides == (override,)
    assert "us: overridden from FAIL by Ann" in verdict.warnings[0]


ASKED = Overridden(who="Ann", why="the runner was lost", until_ms=3_600_000, to="PASS")


def test_a_merged_verdict_is_overridden_by_name_and_its_regions_keep_what_they_say() -> None:
    quorum = Quorum(expected=("eu", "us"))
    verdict = merge_of([run("eu", P), run("us", I)], quorum, ASKED)
    decision = decided(verdict, [])

    assert (verdict.verdict, verdict.reason_code, verdict.exit_code) == (P, "overridden", 0)
    assert (verdict.overrides[0].who, verdict.overrides[0].from_) == ("Ann", "INCONCLUSIVE")
    assert [region.verdict for region in verdict.regions] == [P, I]
    assert (decision.step, decision.page) == (ReleaseStep.PROMOTE, False)
    assert "a person answers for it" in decision.because


@pytest.mark.parametrize(
    ("runs", "to", "step"),
    [
        ((run("eu", P), run("us", F)), "INCONCLUSIVE", ReleaseStep.HOLD),  # nothing is rolled back
        ((run("eu", P), replace(run("us", I), whole_suite=False)), "PASS", ReleaseStep.HOLD),
        ((run("eu", P),), "PASS", ReleaseStep.HOLD),  # nothing at all was played in the other region
    ],
)
def test_an_override_promotes_only_where_a_whole_suite_was_played(
    runs: tuple[MergedRun, ...], to: str, step: ReleaseStep
) -> None:
    verdict = merge_of(runs, Quorum(expected=("eu", "us")), replace(ASKED, to=to))

    assert str(verdict.verdict) == to
    assert decided(verdict, []).step is step


def test_safety_of_a_region_is_never_overridden() -> None:
    verdict = merge_of([run("eu", P), run("us", S)], Quorum(expected=("eu", "us")), ASKED)

    assert (verdict.verdict, verdict.overrides) == (S, ())
    assert "SAFETY is never overridden" in verdict.warnings[-1]


def test_the_journal_of_a_merge_that_was_changed_proves_nothing() -> None:
    event = RegionsMerged(run_id="m", quorum=Quorum(expected=("eu",)), runs=(run("eu", P),))
    first = Entry(seq=1, at_ms=0, prev="", event=event)
    verdict = judge(JournalRead(entries=(first,), sha256="", tampered_at=2))

    assert (verdict.verdict, verdict.reason_code) == (I, "journal_tampered")


@pytest.mark.parametrize("name", SCRIPTS)
def test_any_run_can_be_merged_and_is_read_back(name: str) -> None:
    verdict = judged(SCRIPTS[name]()).verdict
    together = merge(
        MergedRun(region="eu", vantage="", verdict=msgspec.to_builtins(verdict), artifacts="a"),
        run("us", P, run_id="other"),
    )

    assert from_json(to_json(together)) == together
    assert len(together.checks) == len(verdict.checks) + len(judged(passing()).verdict.checks)
    assert len({check.id for check in together.checks}) == len(together.checks)
    assert len(together.message) <= 140


def test_the_next_step_names_the_regions_to_roll_back() -> None:
    assert "Roll back us, and promote no other region." in wording.next_step(merge(run("eu", P), run("us", F)))


def seen_from(region: str, ledgers: tuple[int | None, int | None], ended_at_ms: int) -> MergedRun:
    """A run that failed at a promise, with figures that tell it from every other one."""
    verdict = said(F, f"run-{region}")
    first, second, *_ = verdict.checks
    blocked = replace(second, status="blocked", blocked_by=first.id)
    whole = replace(second, id="whole", status="blocked", blocked_by="run")
    start, end = ledgers
    number = len(region)
    costs = FeatureCost(
        feature="Readiness",
        service_requests=number,
        ledger_requests=2 * number,
        transactions=3 * number,
        fees_stroops=4 * number,
        most_locked_stroops=5 * number,
    )
    cause = Cause(
        verdict=F,
        reason_code="promise_broken",
        attribution="product",
        concern="",
        text="it broke",
        checks=(first.id,),
        scenario="A promise",
        blocked=(second.id,),
    )
    return run(
        region,
        F,
        checks=(first, blocked, whole),
        chain=replace(verdict.chain, contract_id=f"C{region}", ledger_start=start, ledger_end=end),
        cleanup=Cleanup(created=3 * number, deleted=2 * number, leaked=number),
        timings=Timings(started_at_ms=number, ended_at_ms=ended_at_ms, total_ms=ended_at_ms - number),
        settlement=replace(verdict.settlement, tx_hash="" if region == "eu" else "cd" * 32),
        cost=Cost(
            **{name: value for name, value in msgspec.structs.asdict(costs).items() if name != "feature"},
            by_feature=(costs, replace(costs, feature=f"Feature of {region}")),
        ),
        causes=(cause, replace(cause, scenario="")),
        evidence=replace(
            verdict.evidence, expected_ids=("e",), executed_ids=("x",), missing_ids=("m",), excluded_ids=("o",)
        ),
        objectives=(RESULT,),
        signed_by="",
    )


RESULT = replace(LATE_READS, threshold=1, samples=1, estimate=None, decision="pass", quantile=None, bad=None)


def test_a_merged_verdict_says_what_its_runs_say_by_region_and_in_sum() -> None:
    runs = [seen_from("eu", (7, None), 50), seen_from("usa", (5, 9), 40)]
    verdict = merge(*runs, expected=("eu", "usa"), release="r-42")
    one, other, third = (check.id for check in verdict.checks[:3])

    assert [check.id for check in verdict.checks[3:]] == [each.replace("eu/", "usa/") for each in (one, other, third)]
    assert [check.blocked_by for check in verdict.checks] == ["", one, "run", "", one.replace("eu/", "usa/"), "run"]
    assert verdict.checks[0].scenario.endswith(" (eu)")
    assert [region_of(check) for check in verdict.checks] == ["eu"] * 3 + ["usa"] * 3
    assert [result.name for result in verdict.objectives] == ["reads (eu)", "reads (usa)"]
    assert verdict.chain == Chain(network="sandbox", simulated=True, contract_id="", ledger_start=5, ledger_end=9)
    assert verdict.cleanup == Cleanup(created=15, deleted=10, leaked=5)
    assert verdict.timings == Timings(started_at_ms=2, ended_at_ms=50, total_ms=48)
    assert verdict.settlement.tx_hash == "cd" * 32
    assert verdict.evidence == Evidence(
        expected_ids=("eu/e", "usa/e"),
        executed_ids=("eu/x", "usa/x"),
        missing_ids=("eu/m", "usa/m"),
        excluded_ids=("eu/o", "usa/o"),
        assertions=2 * judged(passing()).verdict.evidence.assertions,
        journal_sha256="of the journal",
    )
    assert verdict.cost is not None
    sums = {"service_requests": 5, "ledger_requests": 10, "transactions": 15, "fees_stroops": 20}
    each = {name: getattr(verdict.cost, name) for name in sums}
    assert (each, verdict.cost.most_locked_stroops) == (sums, 25)
    by_feature = {cost.feature: (cost.transactions, cost.most_locked_stroops) for cost in verdict.cost.by_feature}
    assert by_feature == {"Readiness": (15, 25), "Feature of eu": (6, 10), "Feature of usa": (9, 15)}
    assert verdict.target == Target(
        environment="sandbox",
        region="all",
        base_url="",
        release_expected="r-42",
        releases_observed=("r-42",),
        simulated=True,
        reached=True,
    )
    own = [cause for cause in verdict.causes if cause.reason_code == "promise_broken"]
    assert [cause.text for cause in own] == ["eu: it broke", "eu: it broke", "usa: it broke", "usa: it broke"]
    assert [cause.scenario for cause in own] == ["A promise (eu)", "", "A promise (usa)", ""]
    assert [(cause.checks, cause.blocked) for cause in own[::2]] == [
        (("eu/" + one.partition("/")[2],), ("eu/" + other.partition("/")[2],)),
        (("usa/" + one.partition("/")[2],), ("usa/" + other.partition("/")[2],)),
    ]
    regions = {each.region: each for each in verdict.regions}
    assert [(each.verdict, each.attribution, each.action) for each in regions.values()] == [
        (F, "product", Action.ROLLBACK),
        (F, "product", Action.ROLLBACK),
    ]
    assert regions["eu"].runs[0].ended_at_ms == 50
    assert regions["eu"].runs[0].artifacts == "artifacts/eu"
    assert (verdict.schema, verdict.signed_by, verdict.run_id) == (SCHEMA, "", "merge-1")


def test_a_merge_of_nothing_says_nothing() -> None:
    verdict = merge()

    assert verdict.settlement == Settlement(stream_id="", tx_hash="", ledger=None, proof="none")
    assert verdict.chain == Chain(network="", simulated=False, contract_id="", ledger_start=None, ledger_end=None)
    assert verdict.timings == Timings(started_at_ms=0, ended_at_ms=0, total_ms=0)
    assert (verdict.target.environment, verdict.target.release_expected, verdict.target.reached) == ("", "", False)
    assert verdict.cost is None


@pytest.mark.parametrize(
    ("statuses", "step", "regions"),
    [
        ((P, P), ReleaseStep.PROMOTE, (ReleaseStep.PROMOTE, ReleaseStep.PROMOTE)),
        ((F, P), ReleaseStep.ROLLBACK, (ReleaseStep.ROLLBACK, ReleaseStep.HOLD)),
        ((S, P), ReleaseStep.HOLD, (ReleaseStep.HOLD, ReleaseStep.HOLD)),
        ((I, P), ReleaseStep.HOLD, (ReleaseStep.HOLD, ReleaseStep.HOLD)),
    ],
)
def test_a_merge_decides_by_region_and_acts_nowhere(
    statuses: tuple[VerdictStatus, ...], step: ReleaseStep, regions: tuple[ReleaseStep, ...]
) -> None:
    verdict = merge(*(run(name, status) for name, status in zip(("eu", "us"), statuses, strict=True)))
    policy = Policy(page_after_inconclusive=7)
    decision = decided(verdict, [policy, Policy()])

    assert decision.because
    assert bool(decision.not_acting_because) is (step is ReleaseStep.ROLLBACK)
    assert replace(decision, because="", not_acting_because="") == Decision(
        schema=DECISION_SCHEMA,
        run_id="merge-1",
        verdict=verdict.verdict,
        reason_code=verdict.reason_code,
        step=step,
        page=statuses[0] is S,
        because="",
        acts=False,
        not_acting_because="",
        deploy="",
        target_release="",
        inconclusive_in_a_row=0,
        policy=policy,
        regions=dict(zip(("eu", "us"), regions, strict=True)),
    )


def test_too_few_vantage_points_are_nobodys_fault_and_a_region_is_told_by_the_run_that_decides() -> None:
    few = merge(run("eu", P, "a"), expected=("eu",), vantages=2).regions[0]
    assert (few.reason_code, few.attribution, few.action) == ("too_few_vantages", "harness", Action.HOLD)

    told = merge(run("eu", P, "a"), run("eu", F, "b"), run("eu", I, "c"), expected=("eu",), vantages=1).regions[0]
    assert (told.reason_code, told.attribution, told.message.partition(" ")[0]) == ("code_of_FAIL", "product", "FAIL")


def test_what_is_refused_or_unexpected_is_named_and_the_expected_regions_come_first() -> None:
    refused = (replace(REFUSED, region="us"), REFUSED, REFUSED)
    verdict = merge(run("moon", P), run("eu", P), refused=refused)

    assert [each.region for each in verdict.regions] == ["eu", "us", "moon"]
    texts = {cause.reason_code: cause.text for cause in verdict.causes}
    assert "runs of moon, and the expected regions are eu, us" in texts["region_unexpected"]
    assert re.search(r"us: it was changed .*and 2 more", texts["artifact_refused"])
    assert "region_missing" not in texts, "its evidence was refused"
    (alone,) = [each.text for each in merge(run("eu", P), refused=(REFUSED,)).causes if "refused" in each.reason_code]
    assert "more" not in alone


OTHER_RELEASE = replace(judged(passing()).verdict.target, release_expected="", releases_observed=("r-44", "r-43"))
ASKED_FOR_42 = replace(OTHER_RELEASE, release_expected="r-42", releases_observed=("r-42", "r-43"))
OTHER_PLACE = replace(judged(passing()).verdict.target, environment="production")
OTHER_CHAIN = replace(judged(passing()).verdict.chain, network="testnet")
UNNAMED = replace(judged(passing()).verdict.target, release_expected="", releases_observed=())
ONE_OF_TWO = "1 of 2 regions passed"


@pytest.mark.parametrize(
    ("runs", "asked", "told"),
    [
        ([run("eu", P), run("us", S)], {}, f"us met the guard of real money: what happened; {ONE_OF_TWO}"),
        ([run("eu", F), run("us", F)], {}, "eu and us failed: what happened; 0 of 2 regions passed"),
        ([run("eu", F)], {"expected": ("eu",)}, "eu failed: what happened"),
        ([run("eu", C), run("us", P)], {}, f"eu was set up wrongly: what happened; {ONE_OF_TWO}"),
        ([run("eu", I), run("us", P)], {}, f"eu proved nothing: what happened; {ONE_OF_TWO}"),
        (
            [run("eu", I, message="INCONCLUSIVE [x]: it began: a -> b -> hold"), run("us", P)],
            {},
            f"eu proved nothing: it began: a -> b; {ONE_OF_TWO}",
        ),
        ([run("eu", P)], {}, f"there is no evidence of us; {ONE_OF_TWO}"),
        ([], {"expected": ("a", "b", "c")}, "there is no evidence of a, b and c; 0 of 3 regions passed"),
        (
            [run("eu", P), run("us", P, target=OTHER_RELEASE)],
            {},
            "more than one release was judged (eu r-42; us r-43 and r-44): merge the runs of one rollout",
        ),
        (
            [run("eu", P, target=ASKED_FOR_42), run("us", P, target=replace(ASKED_FOR_42, release_expected="r-43"))],
            {},
            "more than one release was judged (eu r-42; us r-43): merge the runs of one rollout",
        ),
        (
            [run("eu", P), run("us", P)],
            {"release": "r-43"},
            "more than one release was judged (the merge r-43; eu r-42; us r-42): merge the runs of one rollout",
        ),
        ([run("eu", P), run("us", P, target=UNNAMED)], {"release": "r-42"}, "no release is named by the PASS of us"),
        (
            [run("eu", P), run("us", P, target=OTHER_PLACE)],
            {},
            "more than one environment was judged (production, sandbox): merge them one by one",
        ),
        (
            [run("eu", P), run("us", P, chain=OTHER_CHAIN)],
            {},
            "more than one network was judged (sandbox, testnet): merge them one by one",
        ),
        (
            [run("eu", P), run("us", P), run("moon", P), run("mars", P)],
            {},
            "runs of mars and moon, and the expected regions are eu, us",
        ),
        (
            [run("eu", P), run("eu", P, run_id="again"), run("us", P)],
            {},
            "eu has more than one run, and no quorum of vantage points is set: leave one out",
        ),
        (
            [run("eu", P, "a"), run("eu", P, "a", run_id="again"), run("us", P, "a")],
            {"vantages": 1},
            "eu@a has more than one run, from the same vantage point: leave one out",
        ),
        (
            [run("eu", P, run_id="same"), run("us", P, run_id="same"), run("moon", P)],
            {"expected": ("eu", "us", "moon")},
            "run same was given more than once: leave one out",
        ),
        (
            [run("eu", P), run("us", P)],
            {"expected": ()},
            "no region is expected: name them with --expect, or list them in the environment file",
        ),
        (
            [run("eu", P), run("us", P)],
            {"refused": (REFUSED,)},
            "evidence that does not count, journal_forged: it was changed (artifacts/x)",
        ),
        (
            [run("eu", P)],
            {"refused": (replace(REFUSED, region="us"), REFUSED)},
            "evidence that does not count, journal_forged: us: it was changed (artifacts/x) (and 1 more)",
        ),
    ],
)
def test_what_decides_is_told_with_every_name_and_number(
    runs: list[MergedRun], asked: dict[str, Any], told: str
) -> None:
    verdict = merge(*runs, **asked)
    cause = verdict.causes[0]

    assert cause.text == told
    assert (cause.verdict, cause.reason_code, cause.concern) == (verdict.verdict, verdict.reason_code, "")
    assert verdict.message_long.startswith(told)
    assert verdict.attribution == cause.attribution


def test_a_region_with_too_few_vantage_points_says_how_many_it_takes() -> None:
    verdict = merge(run("eu", P, "a"), run("eu", P, "b"), expected=("eu",), vantages=3)
    assert verdict.causes[0].text == "eu proved nothing: 2 vantage points passed, and 3 have to"


def test_the_headline_of_a_pass_counts_and_names_the_regions_in_the_order_that_was_asked_for() -> None:
    verdict = merge(run("eu", P), run("us", P), expected=("us", "eu"))

    assert verdict.message == "PASS (simulated service and ledger): 2 of 2 regions passed (us, eu)"
    assert verdict.message_long == "2 of 2 regions passed (us, eu)"
    assert (verdict.attribution, verdict.causes) == ("none", ())
    assert verdict.data is not None
    assert verdict.data.score == 1
    unasked = merge(run("asia", P), run("eu", P), run("us", P), expected=("us", "eu"))
    assert list(dict.fromkeys(map(region_of, unasked.checks))) == ["us", "eu", "asia"]


def test_what_was_simulated_in_any_region_is_said() -> None:
    real = judged(passing()).verdict
    real = replace(real, target=replace(real.target, simulated=False), chain=replace(real.chain, simulated=False))
    ledger = run("us", P, target=real.target)
    service = run("us", P, chain=real.chain)
    neither = [run(region, P, target=real.target, chain=real.chain) for region in ("eu", "us")]

    assert merge(neither[0], ledger).message.startswith("PASS (simulated ledger): ")
    assert merge(neither[0], service).message.startswith("PASS (simulated service): ")
    assert merge(*neither).message.startswith("PASS: ")


def test_an_override_is_said_first_with_what_it_replaces() -> None:
    verdict = merge_of([run("eu", P), run("us", I)], Quorum(expected=("eu", "us")), ASKED)
    assert verdict.message_long == (
        "OVERRIDDEN from INCONCLUSIVE by Ann until 1970-01-01T01:00:00Z: us proved nothing: what happened; "
        "1 of 2 regions passed"
    )
    assert verdict.attribution == "none"


def test_the_paragraph_says_whose_fault_it_is_and_what_is_next() -> None:
    ending = "Attributed to the release. Next: "
    assert merge(run("eu", P), run("us", F)).message_long.endswith(f"{ending}roll back.")
    held = merge(run("eu", P), run("us", F, action=Action.HOLD))
    assert held.message_long.endswith(f"{ending}hold.")


@pytest.mark.parametrize(
    ("verdict", "because", "not_acting"),
    [
        (merge(run("eu", P), run("us", P)), "every promise was proved in every region", ""),
        (
            merge(run("eu", F), run("us", F)),
            "the release broke a promise in eu and us",
            "a merge rolls nothing back: each region is rolled back by its own command",
        ),
        (
            merge(run("eu", P), run("us", F, action=Action.HOLD)),
            "the release broke a promise, and that only holds here",
            "",
        ),
        (
            merge(run("eu", P), run("us", P, action=Action.HOLD)),
            "every region passed, and at least one of them is not promoted for what it played",
            "",
        ),
        (merge(run("eu", P), run("us", I)), "not every region is proved", ""),
        (
            merge_of([run("eu", P), run("us", I)], Quorum(expected=("eu", "us")), ASKED),
            "a person answers for it instead of the evidence",
            "",
        ),
        (
            merge_of([run("eu", P), run("us", P)], Quorum(expected=("eu", "us")), rehearsal=True),
            "a rehearsal against a simulation: no deployment was judged",
            "",
        ),
    ],
)
def test_a_decision_on_a_merge_says_why(verdict: Verdict, because: str, not_acting: str) -> None:
    decision = decided(verdict, [])
    assert (decision.because, decision.not_acting_because) == (because, not_acting)


def test_a_fail_that_only_holds_pages_and_a_rehearsal_of_it_does_not() -> None:
    runs = [run("eu", P), run("us", F, action=Action.HOLD)]
    quorum = Quorum(expected=("eu", "us"))
    assert decided(merge_of(runs, quorum), []).page
    assert not decided(merge_of(runs, quorum, rehearsal=True), []).page
    assert not decided(merge(run("eu", P), run("us", I)), []).page


@pytest.mark.parametrize(
    ("near", "far", "slow"),
    [(10, 60, True), (10, 59, False), (40, 120, True), (40, 119, False), (10, None, False), (None, 900, False)],
)
def test_a_vantage_point_that_is_three_times_and_fifty_milliseconds_farther_is_told(
    near: int | None, far: int | None, slow: bool
) -> None:
    """The thresholds, on both sides. Another region's answers are no measure."""
    runs = [
        replace(run("eu", P, "a"), answer_ms=near),
        replace(run("eu", P, "b"), answer_ms=far),
        replace(run("us", P, "a"), answer_ms=1),
    ]
    told = f"eu@b is slow: half of the answers took up to {far} ms, elsewhere {near} ms"
    assert merge(*runs, vantages=1).warnings == ((told,) if slow else ())


def test_each_slow_vantage_point_is_told() -> None:
    runs = [replace(run("eu", P, name), answer_ms=ms) for name, ms in (("a", 500), ("b", None), ("c", 10), ("d", 600))]
    assert [each.split()[0] for each in merge(*runs, expected=("eu",), vantages=1).warnings] == ["eu@a", "eu@d"]


def test_an_address_of_three_regions_is_told_once_and_none_for_runs_that_had_none() -> None:
    target = judged(passing()).verdict.target
    nowhere = replace(target, base_url="")
    one = [run(region, P, target=target) for region in ("us", "eu", "asia")]
    assert merge(*one, expected=("us", "eu", "asia")).warnings == (
        f"asia, eu and us were judged at one address, {target.base_url}: is SMOKE_BASE_URL set for all?",
    )
    assert merge(run("eu", P, target=nowhere), run("us", P, target=nowhere)).warnings == ()
    two_points = [run("eu", P, point, target=target) for point in ("a", "b")]
    assert merge(*two_points, expected=("eu",), vantages=1).warnings == ()


def test_runs_that_do_not_say_where_they_were_made_are_of_no_other_place() -> None:
    nowhere = replace(judged(passing()).verdict.target, environment="", base_url="")
    no_chain = replace(judged(passing()).verdict.chain, network="")
    verdict = merge(run("eu", P), run("us", P, target=nowhere, chain=no_chain), environment="sandbox")
    assert verdict.verdict is P
    assert (verdict.target.environment, verdict.chain.network) == ("sandbox", "sandbox")


def test_the_runs_of_a_region_are_kept_as_they_told_themselves() -> None:
    one = said(P, "run-1", signed_by="key-1")
    verdict = merge(
        replace(run("eu", P, "a", run_id="run-1", signed_by="key-1"), answer_ms=7), run("us", P, "a"), vantages=1
    )
    assert verdict.regions[0].runs == (
        RegionRun(
            run_id="run-1",
            vantage="a",
            verdict=P,
            reason_code="code_of_PASS",
            message=one.message,
            releases_observed=("r-42",),
            journal_sha256=one.evidence.journal_sha256,
            signed_by="key-1",
            settlement=one.settlement,
            ended_at_ms=one.timings.ended_at_ms,
            artifacts="artifacts/eu",
            answer_ms=7,
            total_ms=one.timings.total_ms,
        ),
    )


def test_whose_fault_it_is_is_that_of_the_regions_own_run() -> None:
    assert merge(run("eu", P), run("us", I)).attribution == "dependency"


def test_vantage_points_without_a_quorum_of_them_are_one_run_too_many() -> None:
    verdict = merge(run("eu", P, "a"), run("eu", P, "b"), run("us", P))
    assert verdict.causes[0].text == "eu has more than one run, and no quorum of vantage points is set: leave one out"


def test_a_journal_of_a_run_is_no_merge() -> None:
    with pytest.raises(ValueError, match=r"^this is not the journal of a merge$"):
        merged(fold([]), JournalRead(entries=(), sha256=""))


def test_a_merge_whose_journal_was_changed_is_not_overridden() -> None:
    event = RegionsMerged(run_id="m", quorum=Quorum(expected=("eu",)), runs=(run("eu", P),))
    asked: tuple[AnyEvent, ...] = (event, ASKED)
    told = [Entry(seq=seq, at_ms=0, prev="", event=each) for seq, each in enumerate(asked, 1)]
    verdict = judge(JournalRead(entries=tuple(told), sha256="", tampered_at=2))
    assert (verdict.verdict, verdict.overrides) == (I, ())
    assert verdict.warnings == ("an override by Ann does not count: the journal was changed after it was written",)


def test_the_line_says_what_is_next_and_who_signed_it() -> None:
    held = merge_of([run("eu", F, action=Action.HOLD)], Quorum(expected=("eu",)), signed_by="key-1")
    assert held.message == "FAIL [product] (simulated service and ledger): eu failed: what happened -> hold"
    assert held.signed_by == "key-1"
    back = merge_of([run("eu", F)], Quorum(expected=("eu",)))
    assert back.message.endswith(" -> roll back")


def test_a_region_without_evidence_says_what_is_known_of_it() -> None:
    asia, eu = merge(expected=("asia", "eu"), refused=(replace(REFUSED, region="eu"),)).regions
    missing = RegionVerdict(
        region="asia",
        verdict=I,
        reason_code="region_missing",
        attribution="harness",
        message="there is no evidence of this region",
        action=Action.HOLD,
    )
    assert asia == missing
    assert eu == replace(missing, region="eu", reason_code="journal_forged", message="it was changed")


def test_what_all_runs_have_in_common_is_that_of_the_merge() -> None:
    same = merge(run("eu", P), run("us", P))
    assert (same.target.release_expected, same.chain.contract_id) == ("r-42", "CABCDEF")
    target = judged(passing()).verdict.target
    others = merge(run("eu", P), run("us", P, target=replace(target, release_expected="r-43")))
    assert others.target.release_expected == ""
