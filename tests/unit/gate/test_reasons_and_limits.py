"""What the judge says of releases, objectives, bakes and overrides, and on which side of each limit."""

import math
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gate_stories import HELD, READY, RED_CHECK, ended, planned, played, started
from msgspec.structs import replace

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.bake import Bake, CountersWatched, RatioQueried
from streampay_smoke.evidence.journal import Entry, JournalRead
from streampay_smoke.evidence.objectives import Kind, Objective
from streampay_smoke.gate import bake, objectives, statistics
from streampay_smoke.gate.bake import BurnTest, query_burns, unobserved
from streampay_smoke.gate.history import OverrideAt, RunHistory, fold
from streampay_smoke.gate.message import line, paragraph
from streampay_smoke.gate.misses import misses
from streampay_smoke.gate.override import LONGEST_MS, override_in_force, refused_because
from streampay_smoke.gate.quarantine import lapsed
from streampay_smoke.gate.releases import ANSWER, END, START, Mismatch, Sighting, mismatch
from streampay_smoke.gate.verdict import MESSAGE_LIMIT, MESSAGE_LONG_LIMIT, Action, Check, VerdictStatus

WriteJournal = Callable[..., JournalRead]

# --- releases ---------------------------------------------------------------------------------------------------------


def strange(expected: str, *course: tuple[str, str]) -> Mismatch | None:
    return mismatch(expected, [Sighting(moment=moment, release=release) for moment, release in course])


@pytest.mark.parametrize(
    ("expected", "course", "blame", "code", "names"),
    [
        ("new", [(START, "a"), (ANSWER, "b")], Blame.PRODUCT, "release_unexpected", ("a, b", "new")),
        ("new", [(START, "")], Blame.HARNESS, "release_unconfirmed", ("new",)),
        ("new", [(START, "new"), (END, "")], Blame.HARNESS, "release_unconfirmed", ("new", "at the end")),
        ("", [(START, "a"), (END, "b")], Blame.HARNESS, "release_changed", ("a and b",)),
    ],
)
def test_a_strange_release_is_told(
    expected: str, course: list[tuple[str, str]], blame: Blame, code: str, names: tuple[str, ...]
) -> None:
    found = strange(expected, *course)
    assert found is not None
    assert (found.blame, found.reason_code) == (blame, code)
    assert [name for name in names if name not in found.text] == []
    assert "  " not in found.text, "a word that is left out leaves no gap"


# --- the line and the paragraph ---------------------------------------------------------------------------------------


def message(scenario: str, text: str, status: VerdictStatus = VerdictStatus.INCONCLUSIVE) -> str:
    return line(status, "harness", Action.HOLD, "", scenario=scenario, text=text)


HEAD, TAIL = "INCONCLUSIVE [harness]: ", " -> hold, run again"
ROOM = MESSAGE_LIMIT - len(HEAD) - len(TAIL)


def test_a_line_that_fits_is_not_cut() -> None:
    name = "n" * 50
    rest = ROOM - len(name) - 2
    assert message(name, "x" * rest) == f"{HEAD}{name}: {'x' * rest}{TAIL}"
    shorter = f"{'n' * 35}…: "
    assert message(name, "x" * (rest + 1)) == f"{HEAD}{shorter}{'x' * (rest + 1)}{TAIL}"


def test_a_name_is_cut_only_where_it_is_long() -> None:
    for length in (35, 36):
        assert message("n" * length, "x" * 200).startswith(f"{HEAD}{'n' * length}: xx")
    assert message("n" * 37, "x" * 200).startswith(f"{HEAD}{'n' * 35}…: xx")


def test_the_scenario_is_said_once() -> None:
    assert message("it pays", "it pays: it did not") == f"{HEAD}it pays: it did not{TAIL}"
    assert message("", ": it did not") == f"{HEAD}: it did not{TAIL}"


