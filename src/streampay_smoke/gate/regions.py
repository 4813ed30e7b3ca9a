"""One verdict from the verdicts of several regions: a pure function of them and of a stated quorum rule.

It can only be more careful than its parts: PASS takes every expected region, FAIL takes a region whose own evidence
proves it against the release, and what was not seen is never either.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec
from msgspec.structs import replace

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.evidence.regions import MergedRun, Quorum, RefusedArtifact
from streampay_smoke.gate import policy
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.message import line, paragraph
from streampay_smoke.gate.override import REASON_CODE as OVERRIDDEN
from streampay_smoke.gate.override import override_description, override_in_force
from streampay_smoke.gate.policy import Decision, ReleaseStep
from streampay_smoke.gate.verdict import (
    EXIT_CODES,
    RUN,
    SCHEMA,
    SIGNAL_EXIT_CODES,
    Action,
    Cause,
    Chain,
    Check,
    Cleanup,
    Cost,
    Data,
    Evidence,
    FeatureCost,
    ObjectiveResult,
    RegionRun,
    RegionVerdict,
    Settlement,
    Target,
    Timings,
    Verdict,
    VerdictStatus,
)

ALL = "all"
"""Stands for every region of an environment: what a merged verdict names as its region."""

MISSING = "region_missing"
"""The reason code of a region of which there is no evidence."""


class RunOfRegion(msgspec.Struct, frozen=True, kw_only=True):
    """A run that counts, with its verdict as a verdict."""

    region: str
    vantage: str
    verdict: Verdict
    artifacts: str
    whole_suite: bool = False
    answer_ms: int | None = None

    @classmethod
    def of(cls, run: MergedRun) -> "RunOfRegion":
        """Return the run of a line in a merge's journal."""
        return cls(
            region=run.region,
            vantage=run.vantage,
            verdict=msgspec.convert(run.verdict, Verdict),
            artifacts=run.artifacts,
            whole_suite=run.whole_suite,
            answer_ms=run.answer_ms,
        )

    @property
    def label(self) -> str:
        """The region, with the vantage point where one is named."""
        return f"{self.region}@{self.vantage}" if self.vantage else self.region


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What stands against PASS under one rule; `attribution` is "" for that of the rule."""

    text: str
    attribution: str = ""


class _Merge(msgspec.Struct, frozen=True, kw_only=True):
    runs: tuple[RunOfRegion, ...]
    refused: tuple[RefusedArtifact, ...]
    quorum: Quorum
    regions: tuple[RegionVerdict, ...]
    tampered_at: int = 0


REGION_RULES: tuple[tuple[VerdictStatus, str], ...] = (
    (VerdictStatus.SAFETY, "one run says SAFETY"),
    (VerdictStatus.FAIL, "one run says FAIL, attributed to the release"),
    (VerdictStatus.CONFIG, "one run says CONFIG"),
    (VerdictStatus.PASS, "as many runs as the quorum asks for say PASS; the others say nothing"),
    (VerdictStatus.INCONCLUSIVE, "anything else"),
)
"""What a region says: the first line that holds for its runs."""


def status_of_region(verdicts: Sequence[Verdict], vantages: int) -> VerdictStatus:
    """Return what a region says, by REGION_RULES; a region without a run is INCONCLUSIVE."""
    said = [_said(verdict) for verdict in verdicts]
    passed = said.count(VerdictStatus.PASS)
    holds = {
        VerdictStatus.SAFETY: VerdictStatus.SAFETY in said,
        VerdictStatus.FAIL: VerdictStatus.FAIL in said,
        VerdictStatus.CONFIG: VerdictStatus.CONFIG in said,
        VerdictStatus.PASS: passed >= vantages if vantages else bool(said) and passed == len(said),
        VerdictStatus.INCONCLUSIVE: True,
    }
    return next(status for status, _ in REGION_RULES if holds[status])


def _said(verdict: Verdict) -> VerdictStatus:
    """Return the status of a run; a FAIL that nobody attributes to the release accuses nobody here."""
    if verdict.verdict is VerdictStatus.FAIL and verdict.attribution != Blame.PRODUCT:
        return VerdictStatus.INCONCLUSIVE
    return verdict.verdict


def _said_by_regions(status: VerdictStatus, what: str, merge: _Merge) -> Iterator[_Found]:
    found = [each for each in merge.regions if each.verdict is status and each.runs]
    if found:
        others = f"; {_passed(merge)}" if len(merge.regions) > 1 else ""
        yield _Found(
            text=f"{_listed(each.region for each in found)} {what}: {_own(found[0])}{others}",
            attribution=found[0].attribution,
        )


def _safety(merge: _Merge) -> Iterator[_Found]:
    yield from _said_by_regions(VerdictStatus.SAFETY, "met the guard of real money", merge)


def _failed(merge: _Merge) -> Iterator[_Found]:
    yield from _said_by_regions(VerdictStatus.FAIL, "failed", merge)


def _config(merge: _Merge) -> Iterator[_Found]:
    yield from _said_by_regions(VerdictStatus.CONFIG, "was set up wrongly", merge)


def _inconclusive(merge: _Merge) -> Iterator[_Found]:
    yield from _said_by_regions(VerdictStatus.INCONCLUSIVE, "proved nothing", merge)


def _releases_differ(merge: _Merge) -> Iterator[_Found]:
    judged = {run.label: releases for run in merge.runs if (releases := _releases(run.verdict))}
    if merge.quorum.release:
        judged = {"the merge": frozenset({merge.quorum.release}), **judged}
    if judged and not frozenset.intersection(*judged.values()):
        shown = "; ".join(f"{where} {' and '.join(sorted(releases))}" for where, releases in judged.items())
        yield _Found(text=f"more than one release was judged ({shown}): merge the runs of one rollout")
    silent = [run.region for run in merge.runs if run.label not in judged and run.verdict.verdict is VerdictStatus.PASS]
    if merge.quorum.release and silent:
        yield _Found(text=f"no release is named by the PASS of {_listed(silent)}")


def _releases(verdict: Verdict) -> frozenset[str]:
    """Return the releases a run may have been about: the expected one, else all that answered."""
    expected = verdict.target.release_expected
    return frozenset({expected} if expected else verdict.target.releases_observed)


def _environments_differ(merge: _Merge) -> Iterator[_Found]:
    for what, names in (
        ("environment", {merge.quorum.environment, *(run.verdict.target.environment for run in merge.runs)} - {""}),
        ("network", {run.verdict.chain.network for run in merge.runs} - {""}),
    ):
        if len(names) > 1:
            yield _Found(text=f"more than one {what} was judged ({', '.join(sorted(names))}): merge them one by one")


def _region_unexpected(merge: _Merge) -> Iterator[_Found]:
    others = dict.fromkeys(run.region for run in merge.runs if run.region not in merge.quorum.expected)
    if others:
        expected = ", ".join(merge.quorum.expected)
        yield _Found(text=f"runs of {_listed(others)}, and the expected regions are {expected}")


def _region_twice(merge: _Merge) -> Iterator[_Found]:
    named = [run.label if merge.quorum.vantages else run.region for run in merge.runs]
    twice = list(dict.fromkeys(name for name in named if named.count(name) > 1))
    if twice:
        how = "from the same vantage point" if merge.quorum.vantages else "and no quorum of vantage points is set"
        yield _Found(text=f"{_listed(twice)} has more than one run, {how}: leave one out")


def _run_twice(merge: _Merge) -> Iterator[_Found]:
    ids = [run.verdict.run_id for run in merge.runs if run.verdict.run_id]  # one that never started has none
    twice = list(dict.fromkeys(run_id for run_id in ids if ids.count(run_id) > 1))
    if twice:
        yield _Found(text=f"run {_listed(twice)} was given more than once: leave one out")


def _artifact_refused(merge: _Merge) -> Iterator[_Found]:
    if merge.refused:
        first, more = merge.refused[0], len(merge.refused) - 1
        where = f"{first.region}: " if first.region else ""
        also = f" (and {more} more)" if more else ""
        yield _Found(text=f"evidence that does not count, {first.kind}: {where}{first.text} ({first.artifact}){also}")


def _region_missing(merge: _Merge) -> Iterator[_Found]:
    refused = {each.region for each in merge.refused}
    missing = [each.region for each in merge.regions if not each.runs and each.region not in refused]
    if missing:
        yield _Found(text=f"there is no evidence of {_listed(missing)}; {_passed(merge)}")


def _tampered(merge: _Merge) -> Iterator[_Found]:
    if merge.tampered_at:
        yield _Found(text=f"line {merge.tampered_at} of the merge's own journal does not follow")


def _nothing_expected(merge: _Merge) -> Iterator[_Found]:
    if not merge.quorum.expected:
        yield _Found(text="no region is expected: name them with --expect, or list them in the environment file")


RULES = (
    ("region_safety", VerdictStatus.SAFETY, Blame.SAFETY, _safety),
    ("journal_tampered", VerdictStatus.INCONCLUSIVE, Blame.HARNESS, _tampered),
    ("no_region_expected", VerdictStatus.CONFIG, Blame.CONFIG, _nothing_expected),
    ("releases_differ", VerdictStatus.CONFIG, Blame.CONFIG, _releases_differ),
    ("environments_differ", VerdictStatus.CONFIG, Blame.CONFIG, _environments_differ),
    ("region_failed", VerdictStatus.FAIL, Blame.PRODUCT, _failed),
    ("region_unexpected", VerdictStatus.CONFIG, Blame.CONFIG, _region_unexpected),
    ("region_twice", VerdictStatus.CONFIG, Blame.CONFIG, _region_twice),
    ("run_twice", VerdictStatus.CONFIG, Blame.CONFIG, _run_twice),
    ("region_config", VerdictStatus.CONFIG, Blame.CONFIG, _config),
    ("artifact_refused", VerdictStatus.INCONCLUSIVE, Blame.HARNESS, _artifact_refused),
    (MISSING, VerdictStatus.INCONCLUSIVE, Blame.HARNESS, _region_missing),
    ("region_inconclusive", VerdictStatus.INCONCLUSIVE, Blame.HARNESS, _inconclusive),
)
"""The quorum rule: the first line under which anything is found decides. Under none: PASS, every_region_passed.

