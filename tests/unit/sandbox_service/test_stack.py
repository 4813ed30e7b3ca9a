"""The whole sandbox: a StreamPay whose money really moves on the sandbox ledger."""

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from waits import HANG_SECONDS, cpu_seconds_of_the_yardstick

from streampay_sandbox.faults import FAULTS, chosen_faults
from streampay_sandbox.ledger.faults import FAULTS as LEDGER_FAULTS
from streampay_sandbox.ledger.genesis import twin_contract_id
from streampay_sandbox.server import LoopbackServer
from streampay_sandbox.service.faults import FAULTS as SERVICE_FAULTS
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.chain.adapter import TxOutcome
from streampay_smoke.chain.contract import StreamContract
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.amounts import accrued, stroops
from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.http.client import Client, NoAnswer, Reply

RATE = "600"
TOTAL = 6_000_000_000


def body(reply: Reply) -> Any:
    return json.loads(reply.content)


class Visitor:
    """A user of a sandbox with an own look at its ledger."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        env = sandbox.ready_document()["env"]
        self.client: Client = Client(base_url=sandbox.base_url, timeout_seconds=HANG_SECONDS)
        self.chain = StellarAdapter(
            ALLOWED["sandbox"],
            rpc_url=sandbox.rpc_url,
            friendbot_url=sandbox.friendbot_url,
            record=lambda event: None,
        )
        self.contract = StreamContract(self.chain, env["SMOKE_CONTRACT_ID"], PROFILES["streampay-stream"])
        self.recipient = self.chain.account("recipient").address
        claims = {"iss": "streampay", "aud": "streampay-api", "sub": "a user", "exp": int(time.time()) + 600}
        self.token = jwt.encode(claims, env["SMOKE_AUTH_JWT_SECRET"], algorithm="HS256")

    def close(self) -> None:
        self.client.close()
        self.chain.close()

    def post(self, path: str, *, key: str = "", json: Any = None, **headers: str) -> Reply:
        sent = {"authorization": f"Bearer {self.token}", "cookie": "csrf-token=x", "x-csrf-token": "x"}
        keyed = {"idempotency-key": key} if key else {}
        return self.client.request("POST", path, json=json, headers={**sent, **keyed, **headers})

    def create(self, schedule: str = "minute") -> str:
        order = {"recipient": self.recipient, "rate": RATE, "schedule": schedule}
        reply = self.post("/api/streams", json=order)
        assert reply.status == 201, reply.text
        return str(body(reply)["data"]["id"])

    def started(self, schedule: str = "minute") -> str:
        stream_id = self.create(schedule)
        assert self.post(f"/api/streams/{stream_id}/start").status == 200
        return stream_id

    def received(self) -> int:
        """What came to the recipient beyond what friendbot gave."""
        return self.chain.balance(self.recipient) - self._given

    def fund(self) -> None:
        self.chain.fund(self.recipient)
        self._given = self.chain.balance(self.recipient)


Visit = Callable[..., Visitor]


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Start sandboxes; each is stopped at the end of the test."""
    visitors: list[Visitor] = []

    def start(*faults: str) -> Visitor:
        visitors.append(Visitor(start_sandbox(faults=faults)))
        visitors[-1].fund()
        return visitors[-1]

    yield start
    for visitor in visitors:
        visitor.close()
        visitor.sandbox.stop()


def settled(visitor: Visitor, stream_id: str) -> tuple[Reply, int]:
    """Settle a stream and return the answer, and what its recipient earned by the ledger's own times."""
    reply = visitor.post(f"/api/streams/{stream_id}/settle", key="k")
    if reply.status != 200:
        return reply, 0
    outcome = visitor.chain.transaction(body(reply)["data"]["settlementTxHash"])
    if outcome is None:
        return reply, 0
    chain_id = visitor.contract.stream_events(outcome.ledger)[0].stream_id
    state = visitor.contract.stream(chain_id)
    return reply, accrued(TOTAL, 60, outcome.closed_at - state.started_at)