def test_what_is_cut_ends_without_a_gap() -> None:
    spaced = "a" * (ROOM - 2) + " " + "b" * 9
    assert message("", spaced) == f"{HEAD}{'a' * (ROOM - 2)}…{TAIL}"


@pytest.mark.parametrize("end", [".", "!", "?", "…"])
def test_a_sentence_that_ends_gets_no_second_end(end: str) -> None:
    assert paragraph(VerdictStatus.FAIL, "product", Action.ROLLBACK, text=f"it lied{end}") == (
        f"it lied{end} Attributed to the release. Next: roll back."
    )


def test_a_paragraph_says_whose_and_what_next() -> None:
    assert paragraph(VerdictStatus.FAIL, "product", Action.HOLD, text="x") == (
        "x. Attributed to the release. Next: hold."
    )
    assert paragraph(VerdictStatus.INCONCLUSIVE, "a newcomer", Action.HOLD, text="x") == (
        "x. Attributed to a newcomer. Next: hold, run again."
    )
    assert paragraph(VerdictStatus.INCONCLUSIVE, "none", Action.HOLD, text="x") == "x"
    tail = " Attributed to the release. Next: roll back."
    long = paragraph(VerdictStatus.FAIL, "product", Action.ROLLBACK, text="y" * 2_000)
    assert long == f"{'y' * (MESSAGE_LONG_LIMIT - len(tail) - 1)}…{tail}"


# --- overrides and quarantine -----------------------------------------------------------------------------------------

ENDED = RunHistory(finished=ended())


def asked(at_ms: int = 0, **changes: Any) -> OverrideAt:
    facts = {"who": "ada", "why": "known", "until_ms": at_ms + 1_000, "to": "PASS"}
    return OverrideAt(at_ms=at_ms, event=events.Overridden(**{**facts, **changes}))


@pytest.mark.parametrize(
    ("run", "status", "override", "tampered", "because"),
    [
        (ENDED, VerdictStatus.FAIL, asked(), False, ""),
        (RunHistory(interrupted=events.Interrupted(reason="SIGTERM")), VerdictStatus.FAIL, asked(), False, ""),
        (
            RunHistory(refused=events.RunRefused(failure=events.Failure(kind="k", blame="config", message="m"))),
            VerdictStatus.CONFIG,
            asked(),
            False,
            "",
        ),
        (RunHistory(), VerdictStatus.INCONCLUSIVE, asked(), False, "the run has not ended"),
        (ENDED, VerdictStatus.SAFETY, asked(), False, "SAFETY is never overridden"),
        (ENDED, VerdictStatus.FAIL, asked(), True, "the journal was changed after it was written"),
        (ENDED, VerdictStatus.FAIL, asked(to="FAIL"), False, "a verdict is overridden to PASS or INCONCLUSIVE only"),
        (ENDED, VerdictStatus.PASS, asked(), False, "the verdict is PASS already"),
        (ENDED, VerdictStatus.FAIL, asked(why=" "), False, "who overrides it, and why, is not said"),
        (ENDED, VerdictStatus.FAIL, asked(until_ms=0), False, "an override ends in the future, and within 24 hours"),
        (ENDED, VerdictStatus.FAIL, asked(until_ms=1), False, ""),
        (ENDED, VerdictStatus.FAIL, asked(until_ms=LONGEST_MS), False, ""),
        (
            ENDED,
            VerdictStatus.FAIL,
            asked(until_ms=LONGEST_MS + 1),
            False,
            "an override ends in the future, and within 24 hours",
        ),
    ],
)
def test_why_an_override_does_not_count(
    run: RunHistory, status: VerdictStatus, override: OverrideAt, tampered: bool, because: str
) -> None:
    assert refused_because(run, status, override, tampered=tampered) == because


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
    assert os.environ.get("TZ") != "Pacific/Auckland"


def test_an_override_ends_in_utc_wherever_it_is_read(far_from_greenwich: None) -> None:
    found, warnings = override_in_force(
        RunHistory(finished=ended(), overrides=[asked()]), VerdictStatus.FAIL, tampered=False
    )
    assert found is not None
    assert (found.until, tuple(warnings)) == ("1970-01-01T00:00:01Z", ())