Runs that are not of one rollout say nothing together, so that nothing of them is FAIL; SAFETY counts wherever it is
read. A FAIL that is proved in one region stands, whatever else is missing, wrong or given twice.
"""


def merged(history: RunHistory, journal: JournalRead) -> Verdict:
    """Return the verdict on all regions together, from the journal of a merge. A rehearsal calls for nothing.

    INCONCLUSIVE exits as FAIL does where that was asked for, and as a signal does that ended the runs.
    """
    event = history.merged
    if event is None:
        raise ValueError("this is not the journal of a merge")
    quorum, rehearsal = event.quorum, event.rehearsal
    counted = tuple(sorted(map(RunOfRegion.of, event.runs), key=lambda run: (_place(run.region, quorum), run.label)))
    merge = _Merge(
        runs=counted,
        refused=event.refused,
        quorum=quorum,
        regions=tuple(_regions(counted, quorum, event.refused)),
        tampered_at=journal.tampered_at,
    )
    found = [(code, status, blame, each) for code, status, blame, rule in RULES for each in rule(merge)]
    if found:
        reason_code, status, blame, decisive = found[0]
        text, attribution = decisive.text, decisive.attribution or str(blame)
    else:
        reason_code, status, attribution = "every_region_passed", VerdictStatus.PASS, "none"
        text = f"{_passed(merge)} ({', '.join(each.region for each in merge.regions)})"
    override, refused_overrides = override_in_force(history, status, tampered=bool(journal.tampered_at))
    if override is not None:
        status, reason_code, attribution = VerdictStatus(override.to), OVERRIDDEN, "none"
        text = override_description(override, text)
    acting = _answered_for(merge) if override is not None and status is VerdictStatus.PASS else merge.regions
    regions = tuple(_acted(each, status, reason_code, rehearsal=rehearsal) for each in acting)
    action = _action(regions, status)
    verdicts = [run.verdict for run in counted]
    simulated = _simulated(verdicts)
    return Verdict(
        schema=SCHEMA,
        run_id=event.run_id,
        verdict=status,
        exit_code=_exit_code(status, inconclusive_fails=event.inconclusive_fails, ended_by=event.ended_by),
        reason_code=reason_code,
        message=line(status, attribution, action, simulated, scenario="", text=text),
        attribution=attribution,
        action=action,
        target=_target(verdicts, quorum, rehearsal=rehearsal),
        chain=_chain(verdicts),
        checks=tuple(_check(run, check) for run in counted for check in run.verdict.checks),
        settlement=next(
            (verdict.settlement for verdict in verdicts if verdict.settlement.tx_hash),
            Settlement(stream_id="", tx_hash="", ledger=None, proof="none"),
        ),
        objectives=tuple(_objective(run, result) for run in counted for result in run.verdict.objectives),
        evidence=_evidence(counted, journal.sha256),
        cleanup=Cleanup(
            created=sum(verdict.cleanup.created for verdict in verdicts),
            deleted=sum(verdict.cleanup.deleted for verdict in verdicts),
            leaked=sum(verdict.cleanup.leaked for verdict in verdicts),
        ),
        timings=_timings(verdicts),
        warnings=(
            *_one_address(counted),
            *_slow_vantages(counted),
            *(
                f"{run.label}: {warning}"
                for run in counted
                for warning in (*map(_override, run.verdict.overrides), *run.verdict.warnings)
            ),
            *refused_overrides,
        ),
        overrides=(override,) if override else (),
        message_long=paragraph(status, attribution, action, text=text),
        signed_by=event.signed_by,
        data=Data.of(status),
        causes=_causes(found, counted),
        cost=_cost(verdicts),
        regions=regions,
    )


def decided(verdict: Verdict, policies: Sequence[Policy]) -> Decision:
    """Return what a merged verdict leads to, by region too. A merge acts on nothing itself."""
    step = ReleaseStep[verdict.action.name]
    rolled_back = [each.region for each in verdict.regions if each.action is Action.ROLLBACK]
    return Decision(
        schema=policy.SCHEMA,
        run_id=verdict.run_id,
        verdict=verdict.verdict,
        reason_code=verdict.reason_code,
        step=step,
        page=verdict.verdict is VerdictStatus.SAFETY
        or (verdict.verdict is VerdictStatus.FAIL and step is ReleaseStep.HOLD and not verdict.target.rehearsal),
        because=_because(verdict, step, rolled_back),
        acts=False,
        not_acting_because="a merge rolls nothing back: each region is rolled back by its own command"
        if rolled_back
        else "",
        deploy="",
        target_release="",
        inconclusive_in_a_row=0,
        policy=policies[0] if policies else Policy(),
        regions={each.region: ReleaseStep[each.action.name] for each in verdict.regions},
    )


def _because(verdict: Verdict, step: ReleaseStep, rolled_back: Sequence[str]) -> str:
    if verdict.target.rehearsal:
        return "a rehearsal against a simulation: no deployment was judged"
    if verdict.overrides:
        return "a person answers for it instead of the evidence"
    if rolled_back:
        return f"the release broke a promise in {_listed(rolled_back)}"
    if step is ReleaseStep.PROMOTE:
        return "every promise was proved in every region"
    return {
        VerdictStatus.PASS: "every region passed, and at least one of them is not promoted for what it played",
        VerdictStatus.FAIL: "the release broke a promise, and that only holds here",
    }.get(verdict.verdict, "not every region is proved")


def _exit_code(status: VerdictStatus, *, inconclusive_fails: bool, ended_by: str) -> int:
    if status is not VerdictStatus.INCONCLUSIVE:
        return EXIT_CODES[status]
    return SIGNAL_EXIT_CODES.get(ended_by, EXIT_CODES[VerdictStatus.FAIL if inconclusive_fails else status])


def region_of(check: Check) -> str:
    """Return the region of a check of a merged verdict, with its vantage point where one is named."""
    return check.id.partition("/")[0]


def _place(region: str, quorum: Quorum) -> int:
    return quorum.expected.index(region) if region in quorum.expected else len(quorum.expected)


def _regions(
    runs: Sequence[RunOfRegion], quorum: Quorum, refused: Sequence[RefusedArtifact]
) -> Iterator[RegionVerdict]:
    """Yield what each region says, the expected ones first; its action is that of its own runs."""
    for region in dict.fromkeys((*quorum.expected, *(run.region for run in runs))):
        own = [run for run in runs if run.region == region]
        status = status_of_region([run.verdict for run in own], quorum.vantages)
        if not own:
            lost = next((each for each in refused if each.region == region), None)
            yield RegionVerdict(
                region=region,
                verdict=status,
                reason_code=lost.kind if lost else MISSING,
                attribution=str(Blame.HARNESS),
                message=lost.text if lost else "there is no evidence of this region",
                action=Action.HOLD,
            )
            continue
        decisive = next((run.verdict for run in own if _said(run.verdict) is status), own[0].verdict)
        too_few = status is VerdictStatus.INCONCLUSIVE and decisive.verdict is VerdictStatus.PASS
        yield RegionVerdict(
            region=region,
            verdict=status,
            reason_code="too_few_vantages" if too_few else decisive.reason_code,
            attribution=str(Blame.HARNESS) if too_few else decisive.attribution,
            message=f"{len(own)} vantage points passed, and {quorum.vantages} have to" if too_few else decisive.message,
            action=decisive.action,
            runs=tuple(map(_run, own)),
            overrides=tuple(chain.from_iterable(run.verdict.overrides for run in own)),
        )


def _run(run: RunOfRegion) -> RegionRun:
    verdict = run.verdict
    return RegionRun(
        run_id=verdict.run_id,
        vantage=run.vantage,
        verdict=verdict.verdict,
        reason_code=verdict.reason_code,
        message=verdict.message,
        releases_observed=verdict.target.releases_observed,
        journal_sha256=verdict.evidence.journal_sha256,
        signed_by=verdict.signed_by,
        settlement=verdict.settlement,
        ended_at_ms=verdict.timings.ended_at_ms,
        artifacts=run.artifacts,
        answer_ms=run.answer_ms,
        total_ms=verdict.timings.total_ms,
    )


def _acted(region: RegionVerdict, status: VerdictStatus, reason_code: str, *, rehearsal: bool) -> RegionVerdict:
    """Return a region with what is done there: nothing is promoted before all passed, and only FAIL rolls back."""
    if region.action is Action.PROMOTE:
        stands = status is VerdictStatus.PASS
    else:
        stands = reason_code == "region_failed" and region.verdict is VerdictStatus.FAIL
    return region if stands and not rehearsal else replace(region, action=Action.HOLD)


def _answered_for(merge: _Merge) -> tuple[RegionVerdict, ...]:
    """Return the regions as somebody answers for them: promoted where a whole suite was played, whatever it said."""
    whole = {run.region for run in merge.runs if run.whole_suite}
    return tuple(
        replace(each, action=Action.PROMOTE if each.region in whole else Action.HOLD) for each in merge.regions
    )


def _action(regions: Sequence[RegionVerdict], status: VerdictStatus) -> Action:
    actions = [region.action for region in regions]
    if status is VerdictStatus.PASS and set(actions) == {Action.PROMOTE}:
        return Action.PROMOTE
    return Action.ROLLBACK if Action.ROLLBACK in actions else Action.HOLD


def _passed(merge: _Merge) -> str:
    count = sum(each.verdict is VerdictStatus.PASS for each in merge.regions)
    return f"{count} of {len(merge.regions)} regions passed"


def _own(region: RegionVerdict) -> str:
    """Return what a region's own message says happened: what stands before and after it is said of the whole."""
    return region.message.partition(": ")[2].rpartition(" -> ")[0] or region.message


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _one_address(runs: Sequence[RunOfRegion]) -> Iterator[str]:
    """Yield a warning for each address that several regions were judged at: a setting of one may have been all's."""
    addresses: dict[str, set[str]] = {}
    for run in runs:
        addresses.setdefault(run.verdict.target.base_url, set()).add(run.region)
    for address, regions in addresses.items():
        if address and len(regions) > 1:
            yield f"{_listed(sorted(regions))} were judged at one address, {address}: is SMOKE_BASE_URL set for all?"


