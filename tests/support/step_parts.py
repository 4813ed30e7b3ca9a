"""What the checks are tried on: receipts and records, a ledger on paper, and a small StreamPay."""

import hashlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from msgspec.structs import replace

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.adapter import (
    ChainAccount,
    ChainAdapter,
    ChainInfo,
    ChainUnavailable,
    ContractEvent,
    ContractFailure,
    ContractInterface,
    ContractMissing,
    FunctionInterface,
    TxOutcome,
)
from streampay_smoke.chain.contract import Payment, StreamContract, StreamEvent
from streampay_smoke.core.contract_profiles import PROFILES, ContractProfile
from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.evidence.events import AnyEvent, Checked
from streampay_smoke.evidence.values import in_words
from streampay_smoke.http.ledger_health import Health
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import DependencyReport, Readiness, Receipt, StreamOrder, StreamPage, StreamRecord
from streampay_smoke.settings import Settings, load

ROOT = Path(__file__).parents[2]

START = 1_800_000_000
FIRST_LEDGER = 101
"""The ledger that closes next when a paper ledger is new."""

CONTRACT = "CSTREAMPAY"
OTHER_CONTRACT = "CSOMEBODYELSE"
TOKEN = "CNATIVE"
RECIPIENT = "GRECIPIENT"
PAYER = ChainAccount(name="payer", address="GPAYER", seed="SPAYER")
HASH = "ab" * 32
OTHER_HASH = "cd" * 32
FEE_STROOPS = 100

ORDER = StreamOrder(recipient=RECIPIENT, rate="0.7777777", schedule="minute")