def test_nobody_is_called_nobody() -> None:
    _, warnings = override_in_force(
        RunHistory(finished=ended(), overrides=[asked(who="")]), VerdictStatus.FAIL, tampered=False
    )
    assert list(warnings) == ["an override by nobody does not count: who overrides it, and why, is not said"]


def test_a_quarantine_includes_its_last_day() -> None:
    entry = events.QuarantineEntry(id="a/b", owner="o", ticket="t", until="2026-01-02")
    today, tomorrow = (events.QuarantineRead(today=day, entries=(entry,)) for day in ("2026-01-02", "2026-01-03"))
    assert list(lapsed(today)) == []
    assert list(lapsed(tomorrow)) == ["the quarantine of a/b ended on 2026-01-02: it gates again (o, t)"]


# --- objectives -------------------------------------------------------------------------------------------------------

SPOKEN = events.ServiceSeen(release="r1")
SEEN = events.TransactionSeen(tx_hash="ab", ledger=7, closed_at=1)


def entries(*story: events.AnyEvent) -> tuple[Entry, ...]:
    return tuple(Entry(seq=at, at_ms=1_000 * at, prev="", event=event) for at, event in enumerate(story, start=1))


def request(purpose: str = "list", status: int | None = 200, duration_ms: int = 10, **more: Any) -> events.Exchanged:
    return events.Exchanged(
        peer="service", method="GET", target="/", status=status, duration_ms=duration_ms, purpose=purpose, **more
    )


def answer(kind: Kind, threshold: float, *story: events.AnyEvent, **facts: Any) -> Any:
    stated = Objective(name="the one", kind=kind, threshold=threshold, gates=True, **facts)
    return objectives.results((stated,), entries(*story), ())[0]


def facts_of(found: Any) -> tuple[Any, ...]:
    return (found.method, found.samples, found.estimate, found.low, found.high, found.confidence, found.decision)


SEQUENCE = "binomial confidence sequence"


def test_an_answer_is_told_whole() -> None:
    found = answer("read_latency", 500, SPOKEN, *(request(duration_ms=10),) * 3, quantile=0.5)
    assert facts_of(found) == (SEQUENCE, 3, 10, None, None, 0.999, "insufficient_sample")
    assert (found.name, found.kind, found.threshold, found.unit) == ("the one", "read_latency", 500, "ms")
    assert (found.gates, found.quantile, found.warm_up, found.note) == (True, 0.5, 0, "")
    nothing = answer("settlement_time", 60, SPOKEN)
    assert (nothing.name, nothing.note, nothing.warm_up, nothing.low, nothing.high) == ("the one", "", 0, None, None)


def test_an_objective_about_every_sample_is_told_whole() -> None:
    story = (SPOKEN, request(duration_ms=900, opened_connection=True), request(duration_ms=500))
    found = answer("read_latency", 500, *story, quantile=1.0)
    assert facts_of(found) == ("every sample", 1, 500, 500, 500, 1.0, "pass")
    assert (found.quantile, found.warm_up, found.note) == (1.0, 1, "about the samples of this run only")
    nothing = answer("read_latency", 500, SPOKEN, quantile=1.0)
    assert facts_of(nothing) == ("every sample", 0, None, None, None, 1.0, "insufficient_sample")
    assert nothing.note == ""


def test_writes_before_the_service_spoke_are_counted_as_warm_up() -> None:
    first = request("create", 201, opened_connection=True)
    story = (request("create", 201), SPOKEN, first, first, *(request("create", 201, 70),) * 2)
    found = answer("write_latency", 500, *story)
    assert (found.samples, found.warm_up, found.estimate, found.method) == (2, 3, 70, SEQUENCE)


