"""Where the time of a run went: by feature, and by what was waited for."""

from collections.abc import Callable

from gate_stories import MONEY, READY, planned, started
from msgspec.structs import replace

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.time_spent import description

WriteJournal = Callable[..., JournalRead]


def scenario(name: str, ms: int, status: str = "passed") -> list[events.AnyEvent]:
    return [events.ScenarioStarted(id=name), events.ScenarioFinished(id=name, status=status, duration_ms=ms)]


def said(read: JournalRead) -> str:
    return description(fold(read.entries), read.entries)


def test_scenarios_of_a_feature_count_together_and_one_that_nobody_planned_by_its_own_name(
    journaled: WriteJournal,
) -> None:
    again = replace(READY, id="readiness/again")
    stories = [scenario(READY.id, 1_400), scenario(again.id, 800), scenario("foreign/one", 9_000)]
    assert (
        said(journaled(started(), planned(READY, again, MONEY), *stories))
        == f"spent: foreign/one 9 s, {READY.feature} 2 s"
    )


def test_waits_of_a_kind_are_summed_until_the_clean_up_and_one_that_goes_on_until_then_counts(
    journaled: WriteJournal,
) -> None:
    waited = events.Waited(what="a ledger after 5", met=True, within_seconds=9, waited_seconds=3, attempts=1, last="")
    begun = [events.Awaiting(what=f"the rate limit of {what}") for what in ("reads", "writes")]
    minute = [events.StepStarted(text="When paid")] * 100  # ten milliseconds of the journal's clock each
    story = (
        scenario(READY.id, 9_000),
        waited,
        waited,
        *begun,
        *minute,
        events.CleanUpStarted(within_seconds=9),
        waited,
    )
    assert said(journaled(started(), planned(READY), *story)).endswith(
        "; of it waiting for ledgers 6 s, rate limits 2 s"
    )


def test_no_time_is_no_word_and_no_wait_is_none(journaled: WriteJournal) -> None:
    assert said(journaled(started(), planned(READY))) == ""
    assert said(journaled(started(), planned(READY), scenario(READY.id, 700))) == f"spent: {READY.feature} 1 s"


def test_the_three_features_that_took_most_are_named_from_half_a_second_on(journaled: WriteJournal) -> None:
    def spent(*durations_ms: int) -> str:
        return said(journaled(started(), *(scenario(f"f{ms}/one", ms) for ms in durations_ms)))

    assert spent(500, 499) == "spent: f500/one 0 s"
    assert spent(1_000, 4_000, 3_000, 2_000) == "spent: f4000/one 4 s, f3000/one 3 s, f2000/one 2 s"
    assert spent(1_800_000) == "spent: f1800000/one 1800 s"


def test_a_scenario_that_was_cut_off_lasted_until_the_clean_up_began(journaled: WriteJournal) -> None:
    """Ten milliseconds of the journal's clock pass with each event."""
    begun = events.ScenarioStarted(id=READY.id)
    busy = [events.StepStarted(text="When paid")] * 119
    clean_up = [events.CleanUpStarted(within_seconds=9), *[events.StepStarted(text="")] * 300]
    cut_off = (started(), planned(READY), begun, *busy)
    assert said(journaled(*cut_off, *clean_up)) == f"spent: {READY.feature} 1 s"
    assert said(journaled(*cut_off, events.StepStarted(text=""))) == f"spent: {READY.feature} 1 s"


def test_a_wait_that_ended_is_counted_once_and_to_the_millisecond(journaled: WriteJournal) -> None:
    what = "the cutover of the service"
    waited = events.Waited(what=what, met=True, within_seconds=9, waited_seconds=499.499, attempts=1, last="")
    story = (
        scenario(READY.id, 900_000),
        events.Awaiting(what=what),
        *[events.StepStarted(text="When paid")] * 300,
        waited,
        events.CleanUpStarted(within_seconds=9),
    )
    assert said(journaled(started(), planned(READY), *story)).endswith(
        "; of it waiting for a service that was silent 499 s"
    )