def test_a_settlement_is_the_ledgers_own(visit: Visit) -> None:
    visitor = visit()
    reply, earned = settled(visitor, visitor.started())
    data = body(reply)["data"]
    outcome = visitor.chain.transaction(data["settlementTxHash"])
    assert outcome is not None
    assert (outcome.status, outcome.contract_id) == ("SUCCESS", visitor.contract.contract_id)
    assert data["settlement"]["txHash"] == outcome.tx_hash
    assert data["settlement"]["settledAt"].startswith(
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(outcome.closed_at))
    )
    (payment,) = visitor.contract.payments(outcome.ledger, visitor.recipient)
    assert visitor.received() == earned == payment.amount_stroops > 0
    again = visitor.post(f"/api/streams/{data['id']}/settle", key="k")
    assert again.header("idempotency-replay") == "true"
    assert visitor.received() == earned
    confirmed = body(visitor.post(f"/api/streams/{data['id']}/withdraw", key="w"))
    assert confirmed["withdrawal"]["confirmedTxHash"] == outcome.tx_hash


def test_a_stream_that_is_over_pays_everything(visit: Visit) -> None:
    visitor = visit()
    stream_id = visitor.started("second")
    for _ in range(3):
        visitor.create()  # each makes a ledger, and with it a second, go by
    reply = visitor.post(f"/api/streams/{stream_id}/settle", key="k")
    outcome = visitor.chain.transaction(body(reply)["data"]["settlementTxHash"])
    assert outcome is not None
    assert outcome.function == "settle"
    assert visitor.received() == TOTAL


def test_pause_resume_cancel_and_stop_happen_on_the_ledger(visit: Visit) -> None:
    visitor = visit()
    stream_id = visitor.started()
    replies, states = [], []
    for action in ("pause", "start", "cancel"):
        replies.append(visitor.post(f"/api/streams/{stream_id}/{action}", **{"actor-wallet-address": "a user"}))
        states.append(visitor.contract.stream(1).status)
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert states == ["paused", "active", "cancelled"]
    told = {
        name: text for name, text in body(replies[-1])["cancellation"].items() if name.endswith(("Payout", "Refund"))
    }
    assert visitor.received() == stroops(told["recipientPayout"]) > 0
    assert stroops(told["recipientPayout"]) + stroops(told["senderRefund"]) == TOTAL
    draft = visitor.create()
    assert visitor.post(f"/api/streams/{draft}/stop").status == 200
    assert visitor.contract.stream(2).status == "cancelled"


def twice_replayed(visitor: Visitor) -> tuple[int, int]:
    stream_id = visitor.started()
    _, earned = settled(visitor, stream_id)
    assert visitor.post(f"/api/streams/{stream_id}/settle", key="k").status == 200
    return visitor.received(), 2 * earned


def paid_twice(visitor: Visitor) -> tuple[int, int]:
    _, earned = settled(visitor, visitor.started())
    return visitor.received(), 2 * earned


def paid_less(visitor: Visitor) -> tuple[int, int]:
    _, earned = settled(visitor, visitor.started())
    return visitor.received(), earned - earned // 10


def paid_nobody(visitor: Visitor) -> tuple[int, int]:
    reply, _ = settled(visitor, visitor.started())
    assert reply.status == 200
    return visitor.received(), 0


def failed(visitor: Visitor) -> tuple[int, int]:
    reply, _ = settled(visitor, visitor.started())
    return reply.status, 502


def receipt_of(visitor: Visitor) -> TxOutcome:
    reply = visitor.post(f"/api/streams/{visitor.started()}/settle", key="k")
    outcome = visitor.chain.transaction(body(reply)["data"]["settlementTxHash"])
    assert outcome is not None
    return outcome


def failed_on_the_ledger(visitor: Visitor) -> tuple[object, object]:
    return (receipt_of(visitor).status, visitor.received()), ("FAILED", 0)


def paid_plainly(visitor: Visitor) -> tuple[object, object]:
    outcome = receipt_of(visitor)
    (payment,) = visitor.contract.payments(outcome.ledger, visitor.recipient)
    seen = (outcome.status, outcome.contract_id, visitor.received() - payment.amount_stroops)
    return seen, ("SUCCESS", "", 0)