SLOW_TIMES = 3
SLOW_MS = 50
"""A vantage point is slow where answers take it so many times as long as the nearest one, and so much longer."""


def _slow_vantages(runs: Sequence[RunOfRegion]) -> Iterator[str]:
    """Yield a warning for each vantage point that is much farther from its region than another one."""
    for run in runs:
        answers = [each.answer_ms for each in runs if each.region == run.region and each.answer_ms is not None]
        if run.answer_ms is None or run.answer_ms < max(SLOW_TIMES * min(answers), min(answers) + SLOW_MS):
            continue
        yield f"{run.label} is slow: half of the answers took up to {run.answer_ms} ms, elsewhere {min(answers)} ms"


def _override(override: object) -> str:
    who, until, from_ = (getattr(override, name) for name in ("who", "until", "from_"))
    return f"overridden from {from_} by {who} until {until}"


def _simulated(verdicts: Sequence[Verdict]) -> str:
    parts = {
        "service": any(verdict.target.simulated for verdict in verdicts),
        "ledger": any(verdict.chain.simulated for verdict in verdicts),
    }
    named = [part for part, simulated in parts.items() if simulated]
    return f"simulated {' and '.join(named)}" if named else ""


def _target(verdicts: Sequence[Verdict], quorum: Quorum, *, rehearsal: bool) -> Target:
    expected = {verdict.target.release_expected for verdict in verdicts}
    environments = (verdict.target.environment for verdict in verdicts)
    return Target(
        environment=quorum.environment or next((each for each in environments if each), ""),
        region=ALL,
        base_url="",
        release_expected=quorum.release or (expected.pop() if len(expected) == 1 else ""),
        releases_observed=tuple(
            dict.fromkeys(release for verdict in verdicts for release in verdict.target.releases_observed)
        ),
        simulated=any(verdict.target.simulated for verdict in verdicts),
        rehearsal=rehearsal or any(verdict.target.rehearsal for verdict in verdicts),
        reached=any(verdict.target.reached for verdict in verdicts),
    )


