"""A client nobody here wrote: SDF's JavaScript SDK funds, reads, creates, starts and settles on the sandbox ledger."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ledger_players import NETWORK, started
from ledger_recording import Blob, known_to_sdfs_codec, record
from waits import HANG_SECONDS

from streampay_sandbox.wire_versions import WIRE_VERSIONS, WireVersion

HERE = Path(__file__).parent

Journey = tuple[dict[str, Any], dict[str, str], list[Blob]]

OLDEST, *_, NEWEST = WIRE_VERSIONS


@pytest.fixture(scope="module", params=[OLDEST, NEWEST])
def version(request: pytest.FixtureRequest) -> WireVersion:
    return WIRE_VERSIONS[request.param]


@pytest.fixture(scope="module")
def journey(node: str, version: WireVersion) -> Journey:
    """Return what the JavaScript side saw, the place it was sent to, and the XDR it was given."""
    name = next(name for name, row in WIRE_VERSIONS.items() if row is version)
    with pytest.MonkeyPatch.context() as patch, started(rpc_version=name) as wire:
        blobs = record(patch)
        ledger = wire.ledger
        place = {
            "rpcUrl": ledger.rpc_url,
            "friendbotUrl": ledger.friendbot_url,
            "passphrase": ledger.passphrase,
            "contractId": ledger.contract_id,
            "nativeTokenId": ledger.native_token_id,
        }
        done = subprocess.run(
            [node, "journey.cjs", json.dumps(place)],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), place, blobs


def test_it_sees_the_network_its_health_and_its_ledgers(journey: Journey, version: WireVersion) -> None:
    seen, place, _ = journey
    assert seen["network"] == {
        "friendbotUrl": place["friendbotUrl"],
        "passphrase": NETWORK.passphrase,
        "protocolVersion": version.protocol,
    }
    assert seen["health"]["status"] == "healthy"
    assert seen["transactions"] == 11
    assert (seen["fees"], seen["version"]) == ("100", f"{version.rpc}-streampay-sandbox")
    if version.has_millisecond_headers:  # this SDK does not know them
        assert "unknown enum value 3" in seen["latest"]["error"]
        assert "unknown enum value 3" in seen["ledgers"]["error"]
    else:
        assert seen["latest"]["header"] is True
        assert seen["ledgers"] >= 12


def test_it_creates_starts_and_settles_a_stream_which_pays_once(journey: Journey) -> None:
    raw = journey[0]["raw"]
    assert raw["statuses"] == [["PENDING", "SUCCESS"]] * 4
    assert raw["streamId"] == "1"
    assert raw["stream"]["status"] == ["Active"]
    assert int(raw["stream"]["end_time"]) - int(raw["stream"]["start_time"]) == 1
    assert raw["settledReturns"] is None
    assert raw["paid"] == str(25_000_000)
    assert raw["ledgers"] == sorted(raw["ledgers"])


def test_it_reads_the_events_of_contract_and_token(journey: Journey) -> None:
    seen, place, _ = journey
    told = [event for event in seen["events"] if event["contract"] == place["contractId"]]
    assert [event["topics"] for event in told] == [["stream", "created"], ["stream", "started"], ["stream", "settled"]]
    settled = told[-1]
    paid = [
        event
        for event in seen["events"]
        if event["contract"] == place["nativeTokenId"]
        and event["topics"][:2] == ["transfer", place["contractId"]]
        and event["txHash"] == settled["txHash"]
    ]
    assert [event["value"] for event in paid] == ["25000000"] == [settled["value"][2]]
    assert paid[0]["topics"][2:] == [settled["value"][1], "native"]


def test_its_generated_client_works_from_the_interface_on_the_chain(journey: Journey) -> None:
    client = journey[0]["client"]
    assert client["methods"] == 40
    assert client["streamId"] == "2"
    assert client["settled"] == {"value": None}
    assert client["status"] == {"tag": "Settled"}
    assert client["missing"] == "NotFound"


def test_two_parties_sign_one_transaction(journey: Journey) -> None:
    assert journey[0]["joint"] == {"needed": [True], "afterwards": [], "streamId": "3"}


def test_all_xdr_it_was_given_is_sdfs(journey: Journey, version: WireVersion, node: str) -> None:
    blobs = sorted(set(known_to_sdfs_codec(journey[2], version)))
    assert len(blobs) > 150
    assert len({kind for kind, _ in blobs}) >= 13
    judged = subprocess.run(
        [node, "reencode.mjs"],
        cwd=HERE,
        input=json.dumps(blobs),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert judged.returncode == 0, judged.stderr
    assert json.loads(judged.stdout) == {"checked": len(blobs), "differences": []}
