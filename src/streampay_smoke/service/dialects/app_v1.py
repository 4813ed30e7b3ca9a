"""The API of the StreamPay app: lists and moves streams under /api/streams, shows one under /api/v2/streams."""

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import quote, urlencode

from msgspec.structs import replace

from streampay_smoke.http.bodies import Enough, one_event
from streampay_smoke.service.declared_network import declared_network, private_urls
from streampay_smoke.service.dialects.app_v1_access import AppV1Access
from streampay_smoke.service.dialects.calls import SIGN_IN, AccessRequests, Call, CsrfRule
from streampay_smoke.service.exchange import Answer, parsed
from streampay_smoke.service.lease import Lease, lease_in
from streampay_smoke.service.records import (
    LEDGER_DEPENDENCY,
    DependencyReport,
    LiveEvent,
    Readiness,
    Receipt,
    StreamOrder,
    StreamPage,
    StreamRecord,
    Withdrawal,
)
from streampay_smoke.service.shape import EVENTS, Field, body_description, deviations, is_one_word, keep_promise
from streampay_smoke.service.strkey import contracts_named

STATUSES = ("draft", "active", "paused", "ended", "withdrawn", "cancelled")
CHALLENGE_PREFIX = "streampay_auth_"

_REPORTED_DEPENDENCIES = ("config", LEDGER_DEPENDENCY, "kms")

_STREAM = (
    Field(name="id", kind=str),
    Field(name="status", kind=str, allowed=STATUSES),
    Field(name="recipient", kind=str),
    Field(name="rate", kind=str),
    Field(name="schedule", kind=str),
    Field(name="token", kind=str, required=False),
    Field(name="nextAction", kind=str, required=False),
    Field(name="createdAt", kind=str, required=False),
    Field(name="updatedAt", kind=str, required=False),
    Field(name="settlementTxHash", kind=str, required=False),
    Field(name="settlement", kind=dict, required=False),
)
_SETTLED_STREAM = (
    *(field for field in _STREAM if field.name not in {"settlementTxHash", "settlement"}),
    Field(name="settlementTxHash", kind=str),
    Field(name="settlement", kind=dict),
)
_SETTLEMENT = (Field(name="txHash", kind=str), Field(name="settledAt", kind=str))
_WITHDRAWN = (Field(name="alert", kind=bool), Field(name="data", kind=dict), Field(name="withdrawal", kind=dict))
_WITHDRAWAL = (
    Field(name="state", kind=str, allowed=("pending", "succeeded", "failed")),
    Field(name="settlementTxHash", kind=str, required=False),
)
_EVENT_DATA = re.compile(r"^data: ?(.*)$", re.MULTILINE)
_LIVE_EVENT = (Field(name="id", kind=str), Field(name="status", kind=str))
_CURSOR = Field(name="ledgerCursor", kind=int)
_META = (
    Field(name="hasNext", kind=bool),
    Field(name="nextCursor", kind=str, required=False),
    Field(name="total", kind=int),
)


