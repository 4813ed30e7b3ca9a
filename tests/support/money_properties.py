"""The properties of money safety, each with its stories, and how to try one on so many examples."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy
from money_envelopes import envelope_stories, play_envelope, play_spend_cap, spend_cap_stories
from money_ledgers import Stage, ledger_stories, play_ledger
from money_services import Service, play_service, service_stories
from money_settings import Roots, play_settings, settings_stories
from money_watch import Signatures
from money_wires import Wires, play_wire, wire_stories


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn, what is set up for a whole series, and what is played with each story.

    `play` raises AssertionError where the property does not hold, and returns where the story ended. `share` is the
    part of all examples that is drawn for this property, in thousandths.
    """

    about: str
    share: int
    stories: SearchStrategy[Any]
    stage: Callable[[], AbstractContextManager[Any]]
    play: Callable[[Any, list[bytes], Any], str]


@contextmanager
def _roots() -> Iterator[Roots]:
    with tempfile.TemporaryDirectory() as folder:
        yield Roots(Path(folder))


PROPERTIES: Mapping[str, Property] = {
    "envelopes": Property(
        about="an envelope for any network, with any contents, is handed to the guard for signing",
        share=480,
        stories=envelope_stories,
        stage=nullcontext,
        play=lambda story, messages, stage: play_envelope(story, messages),
    ),
    "spend_cap": Property(
        about="a series of transactions is signed under one spend cap, in sequence or by two threads",
        share=80,
        stories=spend_cap_stories,
        stage=nullcontext,
        play=lambda story, messages, stage: play_spend_cap(story, messages),
    ),
    "settings": Property(
        about="whole settings are loaded, the adapter made, the live network heard, a transaction signed",
        share=250,
        stories=settings_stories,
        stage=_roots,
        play=play_settings,
    ),
    "services": Property(
        about="a service names any network, at any time; a user signs in, creates, starts and settles",
        share=120,
        stories=service_stories,
        stage=Service,
        play=play_service,
    ),
    "ledgers": Property(
        about="contract calls go through the adapter to an RPC that garbles, changes its mind and lies",
        share=55,
        stories=ledger_stories,
        stage=Stage,
        play=play_ledger,
    ),
    "wires": Property(
        about="the same over the real HTTP client, with names that move and servers that redirect",
        share=15,
        stories=wire_stories,
        stage=Wires,
        play=play_wire,
    ),
}


def tried(name: str, *, examples: int, seed: int) -> Counter[str]:
    """Draw so many examples for a property and return how often each end was met.

    Raises AssertionError, with the smallest story that shows it, where the property does not hold.
    """
    held = PROPERTIES[name]
    ends: Counter[str] = Counter()
    with Signatures() as made, held.stage() as stage:

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=tuple(HealthCheck),
        )
        @hypothesis.given(held.stories)
        def holds(story: Any) -> None:
            made.messages.clear()
            ends[held.play(story, made.messages, stage)] += 1

        holds()
    return ends
