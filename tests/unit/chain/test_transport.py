"""Whatever a server, a gateway or a broken line says: a proper answer, or one ChainUnavailable that names the cause."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from ledger_double import CONTRACT, PACE, START, FakeTime, LedgerDouble, Raw, RpcError

from streampay_smoke.chain.adapter import ChainAccount, ChainUnavailable
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.chain.transport import RpcTransport
from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.events import Exchanged

PAGE = "<!DOCTYPE html><title>502</title>"
ERROR = {"code": -32700, "message": "invalid request value"}


def ok(**changes: Any) -> Callable[[dict[str, Any]], Raw]:
    return lambda params: Raw(body=json.dumps({"jsonrpc": "2.0", "id": "streampay-smoke-getHealth", **changes}))


LASTING = {
    "http 404": Raw(status=404),
    "http 401": Raw(status=401, body='{"error":"key"}'),
    "redirect": Raw(status=307, headers={"location": "http://127.0.0.1:1/"}),
    "not json-rpc": Raw(body='{"message":"service unavailable"}'),
    "rpc error -32601": RpcError(code=-32601, message="method not found"),
    "rpc error -32602": RpcError(code=-32602, message="invalid parameters", data={"not": "a string"}),
}

PASSING = {
    "http 429": Raw(status=429, body='{"error":"too many requests"}'),
    "http 502": Raw(status=502, body=PAGE),
    "http 503": Raw(status=503, body='{"message":"service unavailable"}'),
    "http 504": Raw(status=504),
    "html": Raw(body=PAGE),
    "empty": Raw(),
    "not json": Raw(body="upstream is warming up"),
    "id null": Raw(body=json.dumps({"jsonrpc": "2.0", "id": None, "error": ERROR})),
    "id mismatch": Raw(body='{"jsonrpc":"2.0","id":"another","result":{}}'),
    "no result": ok(result=None),
    "reset": Raw(status=0),
    "rpc error -32603": RpcError(code=-32603, message="internal error"),
    "rpc error -32001": RpcError(code=-32001, message="request exceeded processing limit threshold"),
}

MALFORMED = {
    "an array": Raw(body="[]"),
    "another version": ok(jsonrpc="1.0", result={}),
    "neither result nor error": ok(),
    "an error that is a text": ok(error="no"),
    "an error without a code": ok(error={"message": "no"}),
    "a result that is a list": ok(result=[1]),
}


@pytest.mark.parametrize("cause", LASTING)
def test_a_lasting_failure_is_told_at_once(cause: str, ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getHealth", LASTING[cause])
    with pytest.raises(ChainUnavailable) as caught:
        adapter.health()
    assert caught.value.cause == cause
    assert len(ledger.calls) == 1


@pytest.mark.parametrize("cause", PASSING)
def test_a_passing_failure_is_tried_again_until_it_passed(
    cause: str, ledger: LedgerDouble, adapter: StellarAdapter
) -> None:
    ledger.script("getHealth", PASSING[cause], PASSING[cause])
    assert adapter.health().latest_ledger == 1_000
    assert len(ledger.calls) == 3


@pytest.mark.parametrize("cause", PASSING)
def test_a_failure_that_does_not_pass_is_told_after_the_budget(
    cause: str, ledger: LedgerDouble, adapter: StellarAdapter, fake_time: FakeTime
) -> None:
    ledger.script("getHealth", *[PASSING[cause]] * 20)
    with pytest.raises(ChainUnavailable) as caught:
        adapter.health()
    assert caught.value.cause == cause
    assert caught.value.blame == Blame.DEPENDENCY
    assert "127.0.0.1" in str(caught.value)
    assert "SMOKE_STELLAR_RPC_URL" in caught.value.next_step
    assert sum(fake_time.slept) <= PACE.retry


@pytest.mark.parametrize("what", MALFORMED)
def test_json_that_is_no_json_rpc_is_no_answer(what: str, ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getHealth", MALFORMED[what])
    with pytest.raises(ChainUnavailable) as caught:
        adapter.health()
    assert caught.value.cause == "not json-rpc"


def test_json_too_deep_to_read_is_no_answer(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getHealth", *[Raw(body="[" * 200_000)] * 20)
    with pytest.raises(ChainUnavailable) as caught:
        adapter.health()
    assert caught.value.cause == "not json"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": "healthy", "oldestLedger": 5},
        {"status": "healthy", "latestLedger": "x", "oldestLedger": 1, "latestLedgerCloseTime": "1"},
    ],
)
def test_a_result_without_the_documented_fields_is_no_answer(
    answer: dict[str, Any], ledger: LedgerDouble, adapter: StellarAdapter
) -> None:
    ledger.script("getHealth", answer)
    with pytest.raises(ChainUnavailable) as caught:
        adapter.health()
    assert caught.value.cause == "undecodable"


@pytest.mark.parametrize("result", [{}, {"passphrase": 5, "protocolVersion": "x"}])
def test_a_result_the_sdk_cannot_read_is_no_answer(
    result: dict[str, Any], ledger: LedgerDouble, adapter: StellarAdapter
) -> None:
    ledger.script("getNetwork", result)
    with pytest.raises(ChainUnavailable) as caught:
        adapter.connect()
    assert caught.value.cause == "undecodable"


def test_a_refused_connection_becomes_chain_unavailable(make_adapter: Callable[..., StellarAdapter]) -> None:
    with pytest.raises(ChainUnavailable) as caught:
        make_adapter(rpc_url="http://127.0.0.1:1/rpc").connect()
    assert caught.value.cause == "refused"


def test_a_read_timeout_becomes_chain_unavailable(
    ledger: LedgerDouble, make_adapter: Callable[..., StellarAdapter], fake_time: FakeTime
) -> None:
    ledger.script("getHealth", *[lambda params: Raw(status=-1)] * 20)
    with pytest.raises(ChainUnavailable) as caught:
        make_adapter(timeout_seconds=0.02).health()
    assert caught.value.cause == "timeout"
    assert caught.value.status is None


def test_retry_after_in_seconds_is_honoured(ledger: LedgerDouble, adapter: StellarAdapter, fake_time: FakeTime) -> None:
    ledger.script("getHealth", Raw(status=429, headers={"retry-after": "2"}))
    adapter.health()
    assert fake_time.slept == [2.0]


def test_retry_after_as_a_date_is_honoured(ledger: LedgerDouble, adapter: StellarAdapter, fake_time: FakeTime) -> None:
    soon = format_datetime(datetime.fromtimestamp(START + 1, UTC), usegmt=True)
    ledger.script("getHealth", Raw(status=503, headers={"retry-after": soon}))
    adapter.health()
    assert fake_time.slept == [1.0]


def test_a_retry_after_beyond_the_budget_ends_the_wait_at_once(
    ledger: LedgerDouble, adapter: StellarAdapter, fake_time: FakeTime
) -> None:
    ledger.script("getHealth", Raw(status=429, headers={"retry-after": "3600"}))
    with pytest.raises(ChainUnavailable) as caught:
        adapter.health()
    assert caught.value.retry_after_seconds == 3600
    assert caught.value.status == 429
    assert fake_time.slept == []


@pytest.mark.parametrize("value", ["soon", "-5", "Sun, 99 Nov 99999 00:00:00 GMT"])
def test_an_unusable_retry_after_is_as_good_as_none(
    value: str, ledger: LedgerDouble, adapter: StellarAdapter, fake_time: FakeTime
) -> None:
    ledger.script("getHealth", Raw(status=429, headers={"retry-after": value}))
    adapter.health()
    assert fake_time.slept == [0.1]


def test_a_redirect_is_not_followed(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getHealth", Raw(status=308, headers={"location": ledger.url}))
    with pytest.raises(ChainUnavailable, match="redirects are refused"):
        adapter.health()
    assert len(ledger.calls) == 1


def test_a_transaction_is_never_sent_twice_by_the_transport(
    ledger: LedgerDouble, recorded: list[Any], fake_time: FakeTime
) -> None:
    transport = RpcTransport(record=recorded.append, clock=fake_time.clock, retry_seconds=10)
    ledger.script("sendTransaction", Raw(status=503), Raw(status=503))
    with pytest.raises(ChainUnavailable):
        transport.post(ledger.url, json_data={"id": 1, "method": "sendTransaction", "params": {"transaction": "x"}})
    assert ledger.methods() == ["sendTransaction"]
    transport.close()


def test_one_connection_serves_all_calls(ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount) -> None:
    adapter.connect()
    adapter.invoke(CONTRACT, "ping", signer=payer)
    adapter.health()
    assert ledger.connections == 1


def test_every_call_is_recorded_once_with_what_it_was_for(
    ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount, recorded: list[Any]
) -> None:
    adapter.invoke(CONTRACT, "ping", signer=payer)
    exchanges = [event for event in recorded if isinstance(event, Exchanged)]
    assert [exchange.target for exchange in exchanges] == ledger.methods()
    assert {exchange.peer for exchange in exchanges} == {"ledger"}
    sent = next(exchange for exchange in exchanges if exchange.target == "sendTransaction")
    assert (sent.method, sent.status, sent.request, sent.error) == ("POST", 200, "ping", "")
    assert '"status": "PENDING"' in sent.response


def test_a_failure_is_recorded_with_status_and_reason(
    ledger: LedgerDouble, adapter: StellarAdapter, recorded: list[Any]
) -> None:
    ledger.script("getHealth", Raw(status=404, body="x" * 5_000), Raw(status=0), Raw(status=404))
    with pytest.raises(ChainUnavailable):
        adapter.health()
    with pytest.raises(ChainUnavailable):
        adapter.health()
    first, second, third = (event for event in recorded if isinstance(event, Exchanged))
    assert (first.status, second.status, third.status) == (404, None, 404)
    assert "status 404" in first.error
    assert "the connection was closed without a full answer" in second.error
    assert len(first.response) < 400


def test_neither_seeds_nor_keys_in_addresses_are_recorded(
    ledger: LedgerDouble, make_adapter: Callable[..., StellarAdapter], recorded: list[Any], payer: ChainAccount
) -> None:
    adapter = make_adapter(rpc_url=f"{ledger.url}/v1/provider-api-key?token=also-secret")
    adapter.invoke(CONTRACT, "ping", signer=payer)
    ledger.script("getHealth", Raw(status=404))
    with pytest.raises(ChainUnavailable) as caught:
        adapter.health()
    everything = repr(recorded) + str(caught.value) + caught.value.next_step + repr(payer) + str(payer)
    assert payer.seed not in everything
    assert "provider-api-key" not in everything
    assert "also-secret" not in everything


def test_streams_are_not_offered(recorded: list[Any], fake_time: FakeTime) -> None:
    with pytest.raises(NotImplementedError):
        RpcTransport(record=recorded.append, clock=fake_time.clock, retry_seconds=1).stream("http://127.0.0.1:1")