def paid_by_the_twin(visitor: Visitor) -> tuple[object, object]:
    outcome = receipt_of(visitor)
    (payment,) = visitor.contract.payments(outcome.ledger, visitor.recipient)
    twin = twin_contract_id(ALLOWED["sandbox"].network_id)
    assert twin != visitor.contract.contract_id
    return (outcome.contract_id, payment.sender, visitor.contract.stream_events(1)), (twin, twin, ())


def paid_after_the_answer(visitor: Visitor) -> tuple[object, object]:
    stream_id = visitor.started()
    _, earned = settled(visitor, stream_id)
    assert visitor.post(f"/api/streams/{stream_id}/settle", key="k").status == 200
    waits = (visitor.chain.health().closed_at + ledgers for ledgers in range(1, 20))
    while visitor.received() == earned:
        visitor.chain.wait_for_close(next(waits), within_seconds=5)
    return visitor.received(), 2 * earned


MONEY_FAULTS: Mapping[str, Callable[[Visitor], tuple[object, object]]] = {
    "settle-lies": paid_nobody,
    "settle-pays-twice": paid_twice,
    "settle-pays-less": paid_less,
    "settle-pays-other-recipient": paid_nobody,
    "settle-old-transaction": paid_nobody,
    "settle-failed-but-ended": failed,
    "replay-pays-again": twice_replayed,
    "settle-names-a-failure": failed_on_the_ledger,
    "settle-by-plain-payment": paid_plainly,
    "contract-id-wrong": paid_by_the_twin,
    "replay-pays-later": paid_after_the_answer,
}


@pytest.mark.parametrize("name", MONEY_FAULTS)
def test_a_fault_with_money_shows_on_the_ledger(visit: Visit, name: str) -> None:
    seen, expected = MONEY_FAULTS[name](visit(name))
    assert seen == expected


def test_create_start_and_settle_cost_little_cpu(visit: Visit) -> None:
    """Less than 300 ms where Python does the yardstick in 30 ms: CPU time, too, is longer on a machine that is full."""
    visitor = visit()
    settled(visitor, visitor.started())
    shares = []
    for lap in range(3):
        yardstick = cpu_seconds_of_the_yardstick()
        began = time.process_time()
        stream_id = visitor.started()
        assert visitor.post(f"/api/streams/{stream_id}/settle", key=f"lap-{lap}").status == 200
        shares.append((time.process_time() - began) / yardstick)
    assert min(shares) < 10


def test_the_ready_document_points_a_run_at_the_sandbox(visit: Visit) -> None:
    sandbox = visit().sandbox
    document = sandbox.ready_document()
    assert list(document) == ["base_url", "rpc_url", "friendbot_url", "network_passphrase", "contract_id", "env"]
    assert document["network_passphrase"] == ALLOWED["sandbox"].passphrase
    assert set(document["env"]) == {
        "SMOKE_ENV", "SMOKE_BASE_URL", "SMOKE_STELLAR_NETWORK", "SMOKE_STELLAR_RPC_URL",
        "SMOKE_STELLAR_FRIENDBOT_URL", "SMOKE_CONTRACT_ID", "SMOKE_TOKEN_CONTRACT_ID", "SMOKE_AUTH_MODE",
        "SMOKE_AUTH_JWT_SECRET", "SMOKE_API_KEY", "SMOKE_LANES",
    }  # fmt: skip
    other = visit().sandbox.ready_document()["env"]
    for secret in ("SMOKE_AUTH_JWT_SECRET", "SMOKE_API_KEY"):
        assert len(other[secret]) >= 48
        assert other[secret] != document["env"][secret]


def test_a_restart_of_the_service_loses_streams_and_keys_and_the_ledger_keeps_its_own(visit: Visit) -> None:
    visitor = visit()
    stream_id = visitor.started()
    settled(visitor, stream_id)
    paid = visitor.received()
    visitor.sandbox.restart_service()
    assert visitor.post(f"/api/streams/{stream_id}/settle", key="k").status == 404
    assert visitor.contract.stream(1).status == "cancelled"
    assert visitor.received() == paid > 0
    assert visitor.create() != stream_id