@pytest.mark.parametrize(("status", "succeeded"), [(199, False), (200, True), (299, True), (300, False), (None, False)])
def test_what_a_success_is(status: int | None, succeeded: bool) -> None:
    found = objectives.measure(entries(SPOKEN, request(status=status)))
    assert (found.attempts, len(found.times["reads"].warm)) == ([succeeded], int(succeeded))


def test_ratios_are_told_whole() -> None:
    success = answer("success_ratio", 0.9, SPOKEN, request(), request(status=500))
    assert facts_of(success)[:3] == (SEQUENCE, 2, 0.5)
    nothing = answer("success_ratio", 0.9, SPOKEN)
    assert (nothing.samples, nothing.estimate, nothing.decision) == (0, None, "insufficient_sample")
    flaky = answer("flaky_ratio", 0.1)
    assert facts_of(flaky)[:3] == (SEQUENCE, 0, None)
    assert flaky.note == ""
    comparison = answer("read_comparison", 1.1, SPOKEN)
    assert (comparison.note, comparison.samples) == ("", 0)


def test_a_sample_at_the_threshold_keeps_it() -> None:
    at, above = (answer("read_latency", 500, SPOKEN, *(request(duration_ms=ms),) * 180) for ms in (500, 501))
    assert (at.decision, above.decision) == ("pass", "fail")


def test_numbers_are_rounded_as_the_verdict_keeps_them() -> None:
    stated = [Objective(name=f"{n}", kind="success_ratio", threshold=0.9, gates=True) for n in range(7)]
    found = objectives.results(stated, entries(SPOKEN, request(), request(status=500), request(status=500)), ())
    assert (found[0].confidence, found[0].estimate, found[0].warm_up, found[0].note) == (0.999857, 0.3333, 0, "")


def test_a_retry_takes_back_the_last_failure_only() -> None:
    again = events.Retried(target="the list", attempt=2, because="refused")
    found = objectives.measure(entries(request(status=500), request(status=None), again, request()))
    assert found.attempts == [False, True]
    first = objectives.measure(entries(again, request()))
    assert first.attempts == [True]
    after_success = objectives.measure(entries(request(), again))
    assert after_success.attempts == [True]


def test_a_settlement_belongs_to_its_scenario() -> None:
    settle = request("settle", duration_ms=500)
    story = (settle, events.ScenarioStarted(id="a/b"), SEEN, settle, settle, SEEN, SEEN)
    assert objectives.measure(entries(*story)).times["settlements"].warm == [2.5]


@pytest.mark.parametrize(
    ("kind", "estimate", "quantile", "said"),
    [
        ("success_ratio", 0.5, None, "2 of 3 requests failed (50 %), promised at most 10 %"),
        ("flaky_ratio", 0.5, None, "2 of 3 checks needed a second attempt (50 %), promised at most 90 %"),
        (
            "read_comparison",
            2.25,
            None,
            "2.25 times as slow as the stable release, promised at most 0.9 times (3 pairs of reads)",
        ),
        ("error_burn", 20.26, None, "errors at 20.3 times the budget, promised at most 0.9 times"),
        ("read_latency", None, None, "nothing measured, promised 0.9 ms"),
        ("read_latency", 2_149.5, 0.95, "p95 2.15 s, promised 0.9 ms, 2 of 3 reads too slow"),
        ("write_latency", 870.0, 1.0, "slowest 870 ms, promised 0.9 ms, 2 of 3 writes too slow"),
        ("settlement_time", 70.0, 0.5, "p50 70 ms, promised 0.9 ms, 2 of 3 settlements too slow"),
    ],
)
def test_a_miss_description(kind: Kind, estimate: float | None, quantile: float | None, said: str) -> None:
    unit = {"read_comparison": "x", "error_burn": "x budget"}.get(kind, "ms")
    found = replace(answer("read_latency", 500), kind=kind, unit=unit, estimate=estimate, quantile=quantile)
    found = replace(found, threshold=0.9)
    assert objectives.result_description(replace(found, samples=3, bad=2)) == said


