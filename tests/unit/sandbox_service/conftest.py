"""A StreamPay of the sandbox on a loopback socket, over a ledger that is a few dictionaries."""

import base64
import copy
import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jwt
import pytest
from stellar_sdk import Keypair

from streampay_sandbox.server import LoopbackServer
from streampay_sandbox.service.app import build_app
from streampay_sandbox.service.faults import faulty
from streampay_sandbox.service.limits import PER_MINUTE, TokenBuckets
from streampay_sandbox.service.parts import Parts, ServiceSettings, honest_parts, new_memory
from streampay_sandbox.service.settlement import Treasury
from streampay_sandbox.service.stellar import Closed, LedgerError, LedgerHead, LedgerRefused
from streampay_smoke.core.amounts import accrued
from streampay_smoke.core.secret import Secret
from streampay_smoke.http.client import Client, Reply

API_KEY = "an-api-key-for-tests"
WEBHOOK_SECRET = "a-webhook-secret-for-tests"
JWT_SECRET = "a-jwt-secret-for-tests-" + "x" * 64
GENEROUS = dict.fromkeys(PER_MINUTE, 10_000)


class ChainStream:
    """A stream in the fake contract."""

    def __init__(self, recipient: str, total_stroops: int, duration_seconds: int) -> None:
        self.recipient = recipient
        self.total_stroops = total_stroops
        self.duration_seconds = duration_seconds
        self.released_stroops = 0
        self.started_at = 0
        self.ends_at = 0
        self.paused_at = 0
        self.status = "Draft"

    def earned(self, now: int) -> int:
        if not self.started_at:
            return 0
        until = min(self.paused_at or now, self.ends_at)
        return accrued(self.total_stroops, self.duration_seconds, until - (self.ends_at - self.duration_seconds))


class Recorded(Closed, frozen=True, kw_only=True):
    """A transaction, with the contract function it called."""

    function: str


