"""What a run made is brought to an end: in turn, or as much at once as a deployment takes."""

import threading
from collections.abc import Callable

import pytest

from streampay_smoke.acceptance.resources.housekeeping import Housekeeping
from streampay_smoke.core.errors import ServiceUnavailable
from streampay_smoke.core.side_by_side import hand_over
from streampay_smoke.evidence.events import AnyEvent, ResourceReleased, Warned

NAMES = ("a", "b", "c")


class Journal:
    """Keeps what is recorded, and by whom."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.threads: set[threading.Thread] = set()

    def __call__(self, event: AnyEvent) -> None:
        if hand_over(event):
            return
        self.events.append(event)
        self.threads.add(threading.current_thread())

    @property
    def released(self) -> list[str]:
        return [event.id for event in self.events if isinstance(event, ResourceReleased)]


@pytest.fixture
def journal() -> Journal:
    return Journal()


def made(journal: Journal, end: Callable[[str], bool], *, at_once: int) -> Housekeeping:
    housekeeping = Housekeeping(journal, at_once=at_once)
    for name in NAMES:
        housekeeping.made("stream", name, lambda name=name: end(name), beside_others=True)  # type: ignore[misc]
    return housekeeping


def test_ends_that_wait_for_one_ledger_wait_together_and_one_thread_writes_the_journal(journal: Journal) -> None:
    closed = threading.Barrier(len(NAMES))

    def end(name: str) -> bool:
        journal(Warned(code="ending", text=name))
        closed.wait(10.0)
        return True

    housekeeping = made(journal, end, at_once=8)
    housekeeping.clean_up()

    assert not len(housekeeping)
    assert sorted(journal.released) == list(NAMES)
    assert sorted(event.text for event in journal.events if isinstance(event, Warned)) == list(NAMES)
    assert journal.threads == {threading.current_thread()}


def test_a_deployment_that_takes_one_write_at_a_time_is_sent_one_by_this_thread(journal: Journal) -> None:
    threads: list[threading.Thread] = []

    def end(name: str) -> bool:
        threads.append(threading.current_thread())
        return True

    made(journal, end, at_once=1).clean_up()

    assert threads == [threading.current_thread()] * len(NAMES)
    assert journal.released == list(NAMES)


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_does_not_end_is_left_and_keeps_nothing_else_from_ending(journal: Journal, at_once: int) -> None:
    def end(name: str) -> bool:
        if name == "a":
            raise ServiceUnavailable("there was no answer")
        return name == "c"

    housekeeping = made(journal, end, at_once=at_once)
    housekeeping.clean_up()

    assert sorted(housekeeping.names("stream")) == ["a", "b"]
    assert journal.released == ["c"]


def test_what_signs_ends_by_this_thread_whatever_ends_beside_it(journal: Journal) -> None:
    threads: list[threading.Thread] = []

    def cancel() -> bool:
        threads.append(threading.current_thread())
        return True

    housekeeping = made(journal, lambda name: True, at_once=8)
    housekeeping.made("contract stream", "1", cancel)
    housekeeping.clean_up()

    assert not len(housekeeping)
    assert threads == [threading.current_thread()]