class AppV1:
    """Dialect `app-v1`."""

    name: str = "app-v1"
    csrf: CsrfRule | None = CsrfRule(cookie="csrf-token", header="x-csrf-token", issued_by="/api/healthz")
    access: AccessRequests = AppV1Access()

    def readiness(self) -> Call:
        """Ask the form below /api: the plain one is an HTML 404. 503 is an answer too."""
        return Call(method="GET", path="/api/readyz", statuses=(200, 503))

    def challenge(self, address: str) -> Call:
        """Ask for a challenge, good for five minutes."""
        return Call(method="GET", path=f"/api/auth/wallet?{urlencode({'address': address})}", purpose=SIGN_IN)

    def login(self, address: str, challenge: str, signature: str) -> Call:
        """Send address, challenge and signature."""
        body = {"address": address, "challenge": challenge, "signature": signature}
        return Call(method="POST", path="/api/auth/wallet", json=body, purpose=SIGN_IN)

    def streams(self, *, limit: int, cursor: str) -> Call:
        """Ask for up to `limit` (1-100) streams, after `cursor` unless it is ""."""
        query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        return Call(method="GET", path=f"/api/streams?{urlencode(query)}", purpose="list")

    def streams_v2(self, *, limit: int, cursor: str) -> Call:
        """Ask the v2 list, which takes the same limit and cursor."""
        query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        return Call(method="GET", path=f"/api/v2/streams?{urlencode(query)}", purpose="list")

    def stream(self, stream_id: str) -> Call:
        """Ask the v2 form: the v1 one wants a tenant that no created stream has."""
        return Call(method="GET", path=f"/api/v2/streams/{quote(stream_id, safe='')}", purpose="show")

    def create(self, order: StreamOrder, key: str) -> Call:
        """Create a draft; this API knows no amount, sender or end."""
        body = {"recipient": order.recipient, "rate": order.rate, "schedule": order.schedule}
        return Call(method="POST", path="/api/streams", statuses=(201,), headers=_key(key), json=body, purpose="create")

    def create_v2(self, order: StreamOrder, key: str) -> Call:
        """Create a draft through v2; it takes the same order."""
        return replace(self.create(order, key), path="/api/v2/streams")

    def alive(self) -> Call:
        """Ask for the health that only says that the process is up: no limit counts it."""
        return Call(method="GET", path="/api/healthz")

    def metrics(self) -> Call:
        """Ask for the Prometheus text; 401 says that it is there, for those who hold the token."""
        return Call(method="GET", path="/api/metrics")

    def index_status(self) -> Call:
        """Ask for the events of the indexer, which tells its cursor again and again; the first one is enough."""
        headers = {"accept": EVENTS}
        return Call(method="GET", path="/api/indexer/status", headers=headers, enough=one_event)

    def live_events(self, stream_id: str, tenant: str, enough: Enough) -> Call:
        """Ask for the events of a stream (SSE), which never end; a header has to name whose stream it is."""
        headers = {"accept": EVENTS, "x-tenant-id": tenant}
        path = f"/api/streams/{quote(stream_id, safe='')}/events"
        return Call(method="GET", path=path, headers=headers, enough=enough)

    def write_lease(self, stream_id: str, lease: Lease) -> Call | None:
        """Create takes no text of the caller's own; v2 can change description and tags afterwards."""
        body = {"description": f"synthetic: streampay-smoke run {lease.run_id}", "tags": lease.tags}
        return Call(method="PATCH", path=f"/api/v2/streams/{quote(stream_id, safe='')}", json=body)

    def act(self, stream_id: str, action: str, key: str) -> Call:
        """Act on a stream; settle demands a key."""
        return Call(
            method="POST",
            path=f"/api/streams/{quote(stream_id, safe='')}/{quote(action, safe='')}",
            headers=_key(key),
            purpose=action,
        )

    def cancel(self, stream_id: str, wallet: str, key: str) -> Call:
        """Cancel a stream; the owner's wallet goes into a header of its own."""
        call = self.act(stream_id, "cancel", key)
        return replace(call, headers={**call.headers, "actor-wallet-address": wallet})

    def read_readiness(self, answer: Answer, *, own_hosts: Collection[str]) -> Readiness:
        """Read `{status, checks: {config, stellar, kms}}`; the ledger check's message names the Horizon host."""
        because = _not_genuine(answer)
        checks = {} if because else answer.json["checks"]
        reports = {name: _report(check) for name, check in checks.items()}
        ready = not because and answer.status == 200 and answer.json["status"] == "ok"
        ledger = reports[LEDGER_DEPENDENCY].message if LEDGER_DEPENDENCY in reports else ""
        return Readiness(
            status_code=answer.status,
            genuine=not because,
            not_genuine_because=because,
            ready=ready and all(report.ok for report in reports.values()),
            dependencies=reports,
            network=declared_network(ledger, own_hosts=own_hosts),
            ledger_urls=private_urls(ledger, own_hosts=own_hosts),
            contract_ids=contracts_named(" ".join(report.message for report in reports.values())),
            release=answer.release,
            simulated=answer.simulated or (not because and answer.json.get("simulated") is True),
            request_id=answer.request_id,
        )

    def read_challenge(self, answer: Answer) -> str:
        """Read a challenge; anything but the promised kind of text is refused, for the wallet is about to sign it."""
        found = deviations(answer.json, (Field(name="challenge", kind=str),), where="body")
        challenge = "" if found else answer.json["challenge"]
        if not found and not (challenge.startswith(CHALLENGE_PREFIX) and is_one_word(challenge)):
            found = [f"body.challenge is not one printable word that begins with {CHALLENGE_PREFIX}"]
        keep_promise(answer, "a challenge to sign", found)
        return str(challenge)

    def read_token(self, answer: Answer) -> str:
        """Read the token; its value never gets into a message."""
        found = deviations(answer.json, (Field(name="token", kind=str),), where="body")
        if not found and not is_one_word(answer.json["token"]):
            found = ["body.token is not one printable word"]
        keep_promise(answer, "a token", found)
        return str(answer.json["token"])

    def read_page(self, answer: Answer, *, limit: int) -> StreamPage:
        """Read `{data: [...], meta: {hasNext, nextCursor, total}}`."""
        return _page(answer, "data", limit)

    def read_page_v2(self, answer: Answer, *, limit: int) -> StreamPage:
        """Read `{streams: [...], meta: {hasNext, nextCursor, total}}`."""
        return _page(answer, "streams", limit)

    def read_stream(self, answer: Answer) -> StreamRecord:
        """Read the fields at the top (v2) or under data (v1); where a body has both they must agree."""
        keep_promise(answer, "a stream", deviations(answer.json, (), where="body"))
        item, found = _item(answer.json)
        found = found or deviations(item, _STREAM, where="stream")
        if not found and item.get("settlement"):
            found = deviations(item["settlement"], _SETTLEMENT, where="stream.settlement")
        keep_promise(answer, "a stream", found)
        return _record(item)

    def read_lease(self, answer: Answer) -> Lease | None:
        """Read `tags`, at the top or under data."""
        body = answer.json if isinstance(answer.json, dict) else {}
        inner = body.get("data")
        return lease_in((inner if isinstance(inner, dict) else body).get("tags"))

    def read_receipt(self, answer: Answer) -> Receipt:
        """Read `{data: {..., settlementTxHash, settlement: {txHash, settledAt}}}`."""
        found = deviations(answer.json, (Field(name="data", kind=dict),), where="body")
        data = {} if found else answer.json["data"]
        found = found or deviations(data, _SETTLED_STREAM, where="data")
        found = found or deviations(data["settlement"], _SETTLEMENT, where="data.settlement")
        keep_promise(answer, "a receipt", found)
        return Receipt(
            stream_id=data["id"],
            status=data["status"],
            settlement_tx_hash=data["settlementTxHash"],
            receipt_tx_hash=data["settlement"]["txHash"],
            settled_at=data["settlement"]["settledAt"],
            replayed=answer.headers.get("idempotency-replay", "").lower() == "true",
            answer=answer,
        )

    def read_withdrawal(self, answer: Answer) -> Withdrawal:
        """Read `{alert, data: {...}, withdrawal: {state, settlementTxHash}}`."""
        found = deviations(answer.json, _WITHDRAWN, where="body")
        data, withdrawal = ({}, {}) if found else (answer.json["data"], answer.json["withdrawal"])
        found = found or deviations(data, _STREAM, where="data")
        found = found or deviations(withdrawal, _WITHDRAWAL, where="withdrawal")
        keep_promise(answer, "a withdrawal", found)
        return Withdrawal(
            stream_id=data["id"],
            stream_status=data["status"],
            state=withdrawal["state"],
            alert=answer.json["alert"],
            settlement_tx_hash=withdrawal.get("settlementTxHash") or "",
        )

    def read_index_cursor(self, answer: Answer) -> int:
        """Read `ledgerCursor` in the data of the first event that holds any."""
        event: Any = next((parsed(text) for text in _EVENT_DATA.findall(answer.body_text)), None)
        found = deviations(event, (_CURSOR,), where="event")
        keep_promise(answer, "a status of the index", found, media_type=EVENTS)
        return int(event["ledgerCursor"])

    def read_live_events(self, answer: Answer) -> tuple[LiveEvent, ...]:
        """Read `{id, status}` in the data of each event that is whole; comments keep the connection alive."""
        whole = answer.body_text.replace("\r\n", "\n").rpartition("\n\n")[0]
        events = [parsed(text) for text in _EVENT_DATA.findall(whole)]
        found = [text for data in events for text in deviations(data, _LIVE_EVENT, where="event")]
        keep_promise(answer, "live events", found, media_type=EVENTS)
        return tuple(LiveEvent(stream_id=data["id"], status=data["status"]) for data in events)

    def recognises(self, answer: Answer) -> bool:
        """An error in its envelope, its health, its readiness, a page of streams, or a page of its web app."""
        body = answer.json
        if not isinstance(body, dict):
            return "streampay" in answer.body_text.lower() and "<html" in answer.body_text.lower()
        return bool(self.error_code(answer)) or any(names <= body.keys() for names in _OWN_BODIES)

    def error_code(self, answer: Answer) -> str:
        """Read `{error: {code, message}}`, or the flat `{error: code, message}` of the key errors."""
        error = answer.json.get("error") if isinstance(answer.json, dict) else None
        if isinstance(error, dict) and isinstance(error.get("code"), str):
            return str(error["code"])
        return error if isinstance(error, str) and isinstance(answer.json.get("message"), str) else ""


