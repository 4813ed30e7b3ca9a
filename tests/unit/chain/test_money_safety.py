"""A sample of `benchmarks/money_safety.py`: nothing that is drawn gets a signature for real money, or past the cap."""

import hashlib
import random

import pytest
from money_envelopes import CAP, CONFIGURED, EnvelopeStory, Node, SpendCapStory, Spending, play_envelope, play_spend_cap
from money_properties import PROPERTIES, tried
from money_watch import Signatures, hash_on, signed_only_for
from nacl.signing import SigningKey
from stellar_sdk import Account, Asset, Keypair, TransactionBuilder

from streampay_smoke.chain import guard
from streampay_smoke.core.networks import ALLOWED, PUBLIC_PASSPHRASE

SAMPLES = {"envelopes": 1_400, "spend_cap": 300, "settings": 700, "services": 400, "ledgers": 180, "wires": 30}


@pytest.mark.parametrize("name", SAMPLES)
def test_no_story_leads_to_real_money_or_past_the_cap(name: str) -> None:
    ends = tried(name, examples=SAMPLES[name], seed=random.randrange(2**32))
    assert sum(ends.values()) >= SAMPLES[name] * 0.9
    reached = sum(count for end, count in ends.items() if end.startswith(("signed", "settled")))
    assert reached > SAMPLES[name] / 20, f"hardly anything reached a key: {ends}"
    assert any(end.startswith("refused") for end in ends)


def test_every_property_is_sampled_and_the_shares_are_whole() -> None:
    assert SAMPLES.keys() == PROPERTIES.keys()
    assert sum(each.share for each in PROPERTIES.values()) == 1_000


def an_envelope(**changes: object) -> EnvelopeStory:
    story: dict[str, object] = {
        "configured": ALLOWED["testnet"],
        "passphrase": "right",
        "late_passphrase": "",
        "shape": "call",
        "named": 7,
        "nodes": [Node("transfer", 400, 1)],
        "root": "same",
        "credentials": "source",
        "fee": 100,
        "cap": 500,
    }
    return EnvelopeStory(**(story | changes))  # type: ignore[arg-type]


def test_the_watch_sees_a_guard_that_does_not_look_at_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "check_configured", lambda *args, **options: None)
    public = next(network for network in CONFIGURED if network.name == "public")
    monkeypatch.setattr(guard, "network_of_passphrase", lambda passphrase: public)
    with Signatures() as made, pytest.raises(AssertionError):
        play_envelope(an_envelope(configured=public), made.messages)
    assert len(made.messages) == 1


def test_the_watch_sees_a_guard_that_counts_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "outlay_stroops", lambda envelope: 0)
    with Signatures() as made, pytest.raises(AssertionError, match="than was set aside"):
        play_envelope(an_envelope(), made.messages)


def test_the_watch_sees_a_spend_cap_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.SpendCap, "commit", lambda *args: None)
    spending = Spending(named=0, nodes=[Node("transfer", CAP, 1)], fee=100, sequence=1)
    with Signatures() as made, pytest.raises(AssertionError, match="more than the cap"):
        play_spend_cap(SpendCapStory(cap=CAP, spendings=[spending] * 2, threads=False), made.messages)


def test_the_watch_sees_whoever_signs_past_the_guard() -> None:
    key = Keypair.random()
    builder = TransactionBuilder(Account(key.public_key, 1), PUBLIC_PASSPHRASE, 100).add_time_bounds(0, 0)
    envelope = builder.append_payment_op(key.public_key, Asset.native(), "1").build()
    with Signatures() as made:
        envelope.sign(key)
        SigningKey(b"\x05" * 32).sign(hashlib.sha256(b"something of 32 bytes").digest())
    assert made.messages[0] == envelope.hash() == hash_on(PUBLIC_PASSPHRASE, envelope)
    for message in made.messages:
        with pytest.raises(AssertionError):
            signed_only_for(ALLOWED["testnet"], [envelope], [message])
    with pytest.raises(AssertionError, match="who asked"):
        signed_only_for(ALLOWED["testnet"], [], [b"a text"])
