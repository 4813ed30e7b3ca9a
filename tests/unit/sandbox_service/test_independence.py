"""The sandbox reaches its ledger by code of its own, so that a mistake of the gate's makes the two disagree."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stellar_sdk import Keypair, scval

import streampay_sandbox
from streampay_sandbox.ledger import start_ledger
from streampay_sandbox.ledger.ledger import NETWORK
from streampay_sandbox.service.settlement import Treasury
from streampay_sandbox.stack import new_treasury
from streampay_smoke.chain import codec, stellar
from streampay_smoke.chain.adapter import ChainError
from streampay_smoke.chain.contract import StreamContract
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.networks import ALLOWED

SHARED = {
    "ending_signals": "the signals that a program which serves ends by",
    "errors": "SettingsInvalid, which the command line turns into an answer",
    "secret": "a text that shows in no repr",
    "times": "a moment as text, for the ledger's events",
}
"""Every module of the gate that the sandbox may import, and why. None of them counts, encodes or signs."""

TOTAL_STROOPS = 6_000_000_000
DURATION_SECONDS = 60


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_sandbox_imports_nothing_of_the_gate_but_a_few_leaves() -> None:
    (root,) = streampay_sandbox.__path__
    gate = {
        name.split(".")[2] if name.startswith("streampay_smoke.core.") else name.split(".")[1]
        for path in Path(root).rglob("*.py")
        for name in imported(path)
        if name.startswith("streampay_smoke.")
    }
    assert gate == SHARED.keys()


def test_gate_and_sandbox_mean_the_same_network() -> None:
    assert NETWORK.network_passphrase == ALLOWED["sandbox"].passphrase


class Both(msgspec.Struct, frozen=True):
    """The gate and the service at one ledger."""

    gate: StreamContract
    adapter: StellarAdapter
    service: Treasury

    def agree_on_the_gates_stream(self) -> bool:
        """Whether the service finds in the contract what the gate meant to escrow."""
        payer = self.adapter.account("payer")
        self.adapter.fund(payer.address)
        opened = self.gate.open_draft(
            payer, Keypair.random().public_key, self.gate.token, TOTAL_STROOPS, DURATION_SECONDS
        )
        started = self.gate.start(opened.stream_id, payer)
        seen = self.service.stream(opened.stream_id)
        return (seen.total_stroops, seen.ends_at) == (TOTAL_STROOPS, started.closed_at + DURATION_SECONDS)

    def agree_on_the_services_stream(self) -> bool:
        """Whether the gate reads of a settlement what the service says of it."""
        recipient = self.service.new_account(10_000_000).public_key
        chain_id = self.service.open("order", recipient, TOTAL_STROOPS, DURATION_SECONDS)
        self.service.start(chain_id)
        payout = self.service.cancel(chain_id)
        outcome = self.adapter.transaction(payout.settlement.tx_hash)
        assert outcome is not None
        (payment,) = self.gate.payments(outcome.ledger, recipient)
        state = self.gate.stream(chain_id)
        return (payment.amount_stroops, state.released_stroops, state.total_stroops, state.status) == (
            payout.paid_stroops,
            payout.paid_stroops,
            TOTAL_STROOPS,
            "cancelled",
        )


@pytest.fixture
def both() -> Iterator[Both]:
    with start_ledger() as ledger:
        adapter = StellarAdapter(
            ALLOWED["sandbox"],
            rpc_url=ledger.rpc_url,
            friendbot_url=ledger.friendbot_url,
            record=lambda event: None,
        )
        gate = StreamContract(adapter, ledger.contract_id, PROFILES["streampay-stream"])
        service = new_treasury(ledger)
        yield Both(gate, adapter, service)
        adapter.close()
        service.close()


def test_the_gate_and_the_sandbox_agree(both: Both) -> None:
    assert both.agree_on_the_gates_stream()
    assert both.agree_on_the_services_stream()


SPOILT_ENCODERS = {
    "i128 in whole units": ("i128", lambda value: scval.to_int128(value // 10_000_000)),
    "i128 with its halves swapped": ("i128", lambda value: scval.to_int128(value << 64)),
    "u64 in milliseconds": ("u64", lambda value: scval.to_uint64(value * 1000)),
}


@pytest.mark.parametrize("name", SPOILT_ENCODERS)
def test_a_gate_that_misencodes_an_argument_disagrees(both: Both, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    kind, encoder = SPOILT_ENCODERS[name]
    monkeypatch.setattr(codec, "_ENCODERS", {**codec._ENCODERS, kind: encoder})
    try:
        agreed = both.agree_on_the_gates_stream()
    except ChainError:  # the contract refused what came
        agreed = False
    assert not agreed


def test_a_gate_that_misreads_amounts_disagrees(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = codec.plain

    def misread(value: Any) -> Any:
        if value.i128 is not None:
            return value.i128.hi.int64 << 63 | value.i128.lo.uint64 >> 1
        return honest(value)

    for module in (codec, stellar):
        monkeypatch.setattr(module, "plain", misread)
    assert not both.agree_on_the_services_stream()
