"""Which protocols the SDK and the network have, and what is said where one cannot read the other."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from ledger_double import CONTRACT, START, FakeTime, LedgerDouble, contract_event, meta_v4
from stellar_sdk import scval

from streampay_smoke.chain.adapter import ChainAccount, ChainUnavailable
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.chain.versions import SdkVersion, decoding_problem, installed_sdk, protocol_of
from streampay_smoke.core.errors import Blame
from streampay_smoke.core.networks import ALLOWED

MUXED_CONTRACT = bytes.fromhex("0000001200000005" + "00" * 40)
"""An address of protocol 30 (CAP-84), as an ScVal: no stellar-sdk of protocol 28 knows its type."""


def runs_protocol(ledger: LedgerDouble, protocol: int) -> None:
    ledger.script("getNetwork", lambda params: ledger.getNetwork(params) | {"protocolVersion": protocol})


def test_the_installed_sdk_names_its_protocol() -> None:
    sdk = installed_sdk()
    assert sdk.protocol >= 28
    assert sdk.description == f"stellar-sdk {sdk.version} is made for protocol {sdk.protocol}"


@pytest.mark.parametrize(
    ("described", "protocol"),
    [("[![Stellar Protocol](https://img.shields.io/badge/Stellar%20Protocol-31-blue)]", 31), ("nothing of it", 0)],
)
def test_the_protocol_is_read_out_of_the_description(described: str, protocol: int) -> None:
    assert protocol_of(described) == protocol


@pytest.mark.parametrize(
    ("network", "sdk", "said", "next_step"),
    [
        (30, 28, "the network runs protocol 30, and stellar-sdk 16 is made for protocol 28", "upgrade stellar-sdk"),
        (28, 28, "the network runs protocol 28, and stellar-sdk 16 is made for protocol 28", "see what answers"),
        (0, 28, "the network's protocol is not known, and stellar-sdk 16 is made for protocol 28", "upgrade"),
        (28, 0, "the network runs protocol 28, and stellar-sdk 16 is made for a protocol it does not name", "upgrade"),
    ],
)
def test_both_protocols_are_said_and_who_can_do_something(network: int, sdk: int, said: str, next_step: str) -> None:
    found, step = decoding_problem(network, SdkVersion(version="16", protocol=sdk))
    assert found == said
    assert step.startswith(next_step)


def test_what_the_sdk_cannot_decode_is_a_dependency_with_both_versions(
    ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount
) -> None:
    runs_protocol(ledger, 31)
    sent = adapter.invoke(CONTRACT, "ping", signer=payer)
    known = scval.to_address(CONTRACT)
    meta = meta_v4(scval.to_void(), [contract_event(CONTRACT, [], known)], []).to_xdr_bytes()
    unknown = meta.replace(known.to_xdr_bytes(), MUXED_CONTRACT)
    ledger.closed[sent.tx_hash]["resultMetaXdr"] = base64.b64encode(unknown).decode()
    with pytest.raises(ChainUnavailable) as caught:
        adapter.transaction(sent.tx_hash)
    assert caught.value.blame is Blame.DEPENDENCY
    assert "the network runs protocol 31, and stellar-sdk" in str(caught.value)
    assert "upgrade stellar-sdk" in caught.value.next_step


@pytest.mark.parametrize(("info", "told"), [({"version": "30.0.1"}, "30.0.1"), ({}, "")])
def test_the_rpc_tells_its_version(
    info: dict[str, Any], told: str, ledger: LedgerDouble, adapter: StellarAdapter
) -> None:
    ledger.script("getVersionInfo", info)
    assert adapter.rpc_version() == told


@pytest.mark.parametrize(
    ("protocol", "simulated", "our_clock_is_ahead_by", "slept"),
    [
        (29, True, 0.0, []),
        (30, True, 0.0, [1.0]),
        (30, True, 0.25, [0.75]),
        (30, True, 7.0, []),
        (30, True, -5.0, []),  # a ledger that closes at once runs ahead of the clock, a second for each
        (30, False, 7.0, [1.0]),  # another machine's clock proves nothing
        (30, False, -5.0, [1.0]),
    ],
)
def test_time_passes_where_ledgers_may_share_a_second(
    protocol: int,
    simulated: bool,
    our_clock_is_ahead_by: float,
    slept: list[float],
    ledger: LedgerDouble,
    make_adapter: Callable[..., StellarAdapter],
    fake_time: FakeTime,
) -> None:
    runs_protocol(ledger, protocol)
    network = ALLOWED["sandbox" if simulated else "local"]
    ledger.passphrase = network.passphrase
    adapter = make_adapter(network=network)
    adapter.connect()
    fake_time.slept.clear()
    fake_time.wall_ahead = our_clock_is_ahead_by - fake_time.now
    adapter.wait_for_later_time(START)
    assert fake_time.slept == pytest.approx(slept)