class Witness:
    """Collects what checks leave behind, and says whether it is what a reader of the journal needs."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.expect = Expect(self.events.append)

    @property
    def checks(self) -> list[Checked]:
        return [event for event in self.events if isinstance(event, Checked)]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def saw_held(self, *promises: str) -> None:
        """All checks so far held, and they were these."""
        assert [check.promise for check in self.checks] == list(promises)
        assert all(check.held for check in self.checks)

    @contextmanager
    def breaks(
        self, promise: str, *, expected: object = "", saw: object = "", kind: str = PromiseBroken.kind
    ) -> Iterator[None]:
        """The block breaks this promise and no other, says so in words, and leaves the evidence."""
        before = len(self.checks)
        with pytest.raises(PromiseBroken) as caught:
            yield
        assert caught.value.kind == kind
        checks = self.checks[before:]
        assert [check.held for check in checks] == [True] * (len(checks) - 1) + [False]
        broken = checks[-1]
        assert broken.promise == promise
        assert expected == "" or in_words(expected) in broken.expected
        assert saw == "" or in_words(saw) in broken.observed
        assert str(caught.value) == f"{promise}: expected {broken.expected}, saw {broken.observed}"
        assert broken.expected != broken.observed


def answer(
    status: int = 200, body: Any = None, *, text: str = "", headers: Mapping[str, str] | None = None, path: str = "/"
) -> Answer:
    return Answer(
        method="POST",
        path=path,
        status=status,
        headers=dict(headers or {}),
        body_text=text or ("" if body is None else json.dumps(body)),
        json=body,
        request_id="request-7",
        release="",
        simulated=False,
        duration_ms=1,
    )


def receipt(**changes: Any) -> Receipt:
    made = Receipt(
        stream_id="stream-1",
        status="ended",
        settlement_tx_hash=HASH,
        receipt_tx_hash=HASH,
        settled_at="2027-01-15T08:00:10Z",
        replayed=False,
        answer=answer(),
    )
    return replace(made, **changes)


def record(**changes: Any) -> StreamRecord:
    made = StreamRecord(
        id="stream-1",
        status="ended",
        recipient=ORDER.recipient,
        rate=ORDER.rate,
        schedule=ORDER.schedule,
        settlement_tx_hash=HASH,
        receipt_tx_hash=HASH,
    )
    return replace(made, **changes)


def creation(**fields: Any) -> StreamEvent:
    """What the ledger tells of the creation of an honest stream."""
    held = {"payer": PAYER.address, "token": TOKEN, "total_stroops": 7_777_777, "duration_seconds": 60, **fields}
    return StreamEvent(
        name="created", stream_id=1, fields=held, contract_id=CONTRACT, tx_hash=HASH, ledger=1, closed_at=START
    )


def page(*ids: str, items: Sequence[dict[str, Any]] | None = None, has_next: bool = False) -> StreamPage:
    return StreamPage(
        streams=tuple(record(id=stream_id) for stream_id in ids),
        next_cursor="more" if has_next else "",
        has_next=has_next,
        total=len(ids),
        items=tuple(items if items is not None else [{"id": stream_id} for stream_id in ids]),
    )


def readiness(**changes: Any) -> Readiness:
    made = Readiness(
        status_code=200,
        genuine=True,
        not_genuine_because="",
        ready=True,
        dependencies={name: DependencyReport(status="ok") for name in ("config", "stellar", "kms")},
        network="testnet",
        release="release-2",
        simulated=False,
        request_id="request-7",
    )
    return replace(made, **changes)


def outcome(**changes: Any) -> TxOutcome:
    made = TxOutcome(
        tx_hash=HASH,
        status="SUCCESS",
        ledger=FIRST_LEDGER + 2,
        closed_at=START + 15,
        contract_id=CONTRACT,
        function="settle",
        value=None,
        events=(),
        fee_charged_stroops=FEE_STROOPS,
    )
    return replace(made, **changes)


def payment(**changes: Any) -> Payment:
    made = Payment(
        amount_stroops=1_000,
        sender=CONTRACT,
        recipient=RECIPIENT,
        tx_hash=HASH,
        ledger=FIRST_LEDGER + 2,
        closed_at=START + 15,
    )
    return replace(made, **changes)


def interface_of(profile: ContractProfile) -> ContractInterface:
    """Return the interface of a contract that is all its profile promises."""
    return ContractInterface(
        functions={
            operation.function: FunctionInterface(
                arguments=tuple(
                    (theirs, profile.id_type if theirs == "stream_id" else "i128") for _, theirs in operation.arguments
                ),
                returns=profile.id_type,
            )
            for operation in profile.operations.values()
        },
        structs={
            profile.state_struct: {
                field: "StreamStatus" if name == "status" else "i128" for name, field in profile.state.items()
            }
        },
        enums={"StreamStatus": profile.statuses},
        errors=profile.errors,
    )


class PaperLedger:
    """A chain adapter over a few dictionaries: what a test writes down is what the checks find.

    `invoke` plays an honest `streampay-stream` contract; every transaction gets its own ledger, 5 s apart.
    """

    def __init__(self, profile: ContractProfile = PROFILES["streampay-stream"]) -> None:
        self.profile = profile
        self.ledger = FIRST_LEDGER - 1
        self.closed_at = START
        self.statuses = itertools.repeat("healthy")
        self.stands_still = False
        self.never_closes = False
        self.closes_when_asked = False
        self.balances: dict[str, int] = {RECIPIENT: 10_000_000, PAYER.address: 50_000_000}
        self.transactions: dict[str, TxOutcome] = {}
        self.told: list[ContractEvent] = []
        self.contracts: dict[str, ContractInterface] = {CONTRACT: interface_of(profile)}
        self.streams: dict[int, dict[str, Any]] = {}
        self.waits: list[tuple[int, float]] = []
        self.funded: list[str] = []
        self.simulated: list[tuple[Any, ...]] = []
        self.admin = "GADMIN"
        self.paused = False
        self.closed = False

    def next_ledger(self, seconds: int = 5) -> None:
        """Close a ledger."""
        self.ledger += 1
        self.closed_at += seconds

    def transact(self, tx_hash: str, **changes: Any) -> TxOutcome:
        """Write a transaction of the contract into a ledger of its own."""
        self.next_ledger()
        made = outcome(tx_hash=tx_hash, ledger=self.ledger, closed_at=self.closed_at, **changes)
        self.transactions[tx_hash] = made
        return made

    def tell(self, topics: tuple[str, ...], data: Any, *, tx_hash: str, contract_id: str = CONTRACT) -> None:
        """Write down an event of the newest ledger."""
        self.told.append(
            ContractEvent(
                contract_id=contract_id,
                topics=topics,
                data=data,
                tx_hash=tx_hash,
                ledger=self.ledger,
                closed_at=self.closed_at,
            )
        )

    def create_stream(self, stream_id: int, recipient: str = RECIPIENT) -> None:
        tx_hash = _hash(f"create {stream_id}")
        self.transact(tx_hash, function="create_draft_stream")
        data = [stream_id, PAYER.address, recipient, TOKEN, 7_777_777, 0, 60, self.closed_at]
        self.tell(("stream", "created"), data, tx_hash=tx_hash)

    def start_stream(self, stream_id: int) -> None:
        tx_hash = _hash(f"start {stream_id} {self.ledger}")
        self.transact(tx_hash, function="start_stream")
        data = [stream_id, self.closed_at, self.closed_at + 60, self.closed_at]
        self.tell(("stream", "started"), data, tx_hash=tx_hash)

    def pay(self, amount_stroops: int, *, tx_hash: str, sender: str = CONTRACT, recipient: str = RECIPIENT) -> None:
        """Move money in the newest ledger and tell of it as the token does."""
        self.balances[recipient] = self.balances.get(recipient, 0) + amount_stroops
        self.tell(("transfer", sender, recipient, "native"), amount_stroops, tx_hash=tx_hash, contract_id=TOKEN)

    def connect(self) -> ChainInfo:
        return ChainInfo(
            network="sandbox",
            passphrase="",
            simulated=True,
            protocol_version=23,
            friendbot_url="",
            latest_ledger=self.ledger,
        )

    def rpc_version(self) -> str:
        return "27.1.0"

    def health(self) -> Health:
        if self.closes_when_asked:
            self.next_ledger()
        return Health(status=next(self.statuses), latest_ledger=self.ledger, oldest_ledger=1, closed_at=self.closed_at)

    def account(self, name: str, seed: str | None = None) -> ChainAccount:
        return ChainAccount(name=name, address=f"G{name.upper()}", seed=seed or f"S{name.upper()}")

    def fund(self, *addresses: str) -> None:
        self.funded += addresses

    def balance(self, address: str) -> int:
        return self.balances.get(address, 0)

    def read(self, contract_id: str, function: str, *args: Any) -> Any:
        assert contract_id == CONTRACT
        if function == "get_stream":
            return self.streams[args[0]]
        self.simulated.append((function, *args))
        if self.paused and function == "create_draft_stream":
            raise ContractFailure("refused", code=3, name="ContractPaused")
        if self.admin and function == "initialize":
            raise ContractFailure("refused", code=13, name="AlreadyInitialized")
        if self.admin != args[0] and function == "set_paused":
            raise ContractFailure("refused", code=2, name="Unauthorized" if self.admin else "NotFound")
        return None

    def invoke(self, contract_id: str, function: str, *args: Any, signer: ChainAccount) -> TxOutcome:
        made = self.transact(
            _hash(f"{function} {args} {self.ledger}"), contract_id=contract_id, function=function, value=7
        )
        self.balances[signer.address] -= FEE_STROOPS
        if function == "create_draft_stream":
            self._open(*args)
        elif function == "settle":
            stream = self.streams[args[0]]
            stream |= {"status": ["Settled"], "released_amount": stream["total_amount"]}
            self.pay(stream["total_amount"], tx_hash=made.tx_hash, recipient=stream["recipient"])
        return made

    def transaction(self, tx_hash: str) -> TxOutcome | None:
        made = self.transactions.get(tx_hash)
        return made and replace(made, events=tuple(event for event in self.told if event.tx_hash == tx_hash))

    def events(
        self, *, since_ledger: int, contract_ids: Sequence[str], topics: Sequence[str] = ()
    ) -> tuple[ContractEvent, ...]:
        return tuple(
            event
            for event in self.told
            if event.ledger >= since_ledger
            and (not contract_ids or event.contract_id in contract_ids)
            and all(wanted in {"*", found} for wanted, found in zip(topics, event.topics, strict=False))
        )

    def interface(self, contract_id: str) -> ContractInterface:
        if contract_id not in self.contracts:
            raise ContractMissing(f"contract {contract_id} is not on this network")
        return self.contracts[contract_id]

    def spec(self, contract_id: str) -> Mapping[str, FunctionInterface]:
        return self.interface(contract_id).functions

    def native_token_contract(self) -> str:
        return TOKEN

    def wait_for_close(self, closed_at: int, *, within_seconds: float) -> Health:
        self.waits.append((closed_at, within_seconds))
        if self.never_closes:
            raise ChainUnavailable(f"no ledger closed at or after {closed_at}", cause="ledger stands still")
        while not self.stands_still and self.closed_at < closed_at:
            self.next_ledger()
        return self.health()

    def wait_for_later_time(self, closed_at: int) -> None:
        if self.closed_at <= closed_at and not self.stands_still:
            self.next_ledger()

    def close(self) -> None:
        self.closed = True

    def _open(self, payer: str, recipient: str, token: str, total_stroops: int, duration_seconds: int) -> None:
        self.balances[payer] -= total_stroops
        self.streams[7] = {
            "id": 7,
            "status": ["Draft"],
            "sender": payer,
            "recipient": recipient,
            "token": token,
            "total_amount": total_stroops,
            "released_amount": 0,
            "start_time": 0,
            "end_time": 0,
            "duration": duration_seconds,
        }


def paper_ledger() -> tuple[PaperLedger, Ledger]:
    """Return a ledger on paper, and the checks' own view of it."""
    paper = PaperLedger()
    chain: ChainAdapter = paper
    contract = StreamContract(chain, CONTRACT, paper.profile)
    return paper, Ledger(chain, contract, contract_id=CONTRACT, token_contract_id=TOKEN)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    json: Any
    stream_id: str = ""

    @property
    def user(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("x-api-key", "")

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


class Says(msgspec.Struct, frozen=True, kw_only=True):
    """An answer; `text` where it is no JSON."""

    status: int = 200
    json: Any = None
    text: str = ""
    headers: dict[str, str] = {}

    @property
    def body(self) -> bytes:
        return (self.text if self.json is None else json.dumps(self.json)).encode()


Honest = Callable[[Asked], Says]
Lie = Callable[[Asked, Honest], Says]
"""Answers in the service's place; may ask the honest one first."""

_ITEM = re.compile(r"/api/(?:v2/)?streams/([^/]+)(?:/([a-z]+))?")
_MOVES = {
    "start": (("draft", "paused"), "active"),
    "pause": (("active",), "paused"),
    "stop": (("draft", "active"), "ended"),
    "settle": (("active", "paused"), "ended"),
    "cancel": (("active", "paused"), "cancelled"),
}


class PaperStreamPay:
    """The streams of an honest StreamPay, without a ledger. A test tells it what to lie about."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.streams: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, str] = {}
        self._lies: dict[str, Lie] = {}
        self._kept: dict[tuple[str, ...], Says] = {}
        self._orders: dict[str, tuple[str, ...]] = {}
        self._ids = itertools.count(1)

    @property
    def writes(self) -> list[str]:
        """Every request that could have changed a stream."""
        return [
            f"{asked.method} {asked.path}"
            for asked in self.asked
            if asked.method != "GET" and asked.path.startswith(("/api/streams", "/api/v2/streams"))
        ]

    def lie(self, route: str, lie: Lie | Says) -> None:
        """Answer `route` ("POST /api/streams", "POST settle", "GET item") with a lie from now on."""
        self._lies[route] = lie if callable(lie) else lambda asked, honest: lie

    def be_honest(self, route: str) -> None:
        del self._lies[route]

    def answer(self, asked: Asked) -> Says:
        self.asked.append(asked)
        route, honest = self._route(asked)
        lie = self._lies.get(route)
        return lie(asked, honest) if lie else honest(asked)

    def add(self, owner: str, **fields: Any) -> str:
        """Put a stream on the books and return its id."""
        stream_id = f"stream-{next(self._ids):03}"
        self.streams[stream_id] = {
            "id": stream_id,
            "status": "draft",
            "recipient": "GSOMEBODY",
            "rate": "1",
            "schedule": "day",
            **fields,
        }
        self.owners[stream_id] = owner
        return stream_id

    def _route(self, asked: Asked) -> tuple[str, Honest]:
        routes: dict[str, Honest] = {
            "GET /api/readyz": lambda asked: readyz_says(),
            "GET /api/healthz": lambda asked: Says(json={}, headers={"set-cookie": "csrf-token=a-token; Path=/"}),
            "GET /api/auth/wallet": lambda asked: Says(json={"challenge": "streampay_auth_1"}),
            "POST /api/auth/wallet": lambda asked: Says(json={"token": asked.json["address"]}),
            "GET /api/streams": self._list,
            "GET /api/v2/streams": self._newer_list,
            "POST /api/streams": self._create,
            "POST /api/v2/streams": self._newer_create,
            "GET /api/metrics": lambda asked: Says(text="streampay_metrics_up 1\n"),
        }
        route = f"{asked.method} {asked.path}"
        if asked.stream_id:
            action = asked.path.rpartition("/")[2]
            if asked.method == "GET":
                return "GET item", self._item
            if action in _MOVES:
                return f"POST {action}", self._move
            if action == "withdraw":
                return "POST withdraw", self._withdraw
        return route, routes.get(route, lambda asked: Says(status=404, text="<html><title>404</title></html>"))

    def _list(self, asked: Asked) -> Says:
        if not asked.user:
            return _refusal(401, "UNAUTHORIZED")
        own = [stream for stream_id, stream in self.streams.items() if self.owners[stream_id] == asked.user]
        first, limit = int(asked.query.get("cursor", "0")), int(asked.query["limit"])
        shown = own[first : first + limit]
        more = first + limit < len(own)
        meta = {"hasNext": more, "nextCursor": str(first + limit) if more else None, "total": len(own) - first}
        return Says(json={"data": shown, "meta": meta})

    def _newer_list(self, asked: Asked) -> Says:
        says = self._list(asked)
        return replace(says, json={"streams": says.json["data"], "meta": says.json["meta"]}) if asked.user else says

    def _item(self, asked: Asked) -> Says:
        if self.owners.get(asked.stream_id) != asked.user:
            return _refusal(404, "STREAM_NOT_FOUND")
        return Says(json={"data": self.streams[asked.stream_id]})

    def _create(self, asked: Asked) -> Says:
        return self._once(
            (asked.user, "create", asked.key),
            lambda: Says(status=201, json={"data": self.streams[self.add(asked.user, **asked.json)]}),
        )

    def _newer_create(self, asked: Asked) -> Says:
        """Keep the order a key was used for: another one is refused."""
        order = (asked.json["recipient"], asked.json["rate"], asked.json["schedule"])
        if asked.key and self._orders.setdefault(asked.key, order) != order:
            return _refusal(409, "IDEMPOTENCY_CONFLICT")
        says = self._create(asked)
        return replace(says, json=says.json["data"])

    def _withdraw(self, asked: Asked) -> Says:
        stream = self.streams[asked.stream_id]
        if stream["status"] != "ended":
            return _refusal(409, "INVALID_STREAM_STATE")
        stream["status"] = "withdrawn"
        withdrawal = {"state": "succeeded", "settlementTxHash": stream["settlementTxHash"]}
        return Says(json={"alert": False, "data": dict(stream), "withdrawal": withdrawal})

    def _move(self, asked: Asked) -> Says:
        action = asked.path.rpartition("/")[2]
        scope = (asked.user, action, asked.key)
        kept = self._kept.get(scope)
        if kept is not None and kept.json["data"]["id"] != asked.stream_id:
            return Says(status=409, json={"error": "IdempotencyKeyReused", "message": "another request"})
        return self._once(scope, lambda: self._moved(asked.stream_id, action))

    def _moved(self, stream_id: str, action: str) -> Says:
        stream = self.streams.get(stream_id)
        if stream is None:
            return _refusal(404, "STREAM_NOT_FOUND")
        before, after = _MOVES[action]
        if stream["status"] not in before:
            return _refusal(409, "INVALID_STREAM_STATE")
        stream["status"] = after
        if action == "settle":
            tx_hash = _hash(stream_id)
            stream["settlementTxHash"] = tx_hash
            stream["settlement"] = {"txHash": tx_hash, "settledAt": "2027-01-15T08:00:10Z"}
        return Says(json={"data": dict(stream)})

    def _once(self, scope: tuple[str, ...], make: Callable[[], Says]) -> Says:
        if scope not in self._kept:
            made = make()
            if made.status >= 300:
                return made
            self._kept[scope] = made
        return self._kept[scope]


class SmallStreamPay(PaperStreamPay):
    """The same on a loopback socket."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        small = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body leave together: two packets would wait for an acknowledgement
            disable_nagle_algorithm = True

            def log_message(self, *args: Any) -> None:
                """Stay quiet."""

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if small.closed:
                    self.close_connection = True
                    return
                says = small.answer(asked_for(self.command, self.path, dict(self.headers.items()), body))
                self.send_response(says.status)
                for name, value in says.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(says.body)))
                self.end_headers()
                self.wfile.write(says.body)

            do_GET = do_POST = do_DELETE = _answer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        """Stop answering, on kept connections too."""
        self.closed = True
        self._server.shutdown()
        self._server.server_close()