CHECK = replace(RED_CHECK, id="a/b", attribution="dependency", rule="ledger-side")


def probe(name: str, *, ok: bool = False) -> events.Probed:
    return events.Probed(name=name, ok=ok, detail="")


@pytest.mark.parametrize(
    ("kind", "checks", "probes", "after", "blame", "because"),
    [
        ("read_latency", (), (), (), Blame.PRODUCT, ""),
        ("read_latency", (CHECK,), (), (), Blame.DEPENDENCY, "it pays was disturbed (ledger-side)"),
        ("read_latency", (), (probe("egress"),), (), Blame.HARNESS, "this runner's way to the deployment failed"),
        ("read_latency", (), (probe("ledger"), probe("egress", ok=True)), (), Blame.PRODUCT, ""),
        (
            "error_burn",
            (),
            (probe("stable release"),),
            (),
            Blame.DEPENDENCY,
            "the stable release is red in the same way",
        ),
        (
            "settlement_time",
            (),
            (probe("ledger"),),
            (events.Measured(ledger_ok=True),),
            Blame.DEPENDENCY,
            "the ledger, asked directly, was not healthy during the run",
        ),
        (
            "settlement_time",
            (),
            (probe("ledger", ok=True), probe("clock")),
            (events.Measured(ledger_ok=True),),
            Blame.PRODUCT,
            "",
        ),
        ("settlement_time", (), (), (), Blame.DEPENDENCY, "the ledger did not prove its health: it was not asked"),
        (
            "settlement_time",
            (),
            (),
            (events.Measured(ledger_ok=False, ledger_detail="503"),),
            Blame.DEPENDENCY,
            "the ledger did not prove its health: 503",
        ),
        (
            "settlement_time",
            (),
            (),
            (events.Measured(),),
            Blame.DEPENDENCY,
            "the ledger did not prove its health: it was not asked",
        ),
    ],
)
def test_what_else_explains_a_miss(
    kind: Kind,
    checks: tuple[Check, ...],
    probes: tuple[events.Probed, ...],
    after: tuple[events.Measured, ...],
    blame: Blame,
    because: str,
) -> None:
    missed = replace(answer("read_latency", 500), kind=kind, decision="fail")
    run = RunHistory(probes_at_start=[*probes], measured=after[0] if after else None)
    (miss,) = misses((missed,), run, (), checks)
    said = f"the one: {objectives.result_description(missed)}"
    assert (miss.blame, miss.text) == (blame, f"{said}; not the release's alone: {because}" if because else said)


def test_only_a_comparison_explains_slow_reads() -> None:
    missed = replace(answer("read_latency", 500), decision="fail")
    compared = replace(missed, kind="read_comparison", decision="pass")
    other = replace(missed, kind="success_ratio", decision="pass")
    (miss,) = misses((missed, compared), RunHistory(), (), ())
    assert miss.text.endswith("; not the release's alone: the stable release is not faster at the same moment")
    for innocent in (other, replace(compared, decision="insufficient_sample")):
        assert misses((missed, innocent), RunHistory(), (), ())[0].blame is Blame.PRODUCT


# --- a release that is watched ----------------------------------------------------------------------------------------

BAKE = Bake(success_target=0.995, burn_rate=14.4)
ALL = Bake(
    counters=CountersWatched(requests="a", errors="b"), query=RatioQueried(url="http://p", ratio="rate(x[{window}])")
)


def watched(good: int, bad: int, source: str = "reads", detail: str = "") -> events.Watched:
    return events.Watched(source=source, good=good, bad=bad, detail=detail)


def baked(watched_with: Bake, *story: events.AnyEvent) -> RunHistory:
    return fold(entries(events.BakeStarted(bake=watched_with, seconds=600), *story))


