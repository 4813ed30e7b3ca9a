"""A codec nobody here wrote: SDF's Rust XDR re-encodes every blob of a Python session byte for byte."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ledger_players import UNIT, Wire, build, started
from ledger_recording import Blob, code_sections, known_to_sdfs_codec, record
from stellar_sdk import Asset, Keypair, SorobanServer, scval
from waits import HANG_SECONDS

from streampay_sandbox.wire_versions import WIRE_VERSIONS

HERE = Path(__file__).parent
OLDEST, *_, NEWEST = WIRE_VERSIONS


def judge(node: str, blobs: list[Blob]) -> dict[str, Any]:
    done = subprocess.run(
        [node, "reencode.mjs"],
        cwd=HERE,
        input=json.dumps(blobs),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def play(wire: Wire) -> None:
    """Touch every method, and every way a transaction can end."""
    ledger = wire.ledger
    payer, recipient = wire.person(), wire.person()
    stream_id = payer.draft(recipient, total=3 * UNIT, seconds=5)
    payer.on_stream("start_stream", stream_id)
    payer.on_stream("pause", stream_id)
    payer.on_stream("resume", stream_id)
    payer.on_stream("cancel_stream", stream_id)
    stream_id = payer.draft(recipient)
    payer.on_stream("start_stream", stream_id)
    recipient.on_stream("settle", stream_id)
    payer.invoke(
        ledger.native_token_id,
        "approve",
        payer.value,
        recipient.value,
        scval.to_int128(5),
        scval.to_uint32(10_000),
    )
    racing = [
        person.sign(
            person.prepare(
                ledger.contract_id,
                "create_draft_stream",
                person.value,
                scval.to_address(ledger.birth.admin.public_key),
                scval.to_address(ledger.native_token_id),
                scval.to_int128(UNIT),
                scval.to_uint64(9),
            )
        )
        for person in (payer, recipient)
    ]
    for envelope in racing:
        wire.outcome(wire.send(envelope)["hash"])
    failing = payer.builder().append_payment_op(Keypair.random().public_key, Asset.native(), "1").build()
    wire.outcome(wire.send(payer.sign(failing))["hash"])
    wire.send(failing)
    for function, argument in (("get_stream", 404), ("settle", 404), ("nothing", 0)):
        wire.simulate(build(payer.account(), ledger.contract_id, function, scval.to_uint64(argument)))
    stranger = build(
        payer.account(), ledger.native_token_id, "transfer", recipient.value, payer.value, scval.to_int128(1)
    )
    wire.simulate(stranger, useUpgradedAuth=True)
    wire.simulate(stranger)
    with SorobanServer(ledger.rpc_url) as server:
        for contract in (ledger.contract_id, ledger.early_contract_id):
            server.get_contract_spec(contract)
        server.get_sac_balance(ledger.contract_id, Asset.native())
    wire.call("getLatestLedger")
    wire.call("getLedgers", startLedger=1, pagination={"limit": 200})
    wire.call("getTransactions", startLedger=1, pagination={"limit": 200})
    wire.call("getEvents", startLedger=1)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_blob_of_a_session_is_re_encoded_byte_for_byte(
    version: str, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = record(monkeypatch)
    with started(rpc_version=version) as wire:
        play(wire)
    different = sorted(set(known_to_sdfs_codec(blobs, WIRE_VERSIONS[version])))
    assert len(different) > 200
    kinds = {kind for kind, _ in blobs}
    assert kinds >= {
        "ContractEvent",
        "DiagnosticEvent",
        "LedgerCloseMeta",
        "LedgerEntry",
        "LedgerEntryData",
        "LedgerEntryExt",
        "LedgerHeader",
        "LedgerHeaderHistoryEntry",
        "LedgerKey",
        "ScVal",
        "SorobanAuthorizationEntry",
        "SorobanTransactionData",
        "TransactionEnvelope",
        "TransactionEvent",
        "TransactionMeta",
        "TransactionResult",
    }
    assert judge(node, different) == {"checked": len(different), "differences": []}


def test_the_published_interface_decodes_in_sdfs_codec(node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = record(monkeypatch)
    with started() as wire, SorobanServer(wire.ledger.rpc_url) as server:
        entries = server.get_contract_spec(wire.ledger.contract_id).entries
    sections = code_sections(blobs)
    assert set(sections) == {"contractspecv0", "contractenvmetav0", "contractmetav0"}
    spec: list[Blob] = [("ScSpecEntry", entry.to_xdr()) for entry in entries]
    environment: list[Blob] = [("ScEnvMetaEntry", base64.b64encode(sections["contractenvmetav0"]).decode())]
    assert judge(node, spec + environment) == {"checked": len(spec) + 1, "differences": []}


def test_the_judge_notices_what_is_wrong(node: str) -> None:
    blobs: list[Blob] = [("ScVal", "AAAAAQ=="), ("ScVal", "AAAAAAAAAAE="), ("ScVal", "/////w=="), ("Nonsense", "AAAA")]
    answer = judge(node, blobs)
    assert answer["checked"] == 4
    assert [difference["blob"] for difference in answer["differences"]] == ["/////w==", "AAAA"]