def readyz_says(status_code: int = 200, /, **stellar: str) -> Says:
    """Return a readiness answer in the service's own shape."""
    ledger = {"status": "ok", "message": "reachable: http://127.0.0.1:8000", **stellar}
    well = status_code == 200
    checks = {"config": {"status": "ok"}, "stellar": ledger, "kms": {"status": "ok"}}
    return Says(status=status_code, json={"status": "ok" if well else "degraded", "checks": checks})


def _refusal(status: int, code: str) -> Says:
    return Says(status=status, json={"error": {"code": code, "message": "no"}})


def asked_for(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Asked:
    parts = urlsplit(target)
    found = _ITEM.fullmatch(parts.path)
    return Asked(
        method=method,
        path=parts.path,
        query={name: values[0] for name, values in parse_qs(parts.query).items()},
        headers={name.lower(): value for name, value in headers.items()},
        json=json.loads(body) if body else None,
        stream_id=found.group(1) if found else "",
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def settings_for(environ: Mapping[str, str], **money: Any) -> Settings:
    """Return settings of a run that is impatient; `money` changes what the environment says of money."""
    settings = load(environ=environ, root=ROOT)
    facts = replace(
        settings.facts,
        service=replace(settings.facts.service, ready_within_seconds=0.02, cutover_seconds=0.0),
        money=replace(settings.facts.money, **money),
    )
    return replace(settings, facts=facts)


def small_environ(small: SmallStreamPay, **environ: str) -> dict[str, str]:
    """Return the variables that point a run at a small StreamPay, taken at its word: there is no ledger."""
    return {
        "SMOKE_ENV": "local",
        "SMOKE_BASE_URL": small.url,
        "SMOKE_CONTRACT_ID": CONTRACT,
        "SMOKE_SETTLEMENT_PROOF": "service",
        **environ,
    }


def run_context_of(settings: Settings, witness: Witness, *, run_id: str = "run-1") -> RunContext:
    """Return the run_context of a run whose journal is the witness."""
    return RunContext(settings, record=witness.events.append, learn_secret=lambda secret: None, run_id=run_id)