_OWN_BODIES = ({"status", "checked_at"}, {"status", "checks"}, {"data", "meta"})
"""Names that the service's health, its readiness and a page of streams have at the top."""


def _page(answer: Answer, rows: str, limit: int) -> StreamPage:
    """Read a page whose streams are under `rows`."""
    found = deviations(answer.json, (Field(name=rows, kind=list), Field(name="meta", kind=dict)), where="body")
    keep_promise(answer, "a page of streams", found)
    items, meta = answer.json[rows], answer.json["meta"]
    found = [text for place, item in enumerate(items) for text in deviations(item, _STREAM, where=f"{rows}[{place}]")]
    found += deviations(meta, _META, where="meta")
    if not found:
        found = _contradictions(items, meta, limit)
    keep_promise(answer, "a page of streams", found)
    return StreamPage(
        streams=tuple(_record(item) for item in items),
        next_cursor=meta.get("nextCursor") or "",
        has_next=meta["hasNext"],
        total=meta["total"],
        items=tuple(items),
    )


def _key(key: str) -> dict[str, str]:
    return {"idempotency-key": key} if key else {}


def _not_genuine(answer: Answer) -> str:
    """Return why this is no readiness answer of the service, "" when it is one."""
    if answer.status not in (200, 503):
        return f"the service promises 200 or 503 here; this is {body_description(answer)}"
    if not isinstance(answer.json, dict):
        return f"this is {body_description(answer)}"
    body = answer.json
    found = deviations(
        body,
        (Field(name="status", kind=str, allowed=("ok", "degraded")), Field(name="checks", kind=dict)),
        where="body",
    )
    if not found:
        checks = body["checks"]
        names = dict.fromkeys((*_REPORTED_DEPENDENCIES, *checks))
        status = (Field(name="status", kind=str), Field(name="message", kind=str, required=False))
        found = [
            text
            for name in names
            for text in (
                deviations(checks[name], status, where=f"checks.{name}")
                if name in checks
                else [f"checks.{name} is missing"]
            )
        ]
    return "; ".join(found)