def _chain(verdicts: Sequence[Verdict]) -> Chain:
    chains = [verdict.chain for verdict in verdicts]
    contracts = {each.contract_id for each in chains}
    return Chain(
        network=next((each.network for each in chains if each.network), ""),
        simulated=any(each.simulated for each in chains),
        contract_id=contracts.pop() if len(contracts) == 1 else "",
        ledger_start=min((each.ledger_start for each in chains if each.ledger_start is not None), default=None),
        ledger_end=max((each.ledger_end for each in chains if each.ledger_end is not None), default=None),
    )


def _check(run: RunOfRegion, check: Check) -> Check:
    return replace(
        check,
        id=_id(run, check.id),
        scenario=f"{check.scenario} ({run.label})",
        blocked_by=_id(run, check.blocked_by) if check.blocked_by not in {"", RUN} else check.blocked_by,
    )


def _id(run: RunOfRegion, check_id: str) -> str:
    return f"{run.label}/{check_id}"


def _objective(run: RunOfRegion, result: ObjectiveResult) -> ObjectiveResult:
    return replace(result, name=f"{result.name} ({run.label})")


def _evidence(runs: Sequence[RunOfRegion], journal_sha256: str) -> Evidence:
    def ids(name: str) -> tuple[str, ...]:
        return tuple(_id(run, each) for run in runs for each in getattr(run.verdict.evidence, name))

    return Evidence(
        expected_ids=ids("expected_ids"),
        executed_ids=ids("executed_ids"),
        missing_ids=ids("missing_ids"),
        excluded_ids=ids("excluded_ids"),
        assertions=sum(run.verdict.evidence.assertions for run in runs),
        journal_sha256=journal_sha256,
    )