@pytest.mark.parametrize("fault", ["network-public", "rpc-dead"])
def test_the_service_starts_beside_a_bad_ledger_and_creates_nothing(fault: str) -> None:
    with start_sandbox(faults=[fault]) as sandbox:
        visitor = Visitor(sandbox)
        order = {"recipient": visitor.recipient, "rate": RATE, "schedule": "minute"}
        reply = visitor.post("/api/streams", json=order)
        visitor.close()
    assert (reply.status, body(reply)["error"]["code"]) == (503, "LEDGER_UNAVAILABLE")


def test_a_taken_port_stops_the_ledger_again() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Answer nothing."""

    with LoopbackServer(app) as taken, LoopbackServer(app) as probe:
        rpc_port = probe.port
        probe.stop()
        with pytest.raises(SettingsInvalid, match="cannot listen"):
            start_sandbox(port=taken.port, rpc_port=rpc_port)
        with Client(timeout_seconds=2) as client, pytest.raises(NoAnswer):
            client.request("GET", f"http://127.0.0.1:{rpc_port}/")


def test_a_contract_profile_that_the_sandbox_lacks_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match=r"no contract of profile streampay-contracts$") as refused:
        start_sandbox(contract_profile="streampay-contracts")
    assert "streampay-stream, streampay-contracts-v0.2" in refused.value.next_step


def test_every_fault_has_one_name_and_one_story() -> None:
    assert not LEDGER_FAULTS.keys() & SERVICE_FAULTS.keys()
    assert FAULTS.keys() == LEDGER_FAULTS.keys() | SERVICE_FAULTS.keys()
    assert all(fault.story for fault in FAULTS.values())
    chosen = chosen_faults(["settle-lies", "rpc-dead", "slow"])
    assert (chosen.service, chosen.ledger) == (("settle-lies", "slow"), ("rpc-dead",))


@pytest.mark.parametrize(("name", "hint"), [("setle-lies", "did you mean 'settle-lies'"), ("zzz", "has no fault")])
def test_an_unknown_fault_is_refused_with_where_the_known_ones_are_shown(name: str, hint: str) -> None:
    with pytest.raises(SettingsInvalid, match=hint) as refused:
        start_sandbox(faults=[name])
    assert "sandbox --list-faults" in refused.value.next_step


SERVE = """
import sys
from pathlib import Path
from streampay_smoke.core.errors import SettingsInvalid
from streampay_sandbox.stack import serve
try:
    serve(ready_file=Path(sys.argv[1]) if len(sys.argv) > 1 else None)
except SettingsInvalid as problem:
    sys.exit(f"{problem}; {problem.next_step}")
"""


def serving(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path, how: signal.Signals) -> None:
    ready = tmp_path / "ready.json"
    process = serving(str(ready))
    assert process.stdout is not None
    line = process.stdout.readline()
    document = json.loads(ready.read_text())
    assert stat.S_IMODE(ready.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [ready]
    with Client(base_url=document["base_url"], timeout_seconds=5) as client:
        assert client.request("GET", "/api/readyz").status == 200
    process.send_signal(how)
    rest, errors = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert not ready.exists()
    assert document["base_url"] in line
    assert document["rpc_url"] in line
    assert not any(document["env"][name] in line for name in ("SMOKE_API_KEY", "SMOKE_AUTH_JWT_SECRET"))


def test_the_command_needs_no_ready_file() -> None:
    process = serving()
    assert process.stdout is not None
    assert process.stdout.readline().startswith("sandbox: StreamPay at http://127.0.0.1:")
    process.terminate()
    assert process.wait(timeout=HANG_SECONDS) == 0


def test_a_ready_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    process = serving(str(tmp_path / "no such folder" / "ready.json"))
    out, errors = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, out) == (1, "")
    assert "cannot write the ready file" in errors
    assert "give a path in an existing folder" in errors