def _report(check: dict[str, Any]) -> DependencyReport:
    return DependencyReport(status=check["status"], message=check.get("message") or "")


def _contradictions(items: list[dict[str, Any]], meta: dict[str, Any], limit: int) -> list[str]:
    ids = [item["id"] for item in items]
    twice = sorted({stream_id for stream_id in ids if ids.count(stream_id) > 1})
    found = [f"stream {stream_id} is on the page twice" for stream_id in twice]
    if len(items) > limit:
        found.append(f"{len(items)} streams came where at most {limit} were asked for")
    if meta["hasNext"] and not meta.get("nextCursor"):
        found.append("meta.hasNext is true, but there is no meta.nextCursor")
    if meta["total"] < len(items):
        found.append(f"meta.total is {meta['total']}, less than the {len(items)} streams on the page")
    return found


def _item(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the stream in a body, and how its two forms contradict each other."""
    inner = body.get("data")
    if not isinstance(inner, dict):
        return body, []
    both = [field.name for field in _STREAM if field.name in inner and field.name in body]
    return inner, [
        f"{name} differs between the top of the body and its data" for name in both if inner[name] != body[name]
    ]


def _record(item: dict[str, Any]) -> StreamRecord:
    settlement = item.get("settlement") or {}
    return StreamRecord(
        id=item["id"],
        status=item["status"],
        recipient=item["recipient"],
        rate=item["rate"],
        schedule=item["schedule"],
        token=item.get("token") or "",
        next_action=item.get("nextAction") or "",
        created_at=item.get("createdAt") or "",
        updated_at=item.get("updatedAt") or "",
        tags=tuple(str(tag) for tag in tags) if isinstance(tags := item.get("tags"), list) else (),
        settlement_tx_hash=item.get("settlementTxHash") or "",
        receipt_tx_hash=str(settlement.get("txHash") or ""),
    )