def _timings(verdicts: Sequence[Verdict]) -> Timings:
    started = min((verdict.timings.started_at_ms for verdict in verdicts if verdict.timings.started_at_ms), default=0)
    ended = max((verdict.timings.ended_at_ms for verdict in verdicts), default=0)
    return Timings(started_at_ms=started, ended_at_ms=ended, total_ms=max(ended - started, 0))


def _causes(
    found: Sequence[tuple[str, VerdictStatus, Blame, _Found]], runs: Sequence[RunOfRegion]
) -> tuple[Cause, ...]:
    """Return what was found under the rules, the decisive first, then what speaks against PASS in each region."""
    merging = (
        Cause(verdict=status, reason_code=code, attribution=each.attribution or str(blame), concern="", text=each.text)
        for code, status, blame, each in found
    )
    own = (
        replace(
            cause,
            text=f"{run.label}: {cause.text}",
            checks=tuple(_id(run, check) for check in cause.checks),
            blocked=tuple(_id(run, check) for check in cause.blocked),
            scenario=f"{cause.scenario} ({run.label})" if cause.scenario else "",
        )
        for run in runs
        for cause in run.verdict.causes
    )
    return (*merging, *own)


def _cost(verdicts: Sequence[Verdict]) -> Cost | None:
    costs = [verdict.cost for verdict in verdicts if verdict.cost is not None]
    if not costs:
        return None
    features: Mapping[str, list[FeatureCost]] = {
        name: [each for cost in costs for each in cost.by_feature if each.feature == name]
        for name in dict.fromkeys(each.feature for cost in costs for each in cost.by_feature)
    }
    return Cost(
        **_sums(costs), by_feature=tuple(FeatureCost(feature=name, **_sums(of)) for name, of in features.items())
    )


def _sums(costs: Sequence[Cost] | Sequence[FeatureCost]) -> dict[str, int]:
    names = ("service_requests", "ledger_requests", "transactions", "fees_stroops", "most_locked_stroops")
    return {name: sum(getattr(cost, name) for cost in costs) for name in names}
