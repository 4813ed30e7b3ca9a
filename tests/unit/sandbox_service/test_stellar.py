"""How the service brings its transactions to a ledger, and what it says where that goes wrong."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stellar_sdk import Keypair
from waits import Stopwatch

from streampay_sandbox.ledger import SandboxLedger, start_ledger
from streampay_sandbox.server import LoopbackServer
from streampay_sandbox.service.settlement import Treasury
from streampay_sandbox.service.stellar import LedgerError, LedgerRefused, LedgerSilent, Stellar
from streampay_sandbox.service.stream_contract import StreamContractClient

TOTAL = 600_000_000
NOBODY = Keypair.random().public_key

Open = Callable[..., tuple[SandboxLedger, Treasury]]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Start ledgers and a treasury on each."""
    running: list[tuple[SandboxLedger, Treasury]] = []

    def start(*faults: str, valid_seconds: int = 20, **kwargs: Any) -> tuple[SandboxLedger, Treasury]:
        ledger = start_ledger(faults=faults, **kwargs)
        wire = Stellar(ledger.rpc_url, ledger.passphrase, timeout_seconds=2, valid_seconds=valid_seconds)
        contract = StreamContractClient(wire, ledger.contract_id, ledger.native_token_id, ledger.birth.operator)
        running.append((ledger, Treasury(contract)))
        return running[-1]

    yield start
    for ledger, treasury in running:
        treasury.close()
        ledger.stop()


def escrow(treasury: Treasury, recipient: str = NOBODY) -> int:
    return treasury.open("order", recipient, TOTAL, 60)


RIDDEN_OUT = (
    "rpc-try-again-later",
    "rpc-bad-seq-once",
    "rpc-insufficient-fee-once",
    "rpc-duplicate",
    "archived-entry-once",
    "rpc-lagging",
)


@pytest.mark.parametrize("fault", RIDDEN_OUT)
def test_what_passes_is_ridden_out(opened: Open, fault: str) -> None:
    _, treasury = opened(fault)
    chain_id = escrow(treasury)
    treasury.start(chain_id)
    assert treasury.stream(chain_id).total_stroops == TOTAL


SILENT = ("rpc-dead", "rpc-429", "rpc-503-json", "rpc-html", "rpc-null-id")


@pytest.mark.parametrize("fault", SILENT)
def test_an_answer_that_is_none_is_told_as_silence(opened: Open, fault: str) -> None:
    _, treasury = opened(fault)
    with pytest.raises(LedgerSilent) as told:
        escrow(treasury)
    assert told.value.tx_hash == ""


@pytest.mark.parametrize("fault", ["network-public", "network-unknown", "contract-missing", "contract-paused"])
def test_a_no_is_told_as_a_refusal(opened: Open, fault: str) -> None:
    ledger, treasury = opened(fault)
    before = ledger.node.book.latest.transactions
    with pytest.raises(LedgerRefused):
        escrow(treasury)
    assert ledger.node.book.latest.transactions == before


def test_a_transaction_that_no_ledger_closes_is_named_and_looked_up_before_the_next(opened: Open) -> None:
    def slow() -> float:  # so that the transaction is still valid once somebody closes a ledger
        return time.time() - 60

    ledger, treasury = opened("ledger-stalled", valid_seconds=1, wall=slow)
    with pytest.raises(LedgerSilent) as first:
        escrow(treasury)
    with pytest.raises(LedgerSilent) as second:
        escrow(treasury)
    assert first.value.tx_hash == second.value.tx_hash != ""
    ledger.node.close_now()
    chain_id = escrow(treasury)
    assert ledger.node.book.transaction(first.value.tx_hash) is not None
    assert treasury.stream(chain_id).total_stroops == TOTAL


def test_a_failed_payment_is_returned_as_failed(opened: Open) -> None:
    _, treasury = opened()
    account = treasury.new_account(10_000_000_000)
    closed = treasury.contract.stellar.pay(account, Keypair.random().public_key, 10)
    assert not closed.succeeded
    assert treasury.contract.stellar.transaction(closed.tx_hash) == closed
    assert not treasury.confirmed(closed.tx_hash)


def test_a_contract_that_says_no_is_asked_once(opened: Open) -> None:
    _, treasury = opened()
    with pytest.raises(LedgerRefused, match="HostError"):
        treasury.start(99)
    with pytest.raises(LedgerRefused, match="get_stream"):
        treasury.stream(99)


def test_ledgers_that_close_at_intervals_are_waited_for(opened: Open) -> None:
    _, treasury = opened(close_seconds=0.3, rpc_version="28")  # whose ledgers are a second apart
    chain_id = escrow(treasury, treasury.new_account(TOTAL).public_key)
    treasury.start(chain_id)
    assert treasury.cancel(chain_id).paid_stroops > 0


def test_a_hung_ledger_is_given_up(opened: Open) -> None:
    _, treasury = opened("rpc-hangs")
    with Stopwatch() as watch, pytest.raises(LedgerSilent):
        treasury.ledger_time()
    assert watch.seconds < watch.allows(20)


def test_another_contract_of_the_same_name_is_no_stream(opened: Open) -> None:
    _, treasury = opened("contract-other-interface")
    with pytest.raises(LedgerError):
        treasury.stream(1)


def test_only_a_lost_connection_is_tried_again() -> None:
    asked: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(1)
        if len(asked) == 1:
            raise ConnectionAbortedError
        text = b'{"jsonrpc":"2.0","id":"1","result":{"friendbotUrl":"","passphrase":"n","protocolVersion":23}}'
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text})

    with LoopbackServer(app) as server:
        wire = Stellar(server.url, "n", timeout_seconds=2, valid_seconds=1)
        with pytest.raises(LedgerSilent, match="HTTP 500"):
            wire.check_network()  # an answer, though a bad one, is no lost connection
        wire.check_network()
        with pytest.raises(LedgerRefused, match="serves 'n'"):
            Stellar(server.url, "another", timeout_seconds=2, valid_seconds=1).check_network()
    with pytest.raises(LedgerSilent):
        wire.check_network()
    wire.close()