def test_a_bake_is_told_whole() -> None:
    reads, counters, query = bake.results(
        baked(
            ALL,
            events.ServiceSeen(),
            watched(9, 1),
            watched(0, 0),
            watched(100, 0, "counters"),
            watched(5, 5, "somebody else"),
            events.BurnRead(short_ratio=0.001, long_ratio=0.0),
            events.BurnRead(short_ratio=None, long_ratio=0.5, detail="503"),
            events.BurnRead(short_ratio=0.002, long_ratio=0.0),
        )
    )
    assert facts_of(reads)[:3] == (f"{SEQUENCE}, over a long and a short window", 10, round(0.1 / ALL.budget, 4))
    assert (reads.name, reads.note) == ("reads succeed while the release is watched", "1 of 10 failed")
    assert (reads.kind, reads.unit, reads.threshold, reads.gates) == ("error_burn", "x budget", ALL.burn_rate, True)
    assert (reads.confidence, counters.confidence) == (1 - bake.ERROR / 2, 1 - bake.ERROR / 2)
    interval = statistics.share_interval(1, 10, 1 - bake.ERROR / 2)
    assert interval.low is not None
    assert reads.low == round(interval.low / ALL.budget, 4)
    high = statistics.share_interval(0, 100, 1 - bake.ERROR / 2).high
    assert high is not None
    assert counters.high == round(high / ALL.budget, 4)
    assert counters.name == "requests succeed while the release is watched (the service's counters)"
    assert facts_of(query) == (
        "Prometheus, over 1h and 5m",
        2,
        round(0.002 / ALL.budget, 4),
        None,
        None,
        1.0,
        "pass",
    )
    assert query.note == "the worst of 2 looks over 5m"
    assert query.name == "requests succeed while the release is watched (Prometheus)"


def test_a_bake_that_saw_nothing_says_nothing() -> None:
    reads, _, query = bake.results(baked(ALL, watched(0, 0)))
    for found in (reads, query):
        assert (found.samples, found.estimate, found.decision) == (0, None, "insufficient_sample")
    assert (reads.note, query.note) == ("0 of 0 failed", "")


def test_a_source_that_tells_nothing_says_why() -> None:
    dark = baked(ALL, watched(1, 0), *(watched(0, 0, detail=f"look {n}") for n in range(3)))
    found = list(unobserved(ALL, dark.looks))
    assert found == [
        "reads succeed while the release is watched: look 2",
        "requests succeed while the release is watched (the service's counters): it was never looked at",
        "requests succeed while the release is watched (Prometheus): it was never looked at",
    ]


def test_both_ratios_have_to_be_above_the_limit() -> None:
    limit = BAKE.share_limit
    for short, long, burns in (
        (limit + 0.01, limit + 0.01, True),
        (limit, limit + 0.01, False),
        (limit + 0.01, limit, False),
        (None, 1.0, False),
    ):
        assert query_burns(events.BurnRead(short_ratio=short, long_ratio=long), BAKE) is burns


def test_the_short_window_is_a_twelfth_of_what_was_watched() -> None:
    storm_over = BurnTest(BAKE, error=bake.ERROR)
    storm_over.add(0, good=100, bad=0)
    storm_over.add(600_000, good=0, bad=20)
    proved = BurnTest(BAKE, error=bake.ERROR)
    proved.add(0, good=100, bad=0)
    proved.add(600_000, good=0, bad=60)
    assert (storm_over.burns, proved.burns) == (False, True)
    calm = BurnTest(BAKE, error=bake.ERROR)
    calm.add(0, good=0, bad=2)
    calm.add(1_200_000, good=50, bad=0)
    calm.add(1_210_000, good=40, bad=10)
    assert calm.burns is False
    assert calm.failed == 12


def test_a_calm_short_window_is_counted_whole() -> None:
    began_ms = 1_700_000_000_000
    for now, burns in (({"good": 13, "bad": 1}, False), ({"good": 12, "bad": 1}, True)):
        test = BurnTest(BAKE, error=bake.ERROR)
        test.add(began_ms, good=1_000, bad=0)
        test.add(began_ms + 1_800_000, good=0, bad=70)
        assert not test.burns
        test.add(began_ms + 3_700_000, **now)
        assert test.burns is burns


