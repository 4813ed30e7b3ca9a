"""What the ledger says as another RPC version: each row of the table is seen on the wire."""

import base64
import hashlib
import itertools
import struct
from collections.abc import Iterator
from typing import Any, cast

import pytest
from ledger_players import Wire, build, started
from stellar_sdk import SorobanServer, StrKey, scval, xdr

from streampay_sandbox.ledger import start_ledger
from streampay_sandbox.ledger.deployed_contract import DeployedContract
from streampay_sandbox.wire_versions import DEFAULT_WIRE_VERSION, WIRE_VERSIONS, WireVersion, wire_version
from streampay_smoke.chain.versions import NEWEST_TESTED_PROTOCOL
from streampay_smoke.core.errors import SettingsInvalid


@pytest.fixture(scope="module", params=WIRE_VERSIONS)
def named(request: pytest.FixtureRequest) -> Iterator[tuple[Wire, WireVersion]]:
    with started(rpc_version=request.param) as wire:
        yield wire, WIRE_VERSIONS[request.param]


def test_the_newest_is_the_default_and_what_the_gate_says_it_was_tested_with() -> None:
    assert list(WIRE_VERSIONS)[-1] == DEFAULT_WIRE_VERSION
    assert wire_version(DEFAULT_WIRE_VERSION).protocol == NEWEST_TESTED_PROTOCOL


def test_a_version_that_nobody_plays_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsInvalid, match=r"no RPC version '26'") as refused:
        start_ledger(rpc_version="26")
    assert refused.value.next_step == "choose one of 27.0, 28, 30"


def test_the_real_host_runs_on_its_own_protocol_only() -> None:
    contract = cast(DeployedContract, object())
    with pytest.raises(SettingsInvalid, match=r"the real host runs protocol 30, and RPC 27\.0\.0 serves protocol 27"):
        start_ledger(rpc_version="27.0", contract=contract)


def test_versions_and_protocol_are_told_everywhere(named: tuple[Wire, WireVersion]) -> None:
    wire, version = named
    info = wire.call("getVersionInfo")
    assert info["version"].startswith(version.rpc)
    told = [wire.call(method)["protocolVersion"] for method in ("getVersionInfo", "getNetwork", "getLatestLedger")]
    assert told == [version.protocol] * 3


def test_health_tells_close_times_since_27_1(named: tuple[Wire, WireVersion]) -> None:
    wire, version = named
    told = {"latestLedgerCloseTime", "oldestLedgerCloseTime"} <= wire.call("getHealth").keys()
    assert told == version.health_tells_close_times
    with SorobanServer(wire.ledger.rpc_url) as server:
        assert server.get_health().status == "healthy"


def test_events_tell_of_success_until_30(named: tuple[Wire, WireVersion]) -> None:
    wire, version = named
    wire.person().draft(wire.person())
    first, *_ = wire.call("getEvents", startLedger=1)["events"]
    assert ("inSuccessfulContractCall" in first) == version.events_tell_success


def test_errors_carry_their_event_log_until_30(named: tuple[Wire, WireVersion]) -> None:
    wire, version = named
    error = wire.simulate(build(wire.person().account(), wire.ledger.contract_id, "get_stream", scval.to_uint64(77)))
    assert error["error"].startswith("HostError: Error(Contract, #1)")
    assert ("Event log (newest first)" in error["error"]) == version.errors_carry_event_log


def test_upgraded_credentials_are_offered_since_27_1_and_ignored_before(named: tuple[Wire, WireVersion]) -> None:
    wire, version = named
    payer, recipient, sponsor = wire.person(), wire.person(), wire.person()
    native = wire.ledger.native_token_id
    transfer = build(sponsor.account(), native, "transfer", payer.value, recipient.value, scval.to_int128(1))
    (result,) = wire.simulate(transfer, useUpgradedAuth=True)["results"]
    credentials = xdr.SorobanAuthorizationEntry.from_xdr(result["auth"][0]).credentials
    assert (credentials.address_v2 is not None) == version.offers_upgraded_auth


def batch(wire: Wire, calls: int) -> Any:
    one = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    return wire.http.post(wire.ledger.rpc_url, json=[one] * calls).json()


def test_batches_of_more_than_ten_are_refused_as_a_whole_since_30(named: tuple[Wire, WireVersion]) -> None:
    wire, version = named
    assert len(batch(wire, 10)) == 10
    answer = batch(wire, 11)
    if version.most_calls_in_batch is None:
        assert len(answer) == 11
    else:
        assert (answer["id"], answer["error"]["code"]) == (None, -32600)


def test_headers_carry_milliseconds_since_protocol_30(named: tuple[Wire, WireVersion]) -> None:
    wire, version = named
    latest = wire.call("getLatestLedger")
    header = base64.b64decode(latest["headerXdr"])
    assert hashlib.sha256(header).hexdigest() == latest["id"]
    # LedgerHeader: version, hash, and StellarValue with hash, time, no upgrades, and its arm.
    seconds, upgrades, arm, milliseconds = struct.unpack_from(">QIIQ", header, 4 + 32 + 32)
    assert (seconds, upgrades) == (int(latest["closeTime"]), 0)
    if version.has_millisecond_headers:
        assert (arm, milliseconds // 1_000) == (3, seconds)
        with pytest.raises(ValueError, match="3 is not a valid"):
            xdr.LedgerHeader.from_xdr(latest["headerXdr"])
    else:
        assert arm == 1  # signed by a validator, as on a real network
        assert xdr.LedgerHeader.from_xdr(latest["headerXdr"]).ledger_version.uint32 == version.protocol


@pytest.mark.parametrize(("version", "gaps_seconds"), [("28", [1, 1, 1]), ("30", [1, 0, 1])])
def test_ledgers_share_a_second_since_protocol_30(version: str, gaps_seconds: list[int]) -> None:
    now = [100.0]
    with started(rpc_version=version, close_seconds=0.5, wall=lambda: now[0]) as wire:
        now[0] = 102.0
        ledgers = wire.call("getLedgers", startLedger=wire.call("getHealth")["oldestLedger"])["ledgers"]
        times = [int(ledger["ledgerCloseTime"]) for ledger in ledgers][-4:]
        assert [after - before for before, after in itertools.pairwise(times)] == gaps_seconds


def test_ledgers_that_close_at_once_stay_a_second_apart(named: tuple[Wire, WireVersion]) -> None:
    wire, _ = named
    first = wire.call("getHealth")["latestLedger"]
    for _ in range(3):
        wire.fund(StrKey.encode_ed25519_public_key(hashlib.sha256(str(_).encode()).digest()))
    ledgers = wire.call("getLedgers", startLedger=first)["ledgers"]
    times = [int(ledger["ledgerCloseTime"]) for ledger in ledgers]
    assert times == sorted(set(times))
