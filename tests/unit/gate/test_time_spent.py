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