def test_the_evidence_that_is_needed_is_one_over_the_error() -> None:
    needed = 1 / bake.ERROR
    bad, good = next(
        (bad, good)
        for bad in range(1, 40)
        for good in range(200)
        if needed <= statistics.share_above(bad, bad + good, BAKE.share_limit) < 2 * needed
        and bad > BAKE.share_limit * (bad + good)
    )
    test = BurnTest(BAKE, error=bake.ERROR)
    test.add(0, good=good, bad=bad)
    assert test.burns
    limit = 1 / bake.error_each(BAKE)
    enough = next(n for n in range(1, 500) if statistics.share_below(0, n, BAKE.share_limit) >= limit)
    assert statistics.share_below(0, enough, BAKE.share_limit) < 2 * limit
    for reads, decision in ((enough, "pass"), (enough - 1, "insufficient_sample")):
        (found,) = bake.results(baked(BAKE, watched(reads, 0)))
        assert found.decision == decision


def test_a_long_window_is_an_hour_and_not_more() -> None:
    hour_ms = int(bake.LONG_SECONDS * 1000)
    kept, gone = BurnTest(BAKE, error=bake.ERROR), BurnTest(BAKE, error=bake.ERROR)
    for test, later_ms in ((kept, hour_ms), (gone, hour_ms + 1)):
        test.add(0, good=0, bad=3)
        test.add(later_ms, good=0, bad=1)
    assert (kept.burns, gone.burns) == (True, False)
    assert BurnTest(BAKE, error=bake.ERROR).burns is False


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def test_a_fixed_number_of_samples_has_exact_bounds() -> None:
    assert statistics.clopper_pearson(0, 0, 0.95) == statistics.Interval(low=0.0, high=1.0)
    one = statistics.clopper_pearson(0, 1, 0.95)
    assert one.low == 0.0
    assert one.high == pytest.approx(0.975)
    one = statistics.clopper_pearson(1, 1, 0.95)
    assert one.low == pytest.approx(0.025)
    assert one.high == 1.0


def test_a_tail_of_everything_is_certain() -> None:
    assert statistics._log_tail(0, 5, 0.3) == 0.0
    assert statistics._log_tail(-1, 5, 0.3) == 0.0
    assert statistics._log_tail(5, 5, 0.5) == pytest.approx(5 * math.log(0.5))
    assert statistics._log_tail(1, 5, 0.5) == pytest.approx(math.log(1 - 0.5**5))
    least, samples, share = 10, 4_000, 0.9
    assert statistics._log_tail(least, samples, share) == pytest.approx(0.0, abs=1e-9), "a sum past 1e200"


@pytest.mark.parametrize(("least", "share", "chance"), [(1, 0.0, 0.0), (0, 0.0, 1.0), (1, 1.0, 1.0), (2, 1.0, 1.0)])
def test_the_tail_of_a_share_that_is_certain(least: int, share: float, chance: float) -> None:
    assert statistics._tail(least, 5, share) == chance


def test_pairs_are_counted_and_decided_at_their_limit() -> None:
    test = statistics.PairedTest(1.1)
    assert test.pairs == 0
    test.add(2.2, 1.0)
    assert test.pairs == 1
    assert test.slower == pytest.approx(((1 + 0.7) + (1 + math.tanh(1.0))) / 2)
    assert test.decided(1 - 1 / test.slower * 1.000001) is True
    assert test.decided(1 - 1 / test.slower * 0.999999) is None
    assert test.faster < 1


def test_evidence_that_just_reaches_the_limit_decides() -> None:
    test = statistics.PairedTest(1.1)
    assert test.decided(0.0) is True
    test._slower = [0.5] * len(statistics.BETS)
    assert test.decided(0.0) is False
    test._faster = [0.5] * len(statistics.BETS)
    assert test.decided(0.0) is None