class FakeLedger:
    """Network and contract at once. `now` is its clock; `failing` raises at the next calls while it is set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000
        self.streams: dict[int, ChainStream] = {}
        self.paid: dict[str, int] = {}
        self.transactions: dict[str, Recorded] = {}
        self.failing: LedgerError | None = None
        self.failing_after: LedgerError | None = None
        self.network_checks = 0
        self.operator = Keypair.random()
        self.stellar = self
        self._ids = itertools.count(1)

    def _send(self, function: str, value: Any = None) -> Closed:
        closed = Recorded(
            tx_hash=secrets.token_hex(32), succeeded=True, closed_at=self.now, value=value, function=function
        )
        self.transactions[closed.tx_hash] = closed
        if self.failing_after is not None:
            problem, self.failing_after = self.failing_after, None
            problem.tx_hash = closed.tx_hash  # type: ignore[attr-defined]
            raise problem
        return closed

    def _check(self) -> None:
        if self.failing is not None:
            raise self.failing

    def check_network(self) -> None:
        self._check()
        self.network_checks += 1

    def head(self) -> LedgerHead:
        self._check()
        return LedgerHead(sequence=7, closed_at=self.now)

    def transaction(self, tx_hash: str) -> Closed | None:
        self._check()
        return self.transactions.get(tx_hash)

    def transfer(self, recipient: str, amount_stroops: int) -> Closed:
        self.paid[recipient] = self.paid.get(recipient, 0) + amount_stroops
        return self._send("transfer")

    def new_account(self, balance_stroops: int) -> Keypair:
        return Keypair.random()

    def open_draft(self, recipient: str, total_stroops: int, duration_seconds: int) -> Closed:
        self._check()
        assert self.network_checks == 1
        stream_id = next(self._ids)
        self.streams[stream_id] = ChainStream(recipient, total_stroops, duration_seconds)
        return self._send("create_draft_stream", stream_id)

    def _move(self, function: str, stream_id: int, allowed: Sequence[str], to: str) -> ChainStream:
        self._check()
        found = self.streams.get(stream_id)
        if found is None or found.status not in allowed:
            raise LedgerRefused(f"{function} is not possible: InvalidState")
        found.status = to
        return found

    def start(self, stream_id: int) -> Closed:
        stream = self._move("start_stream", stream_id, ["Draft"], "Active")
        stream.started_at, stream.ends_at = self.now, self.now + stream.duration_seconds
        return self._send("start_stream")

    def pause(self, stream_id: int) -> Closed:
        self._move("pause_stream", stream_id, ["Active"], "Paused").paused_at = self.now
        return self._send("pause_stream")

    def resume(self, stream_id: int) -> Closed:
        stream = self._move("resume_stream", stream_id, ["Paused"], "Active")
        stream.ends_at += self.now - stream.paused_at
        stream.paused_at = 0
        return self._send("resume_stream")

    def settle(self, stream_id: int) -> Closed:
        self._pay(self._move("settle", stream_id, ["Active", "Paused"], "Settled"), everything=True)
        return self._send("settle")

    def cancel(self, stream_id: int) -> Closed:
        self._pay(self._move("cancel_stream", stream_id, ["Draft", "Active", "Paused"], "Cancelled"))
        return self._send("cancel_stream")

    def stream(self, stream_id: int) -> ChainStream:
        self._check()
        if stream_id not in self.streams:
            raise LedgerRefused("get_stream is not possible: NotFound")
        return copy.copy(self.streams[stream_id])

    def _pay(self, stream: ChainStream, *, everything: bool = False) -> None:
        amount = (stream.total_stroops if everything else stream.earned(self.now)) - stream.released_stroops
        stream.released_stroops += amount
        self.paid[stream.recipient] = self.paid.get(stream.recipient, 0) + amount


class Deployment:
    """A running service, its ledger, and how a client talks to it."""

    def __init__(self, ledger: FakeLedger, server: LoopbackServer, treasury: Treasury, parts: Parts) -> None:
        self.ledger = ledger
        self.server = server
        self.treasury = treasury
        self.parts = parts
        self.url = server.url
        self._client = Client(base_url=server.url, timeout_seconds=30)
        self.wallet = Keypair.random()
        self.recipient = Keypair.random().public_key
        self.token = self.parts.tokens.issue(self.wallet.public_key)[0]

    def close(self) -> None:
        self._client.close()

    def send(self, method: str, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a request without credentials; writes carry the CSRF pair."""
        pair = {"cookie": f"csrf-token={'a' * 64}", "x-csrf-token": "a" * 64} if method != "GET" else {}
        return self._client.request(method, path, json=json, headers={**pair, **(headers or {})})

    def raw(self, method: str, path: str, **kwargs: Any) -> Reply:
        """Send a request as it stands."""
        return self._client.request(method, path, **kwargs)

    def user(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        token: str | None = None,
        key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request as the wallet's owner, or as whoever `token` belongs to."""
        sent = {"authorization": f"Bearer {self.token if token is None else token}", **(headers or {})}
        if key:
            sent["idempotency-key"] = key
        return self.send(method, path, json=json, headers=sent)

    def order(self, **changes: Any) -> dict[str, Any]:
        return {"recipient": self.recipient, "rate": "10", "schedule": "minute", **changes}

    def create(self, key: str = "", **changes: Any) -> str:
        """Create a stream and return its id."""
        reply = self.user("POST", "/api/streams", json=self.order(**changes), key=key)
        assert reply.status == 201, reply.text
        return str(body(reply)["data"]["id"])

    def started(self, **changes: Any) -> str:
        stream_id = self.create(**changes)
        assert self.act(stream_id, "start").status == 200
        return stream_id

    def act(self, stream_id: str, action: str, *, key: str = "", **kwargs: Any) -> Reply:
        return self.user("POST", f"/api/streams/{stream_id}/{action}", key=key, **kwargs)

    def record(self, stream_id: str) -> dict[str, Any]:
        reply = self.user("GET", f"/api/v2/streams/{stream_id}")
        assert reply.status == 200, reply.text
        return dict(body(reply)["data"])

    def sign_in(self, *, sign: Callable[[str], bytes] | None = None) -> Reply:
        """Sign in with the wallet, or with whatever `sign` makes of the challenge."""
        challenge = body(self.send("GET", f"/api/auth/wallet?address={self.wallet.public_key}"))["challenge"]
        signature = self.wallet.sign(challenge.encode()) if sign is None else sign(challenge)
        return self.log_in(challenge, base64.b64encode(signature).decode())

    def log_in(self, challenge: str, signature: str) -> Reply:
        document = {"address": self.wallet.public_key, "challenge": challenge, "signature": signature}
        return self.send("POST", "/api/auth/wallet", json=document)

    def forged(self, *, secret: str = JWT_SECRET, algorithm: str = "HS256", **changes: Any) -> str:
        """Return a token like the service's own, with some claims changed (None drops one)."""
        now = int(time.time())
        claims = {
            "iss": "streampay",
            "aud": "streampay-api",
            "sub": self.wallet.public_key,
            "iat": now,
            "exp": now + 600,
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, None if algorithm == "none" else secret, algorithm=algorithm)

    def paid(self) -> int:
        """What the recipient has got, in stroops."""
        return self.ledger.paid.get(self.recipient, 0)


def body(reply: Reply) -> Any:
    return json.loads(reply.content)


Deploy = Callable[..., Deployment]


@pytest.fixture(scope="session")
def rpc_url() -> Iterator[str]:
    """The address of something that answers `getHealth`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        text = b'{"jsonrpc":"2.0","id":1,"result":{"status":"healthy"}}'
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text})

    with LoopbackServer(app) as server:
        yield f"{server.url}/rpc"


@pytest.fixture
def deploy(rpc_url: str) -> Iterator[Deploy]:
    """Start services; each is stopped at the end of the test."""
    running: list[Deployment] = []

    def start(
        *faults: str, per_minute: Mapping[str, int] = GENEROUS, rpc: str = rpc_url, release: str = "r-1"
    ) -> Deployment:
        ledger = FakeLedger()
        treasury = Treasury(ledger)  # type: ignore[arg-type]
        settings = ServiceSettings(
            release=release,
            rpc_url=rpc,
            network_passphrase="a test network",
            contract_id="C",
            jwt_secret=Secret(JWT_SECRET),
            api_key=Secret(API_KEY),
            webhook_secret=Secret(WEBHOOK_SECRET),
        )
        stopping = threading.Event()
        honest = honest_parts(settings, treasury, memory=new_memory(TokenBuckets(per_minute)), stopping=stopping)
        parts = faulty(honest, faults)
        server = LoopbackServer(build_app(parts), stopping=stopping).start()
        running.append(Deployment(ledger, server, treasury, parts))
        return running[-1]

    yield start
    for deployment in running:
        deployment.close()
        deployment.server.stop()


@pytest.fixture
def deployment(deploy: Deploy) -> Deployment:
    """An honest service."""
    return deploy()