def test_a_sum_that_is_scaled_down_often_is_the_same_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_LARGE", 1.5)
    exact = sum(math.comb(30, hits) * 0.6**hits * 0.4 ** (30 - hits) for hits in range(10, 31))
    assert math.exp(statistics._log_tail(10, 30, 0.6)) == pytest.approx(exact, rel=1e-12)


def test_a_step_that_is_under_way_is_known_from_the_journal(journaled: WriteJournal) -> None:
    read = journaled(started(), planned(READY), played(READY, HELD)[:2])
    assert fold(read.entries).pending[0].step == "When asked"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.5, 99_999.5, "0.5 to 99999.5 ms"),
        (None, 1_234_567.8, "? to 1234568 ms"),
        (-1_234_567.8, None, "-1234568 to ? ms"),
        (None, None, ""),
    ],
)
def test_bounds_are_told_with_the_digits_they_are_worth(low: float | None, high: float | None, said: str) -> None:
    assert objectives.bounds_description(replace(answer("read_latency", 500), low=low, high=high)) == said


@pytest.mark.parametrize(
    ("kind", "unit", "figures", "said"),
    [
        (
            "read_latency",
            "ms",
            {"estimate": 999_000.0, "bad": None},
            "slowest 999 s, promised 1 s, 0 of 3 reads too slow",
        ),
        (
            "flaky_ratio",
            "ratio",
            {"estimate": 0.33333, "bad": 1},
            "1 of 3 checks needed a second attempt (33.3 %), promised at most 100000 %",
        ),
        (
            "flaky_ratio",
            "ratio",
            {"estimate": 0.0, "bad": None},
            "0 of 3 checks needed a second attempt (0 %), promised at most 100000 %",
        ),
        (
            "canary_errors",
            "ratio",
            {"estimate": 0.5, "bad": 2, "note": "1 failed on the stable release"},
            "2 of 3 requests failed on the candidate alone, 1 on the stable release",
        ),
    ],
)
def test_figures_are_rounded_where_people_read_them(kind: str, unit: str, figures: dict[str, Any], said: str) -> None:
    found = replace(answer("read_latency", 1_000), kind=kind, unit=unit, samples=3, quantile=None, **figures)
    assert objectives.result_description(found) == said


def test_an_objective_about_every_sample_counts_those_above_it_and_shares_no_error() -> None:
    story = (SPOKEN, request(duration_ms=500), request(duration_ms=501), request(duration_ms=900))
    assert answer("read_latency", 500, *story, quantile=1.0).bad == 2
    every = Objective(name="all", kind="read_latency", threshold=500, quantile=1.0, gates=True)
    most = replace(every, name="most", quantile=0.95)
    assert objectives.confidence_of(most, (every, most)) == 1 - objectives.RUN_ERROR


def test_failed_requests_are_counted() -> None:
    assert answer("success_ratio", 0.9, SPOKEN, request(status=500), request(), request()).bad == 1


def test_the_way_is_taken_off_once_from_an_answer_and_four_times_where_it_connected() -> None:
    cold: dict[str, Any] = {"opened_connection": True}

    def shortened(*requests: events.AnyEvent) -> Any:
        stated = Objective(name="all", kind="read_latency", threshold=500, quantile=1.0)
        return objectives.results((stated,), entries(SPOKEN, *requests), (), less_ms=100.0)[0]

    assert (shortened(request(duration_ms=900)).estimate, shortened(request(duration_ms=50)).estimate) == (800, 0)
    mostly_cold = shortened(request(duration_ms=900, **cold), request(duration_ms=850, **cold), request(duration_ms=10))
    assert (mostly_cold.estimate, mostly_cold.samples, mostly_cold.warm_up) == (500, 3, 0)
    mostly_warm = shortened(request(duration_ms=900, **cold), request(duration_ms=10), request(duration_ms=10))
    assert (mostly_warm.samples, mostly_warm.warm_up) == (2, 1)
