"""Every fault is visibly different from a StreamPay that keeps its promises."""

import base64
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
import pytest
from waits import slowdown

from streampay_sandbox.service.faults import AS_PROBED, FAULTS, access, faulty, whole_service
from streampay_sandbox.service.limits import PER_MINUTE
from streampay_sandbox.service.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature_of
from streampay_smoke.core.secret import Secret
from streampay_smoke.http.client import Client
from tests.unit.sandbox_service.conftest import GENEROUS, WEBHOOK_SECRET


def body(reply: Any) -> Any:
    return json.loads(reply.content)


def settled(deployment: Any, key: str = "k") -> Any:
    """Settle a stream of 10 units after half its time."""
    stream_id = deployment.started()
    deployment.ledger.now += 30
    return deployment.act(stream_id, "settle", key=key)


def settled_hash(deployment: Any) -> str:
    return str(body(settled(deployment))["data"]["settlementTxHash"])


def settle_is_on_ledger(deployment: Any) -> Any:
    return settled_hash(deployment) in deployment.ledger.transactions, deployment.paid()


def settle_pays(deployment: Any) -> Any:
    settled(deployment)
    return deployment.paid()


def settles_in_a_new_transaction(deployment: Any) -> Any:
    before = set(deployment.ledger.transactions)
    tx_hash = settled_hash(deployment)
    return tx_hash in deployment.ledger.transactions, tx_hash in before


def failed_settle_moves_nothing(deployment: Any) -> Any:
    reply = settled(deployment)
    (row,) = body(deployment.user("GET", "/api/streams"))["data"]
    again = deployment.act(row["id"], "settle", key="k")
    return reply.status, again.status, row["status"]


def receipt_agrees(deployment: Any) -> Any:
    data = body(settled(deployment))["data"]
    return data["settlementTxHash"] == data["settlement"]["txHash"]


def record_is_settled(deployment: Any) -> Any:
    data = body(settled(deployment))["data"]
    record = deployment.record(data["id"])
    return record["status"], record["settlement"] == data["settlement"]


def replay_pays(deployment: Any) -> Any:
    stream_id = body(settled(deployment))["data"]["id"]
    reply = deployment.act(stream_id, "settle", key="k")
    return reply.header("idempotency-replay"), deployment.paid()


def key_on_another_stream(deployment: Any) -> Any:
    settled(deployment)
    other = deployment.started()
    return deployment.act(other, "settle", key="k").status, deployment.record(other)["status"]


def repeated_create(deployment: Any) -> Any:
    return deployment.create(key="k") == deployment.create(key="k")


def list_statuses(deployment: Any, headers: Mapping[str, str]) -> Any:
    """Statuses of both lists, and whether somebody's stream shows."""
    deployment.create()
    replies = [deployment.send("GET", path, headers=headers) for path in ("/api/streams", "/api/v2/streams")]
    return [(reply.status, '"id":' in reply.text) for reply in replies]


def list_with(token: Callable[[Any], str]) -> Callable[[Any], Any]:
    return lambda deployment: list_statuses(deployment, {"authorization": token(deployment)})


def expired(deployment: Any) -> str:
    return f"Bearer {deployment.forged(exp=int(time.time()) - 3600)}"


def foreign(deployment: Any) -> str:
    return f"Bearer {deployment.forged(secret='s' * 64)}"


def unsigned(deployment: Any) -> str:
    return f"Bearer {deployment.forged(algorithm='none')}"


def for_others(deployment: Any) -> str:
    return f"Bearer {deployment.forged(aud='another-api')}"


def by_others(deployment: Any) -> str:
    return f"Bearer {deployment.forged(iss='another-house')}"


def by_another_method(deployment: Any) -> str:
    return f"Bearer {deployment.forged(algorithm='HS512')}"


def others_shown(deployment: Any) -> Any:
    deployment.create()
    pages = [body(deployment.user("GET", path)) for path in ("/api/streams", "/api/v2/streams")]
    return len(pages[0]["data"]), len(pages[1]["streams"])


def row_of(stream_id: str, rows: Any) -> Any:
    return next(row for row in rows if row["id"] == stream_id)


def private_fields(deployment: Any) -> Any:
    stream_id = deployment.create()
    row = row_of(stream_id, body(deployment.user("GET", "/api/streams"))["data"])
    row2 = row_of(stream_id, body(deployment.user("GET", "/api/v2/streams"))["streams"])
    return sorted({"email", "label", "memo", "partnerId"} & row.keys() & row2.keys())


def second_page_differs(deployment: Any) -> Any:
    deployment.create()
    deployment.create()
    first = body(deployment.user("GET", "/api/streams?limit=1"))
    second = body(deployment.user("GET", f"/api/streams?limit=1&cursor={first['meta']['nextCursor']}"))
    return first["data"] != second["data"]


def list_shape(deployment: Any) -> Any:
    return sorted(body(deployment.user("GET", "/api/streams")))


def ready(deployment: Any) -> Any:
    reply = deployment.send("GET", "/api/readyz")
    if "json" not in reply.header("content-type"):
        return reply.status, reply.header("content-type")
    document = body(reply)
    return reply.status, document.get("status"), document.get("checks", {}).get("stellar", {}).get("status")


def ready_host(deployment: Any) -> Any:
    return "horizon.stellar.org" in body(deployment.send("GET", "/api/readyz"))["checks"]["stellar"]["message"]


def releases(deployment: Any) -> Any:
    start = deployment.send("GET", "/")
    manifest = deployment.send("GET", "/_next/static/r-1/_buildManifest.js")
    return start.header("x-release"), "<!--r-1-->" in start.text, manifest.status


def list_and_create(deployment: Any) -> Any:
    created = deployment.user("POST", "/api/streams", json=deployment.order())
    listed = deployment.user("GET", "/api/streams")
    stored = len(body(deployment.user("GET", "/api/v2/streams"))["streams"])
    return created.status, listed.status, bool(listed.content), stored


def junk_signature(deployment: Any) -> Any:
    return deployment.sign_in(sign=lambda challenge: b"any text").status


def keys_published(deployment: Any) -> Any:
    keys = body(deployment.send("GET", "/.well-known/jwks.json"))["keys"]
    return [(key["kty"], key["kid"], sorted(key.keys() & {"k", "d"})) for key in keys]


def wrong_challenge(deployment: Any) -> Any:
    """Statuses of a sign-in with a challenge nobody was given, and of one that is repeated word for word."""
    statuses = []
    asked = deployment.send("GET", f"/api/auth/wallet?address={deployment.wallet.public_key}")
    given = body(asked)["challenge"]
    for challenge in (f"streampay_auth_1790000000000_{'0' * 32}", given, given):
        signature = base64.b64encode(deployment.wallet.sign(challenge.encode())).decode()
        statuses.append(deployment.log_in(challenge, signature).status)
    return statuses


def administration(deployment: Any) -> Any:
    """Statuses of the administrators' pages for a stranger, for one who claims to be administrator, and for a user."""
    claim = {"actor-wallet-address": access.PLACEHOLDER}
    pages = ("/api/admin/pause", "/api/admin/quotas", "/api/audit")
    return [
        [deployment.send("GET", page).status for page in pages],
        [deployment.send("GET", page, headers=claim).status for page in pages],
        [deployment.user("GET", page).status for page in pages],
    ]


def writes_with(token: Callable[[Any], str]) -> Callable[[Any], Any]:
    """Statuses of a create and a stop by such a caller, and what became of the stream."""

    def probe(deployment: Any) -> Any:
        stream_id = deployment.create()
        headers = {"authorization": token(deployment)} if token(deployment) else {}
        created = deployment.send("POST", "/api/streams", json=deployment.order(), headers=headers)
        stopped = deployment.send("POST", f"/api/streams/{stream_id}/stop", headers=headers)
        return created.status, stopped.status, deployment.record(stream_id)["status"]

    return probe


def nobodys(deployment: Any) -> str:
    return ""


def junk(deployment: Any) -> str:
    return "Bearer junk"


def another_user(deployment: Any) -> str:
    return f"Bearer {deployment.parts.tokens.issue('another-user')[0]}"


def item_for(token: Callable[[Any], str]) -> Callable[[Any], Any]:
    def probe(deployment: Any) -> Any:
        headers = {"authorization": token(deployment)} if token(deployment) else {}
        return deployment.send("GET", f"/api/v2/streams/{deployment.create()}", headers=headers).status

    return probe


def item_of_tenant(deployment: Any) -> Any:
    headers = {"x-tenant-id": deployment.wallet.public_key}
    return deployment.send("GET", f"/api/streams/{deployment.create()}", headers=headers).status


FORGED = {"status": "ended", "settlement": {"txHash": "f" * 64, "settledAt": "2026-01-01T00:00:00.000Z"}}


def forged_create(deployment: Any) -> Any:
    v1 = body(deployment.user("POST", "/api/streams", json={**deployment.order(), **FORGED}))["data"]
    v2 = body(deployment.user("POST", "/api/v2/streams", json={**deployment.order(), **FORGED}))
    return [(deployment.record(row["id"])["status"], row["status"], "settlement" in row) for row in (v1, v2)]


def forged_change(deployment: Any) -> Any:
    stream_id = deployment.create()
    status = deployment.user("PATCH", f"/api/v2/streams/{stream_id}", json=FORGED).status
    return status, deployment.record(stream_id)["status"]


def forged_batch(deployment: Any) -> Any:
    stream_id = deployment.create()
    updates = [{"id": stream_id, "data": FORGED}]
    status = deployment.user("POST", "/api/v2/streams/batch", json={"updates": updates}).status
    return status, deployment.record(stream_id)["status"]


def cached(deployment: Any) -> Any:
    stream_id = deployment.create()
    replies = [deployment.user("GET", path) for path in ("/api/streams", f"/api/v2/streams/{stream_id}")]
    return [reply.header("cache-control").partition(",")[0] for reply in replies]


def pairs(deployment: Any) -> Any:
    """Statuses of a write with no pair, with either half, with an unequal pair and with the whole one."""
    cookie, header = {"cookie": "csrf-token=a"}, {"x-csrf-token": "a"}
    shown: tuple[dict[str, str], ...] = ({}, cookie, header, {**cookie, "x-csrf-token": "b"}, {**cookie, **header})
    token = {"authorization": f"Bearer {deployment.token}"}
    return [deployment.raw("POST", "/api/streams/none/stop", headers={**token, **each}).status for each in shown]


APP, OTHER_SITE = "http://localhost:3000", "https://another-site.example"


def leave(deployment: Any) -> Any:
    """For the app's page and another one: status, who is allowed, and whether all that a write needs is."""
    replies = [
        deployment.raw("OPTIONS", "/api/streams", headers={"origin": origin, "access-control-request-method": "POST"})
        for origin in (APP, OTHER_SITE)
    ]
    return [
        (
            reply.status,
            reply.header("access-control-allow-origin"),
            "x-csrf-token" in reply.header("access-control-allow-headers"),
        )
        for reply in replies
    ]


def error_says(deployment: Any) -> Any:
    message = body(deployment.send("GET", "/api/streams", headers={"authorization": "Bearer junk"}))["error"]["message"]
    return "junk" in message, "hunter2" in message


def hurried(deployment: Any) -> Any:
    """Whether a caller in a rush is stopped, and somebody else with them."""
    other = deployment.parts.tokens.issue("in-a-rush")[0]
    statuses = {deployment.user("GET", "/api/streams?limit=1", token=other).status for _ in range(6)}
    return 429 in statuses, deployment.user("GET", "/api/streams").status


def every_status(deployment: Any) -> Any:
    return [deployment.send("GET", path).status for path in ("/", "/api/healthz", "/nowhere")]


def shows_a_stack(deployment: Any) -> Any:
    reply = deployment.send("GET", "/api/streams")
    return reply.status, "route.js:1:" in reply.text


def write_status(deployment: Any) -> Any:
    return deployment.user("POST", "/api/streams", json=deployment.order()).status


def first_statuses(deployment: Any) -> Any:
    wallet = deployment.send("GET", f"/api/auth/wallet?address={deployment.wallet.public_key}")
    return deployment.user("GET", "/api/streams").status, write_status(deployment), wallet.status


def is_quick(deployment: Any) -> Any:
    """Whether one of some answers takes less than the fault adds to each."""
    return any(answers_in_seconds(deployment) < whole_service.SLOW_SECONDS for _ in range(4))


def answers_in_seconds(deployment: Any) -> float:
    began = time.monotonic()
    assert deployment.send("GET", "/api/healthz").status == 200
    return time.monotonic() - began


def are_quick(deployment: Any) -> Any:
    """Whether the quickest of three reads and of three writes were; a machine that is full slows single ones."""

    def is_one_quick(method: str, **sent: Any) -> bool:
        times = []
        for _ in range(3):
            began = time.monotonic()
            deployment.user(method, "/api/streams", **sent)
            times.append(time.monotonic() - began)
        return min(times) < whole_service.SLOWER_SECONDS

    return is_one_quick("GET"), is_one_quick("POST", json=deployment.order())


def read_statuses(deployment: Any) -> Any:
    return [deployment.user("GET", "/api/streams").status for _ in range(6)]


def checked(deployment: Any) -> Any:
    return sorted(body(deployment.send("GET", "/api/readyz"))["checks"])


def escrowed(deployment: Any) -> Any:
    deployment.create()
    (stream,) = deployment.ledger.streams.values()
    return stream.total_stroops


def hash_and_money(deployment: Any) -> Any:
    """Whether a receipt's hash is one of the ledger's, and what the recipient got."""
    return settled_hash(deployment) in deployment.ledger.transactions, deployment.paid()


def receipt_status(deployment: Any) -> Any:
    return body(settled(deployment))["data"]["status"]


def receipt_is_for_the_stream(deployment: Any) -> Any:
    receipt = body(settled(deployment))["data"]["id"]
    return receipt in {row["id"] for row in body(deployment.user("GET", "/api/streams"))["data"]}


def receipt_year(deployment: Any) -> Any:
    data = body(settled(deployment))["data"]
    return data["settlement"]["settledAt"][:4], deployment.record(data["id"])["settlement"]["settledAt"][:4]


def record_against_list(*names: str) -> Callable[[Any], Any]:
    """Whether the record of a settled stream says the same as the list."""

    def probe(deployment: Any) -> Any:
        settled(deployment)
        (row,) = body(deployment.user("GET", "/api/streams"))["data"]
        record = deployment.record(row["id"])
        return [name for name in row if name in record and row[name] != record[name]] == list(names)

    return probe


def too_early_and_again(deployment: Any) -> Any:
    """Settle a draft, start it, settle it again with the same key."""
    stream_id = deployment.create()
    early = deployment.act(stream_id, "settle", key="k").status
    between = deployment.record(stream_id)["status"]
    deployment.act(stream_id, "start")
    deployment.ledger.now += 30
    return early, between, deployment.act(stream_id, "settle", key="k").status


def other_order_under_a_key(deployment: Any) -> Any:
    """Place an order in v2, and another one under its key: the second status, and whether it is the first stream."""
    orders = [deployment.order(rate=rate) for rate in ("10", "20")]
    first, second = (deployment.user("POST", "/api/v2/streams", json=order, key="k") for order in orders)
    return second.status, body(second).get("id") == body(first)["id"]


def newer_form(deployment: Any) -> Any:
    """What v2 says of a withdrawn stream, in its list and opened."""
    stream_id = body(settled(deployment))["data"]["id"]
    deployment.act(stream_id, "withdraw", key="w")
    row = row_of(stream_id, body(deployment.user("GET", "/api/v2/streams"))["streams"])
    opened = body(deployment.user("GET", f"/api/v2/streams/{stream_id}"))
    return {(item["status"], item["settlement"] is None) for item in (row, opened, opened["data"])}


def over_new_connections(deployment: Any) -> Any:
    """Statuses of one stream, asked for over connections of their own."""
    stream_id = deployment.create()
    headers = {"authorization": f"Bearer {deployment.token}"}
    statuses = []
    for _ in range(4):
        with Client(base_url=deployment.url, timeout_seconds=5, headers=headers) as client:
            statuses.append(client.request("GET", f"/api/v2/streams/{stream_id}").status)
    return statuses


def replayed_elsewhere(deployment: Any) -> Any:
    stream_id = body(settled(deployment))["data"]["id"]
    here = deployment.act(stream_id, "settle", key="k").status
    pair = {"cookie": "csrf-token=x", "x-csrf-token": "x", "authorization": f"Bearer {deployment.token}"}
    with Client(base_url=deployment.url, timeout_seconds=5, headers={**pair, "idempotency-key": "k"}) as client:
        return here, client.request("POST", f"/api/streams/{stream_id}/settle").status


def canary(deployment: Any) -> Any:
    return deployment.user("GET", "/api/v2/streams/stream-canary").status


def statuses_of_seven(deployment: Any) -> Any:
    replies = [deployment.send("GET", "/api/healthz") for _ in range(7)]
    return sorted(reply.status for reply in replies), "CHAOS_INJECTED" in replies[-1].text


def minutes_ahead(deployment: Any) -> Any:
    told = parsedate_to_datetime(deployment.send("GET", "/api/readyz").header("date")).timestamp()
    return round((told - time.time()) / 60)


def signs(deployment: Any) -> Any:
    created = deployment.user("POST", "/api/streams", json=deployment.order())
    return deployment.send("GET", "/api/readyz").status, created.status


def has_a_database(deployment: Any) -> Any:
    paths = ("/api/streams/health", "/api/readyz", "/api/streams", "/api/v2/streams", "/api/v2/streams/stream-canary")
    return [deployment.user("GET", path).status for path in paths]


def indexed(deployment: Any) -> Any:
    texts = [deployment.send("GET", "/api/indexer/status").text for _ in range(2)]
    return [json.loads(text.partition("data: ")[2])["ledgerCursor"] for text in texts]


def scraped(deployment: Any) -> Any:
    return deployment.send("GET", "/api/metrics").status, deployment.send("GET", "/api/healthz").status


def lists_by_version(deployment: Any) -> Any:
    """Statuses of both lists for a caller whose credential is any text, and whether somebody's stream shows."""
    return list_statuses(deployment, {"authorization": "any text"})


def creates_by_version(deployment: Any) -> Any:
    """Statuses of a creation in either version by a caller whose credential is any text."""
    headers = {"authorization": "any text"}
    paths = ("/api/streams", "/api/v2/streams")
    return [deployment.send("POST", path, json=deployment.order(), headers=headers).status for path in paths]


def changes_by_version(deployment: Any) -> Any:
    """Statuses of a stop in v1 and a change and a deletion in v2 by nobody, and whether the stream is still there."""
    stream_id = deployment.create()
    item = f"/api/v2/streams/{stream_id}"
    statuses = [
        deployment.send("POST", f"/api/streams/{stream_id}/stop").status,
        deployment.send("PATCH", item, json={"description": "mine"}).status,
        deployment.send("DELETE", item).status,
    ]
    return statuses, deployment.user("GET", item).status


def batch_by(authorization: str) -> Callable[[Any], Any]:
    def probe(deployment: Any) -> Any:
        stream_id = deployment.create()
        updates = {"updates": [{"id": stream_id, "data": {"description": "mine"}}]}
        headers = {"authorization": authorization}
        status = deployment.send("POST", "/api/v2/streams/batch", json=updates, headers=headers).status
        return status, deployment.record(stream_id).get("description", "")

    return probe


def failed_and_again(deployment: Any) -> Any:
    """A settlement whose ledger fails once: statuses of it, of the same key and of another, and the state between."""
    stream_id = deployment.started()
    deployment.ledger.now += 30
    first = deployment.act(stream_id, "settle", key="k").status
    state = deployment.record(stream_id)["status"]
    return first, state, deployment.act(stream_id, "settle", key="k").status, deployment.paid()


def transactions_named(deployment: Any) -> Any:
    """How the receipt's two fields begin, whether they are equal, whether a replay repeats them, and what was paid."""
    first = body(settled(deployment))["data"]
    again = body(deployment.act(first["id"], "settle", key="k"))["data"]
    named = (first["settlementTxHash"], first["settlement"]["txHash"])
    repeated = (again["settlementTxHash"], again["settlement"]["txHash"]) == named
    return [text.startswith("fake-tx-") for text in named], named[0] == named[1], repeated, deployment.paid()


def cancelled_by_version(deployment: Any) -> Any:
    """What v1 and v2 call a cancelled stream."""
    stream_id = deployment.started()
    owner = {"actor-wallet-address": deployment.wallet.public_key}
    assert deployment.act(stream_id, "cancel", headers=owner).status == 200
    v1 = row_of(stream_id, body(deployment.user("GET", "/api/streams"))["data"])
    v2 = row_of(stream_id, body(deployment.user("GET", "/api/v2/streams"))["streams"])
    return v1["status"], v2["status"], deployment.record(stream_id)["status"]


def evading(header: str) -> Callable[[Any], Any]:
    """Whether a signed-in caller is stopped who sends another value of a header each time, and one who guesses so."""

    def probe(deployment: Any) -> Any:
        sent = [{header: f"192.0.2.{number}"} for number in range(7)]
        reads = [deployment.user("GET", "/api/streams", headers=each).status for each in sent]
        logins = [deployment.send("POST", "/api/auth/wallet", json={}, headers=each).status for each in sent]
        return 429 in reads, 429 in logins

    return probe


def used_up_by_a_stranger(deployment: Any) -> Any:
    """What a user is told after a stranger has asked and asked with a forged token that names them."""
    for _ in range(7):
        deployment.user("GET", "/api/streams", token=deployment.forged(secret="s" * 64))
    return deployment.user("GET", "/api/streams").status


LISTENING = {"x-tenant-id": "t"}


def listened(deployment: Any, stream_id: str, do: Callable[[], Any], **headers: str) -> Any:
    """Status of a subscription, and which streams it tells of once `do` has been done."""
    url, sent = f"{deployment.url}/api/streams/{stream_id}/events", {**LISTENING, **headers}
    try:
        with httpx.stream("GET", url, headers=sent, timeout=LISTEN_SECONDS, trust_env=False) as reply:
            if reply.status_code != 200:
                return reply.status_code, []
            do()
            told: list[str] = []
            with contextlib.suppress(httpx.ReadTimeout):
                lines = reply.iter_lines()
                while stream_id not in told:  # the one that `do` moves last
                    told += [json.loads(line.partition(": ")[2])["id"] for line in [next(lines)] if "data:" in line]
            return reply.status_code, told
    except httpx.ReadTimeout:
        return "no headers", []


def heard_by(token: Callable[[Any], str]) -> Callable[[Any], Any]:
    """What a caller hears of somebody's stream: status, whether of this stream, whether of another."""

    def probe(deployment: Any) -> Any:
        stream_id, other = deployment.create(), deployment.create()

        def start_both() -> None:
            for each in (other, stream_id):
                assert deployment.act(each, "start").status == 200

        shown = {"authorization": token(deployment)} if token(deployment) else {}
        status, told = listened(deployment, stream_id, start_both, **shown)
        return status, stream_id in told, other in told

    return probe


def owner(deployment: Any) -> str:
    return f"Bearer {deployment.token}"


def reports(deployment: Any) -> Any:
    """Statuses of a report that is unsigned, one with any signature, and one signed as it should be."""
    content, now = b'{"eventType":"settlement.finished"}', str(int(time.time()))
    good = {TIMESTAMP_HEADER: now, SIGNATURE_HEADER: signature_of(Secret(WEBHOOK_SECRET), now, content)}
    sent: tuple[dict[str, str], ...] = ({}, {**good, SIGNATURE_HEADER: "v1=00"}, good)
    return [deployment.raw("POST", "/api/webhooks", content=content, headers=each).status for each in sent]


def kept_over_new_connections(deployment: Any) -> Any:
    """Statuses of the kept stream and of a new one, asked for over connections of their own."""
    headers = {"authorization": f"Bearer {deployment.token}"}
    stream_id = deployment.create()
    statuses = []
    for asked in ("stream-canary", "stream-canary", stream_id, stream_id):
        with Client(base_url=deployment.url, timeout_seconds=5, headers=headers) as client:
            statuses.append(client.request("GET", f"/api/v2/streams/{asked}").status)
    return sorted(statuses[:2]), statuses[2:]


def replicas_seen(deployment: Any) -> Any:
    """Return how many names, keys, limits, releases and kept streams 25 connections met, and what their clocks said."""
    headers = {"authorization": f"Bearer {deployment.token}"}
    told: dict[str, set[object]] = {what: set() for what in ("names", "keys", "limits", "releases", "kept")}
    late_names, ahead_seconds = set(), []
    for number in range(25):
        with Client(base_url=deployment.url, timeout_seconds=5, headers=headers) as client:
            keys = client.request("GET", "/.well-known/jwks.json")
            kept = client.request("GET", "/api/v2/streams/stream-canary")
            ahead_seconds.append(parsedate_to_datetime(kept.header("date")).timestamp() - time.time())
        told["names"].add(kept.header("x-replica-id"))
        told["keys"].add(keys.content)
        told["limits"].add(kept.header("x-ratelimit-limit"))
        told["releases"].add(kept.header("x-release"))
        told["kept"].add(kept.status)
        if number >= 15:
            late_names.add(kept.header("x-replica-id"))
    clock = "right" if max(ahead_seconds) <= 0 else "a second ahead" if max(ahead_seconds) < 5 else "ahead"
    return [len(each) for each in told.values()], len(late_names), clock


def after_money(deployment: Any) -> Any:
    """Statuses of a stream read after its settlement, its replay, its withdrawal, read again, and of the kept one."""
    stream_id = body(settled(deployment))["data"]["id"]
    item = f"/api/v2/streams/{stream_id}"
    statuses = [
        deployment.user("GET", item).status,
        deployment.act(stream_id, "settle", key="k").status,
        deployment.act(stream_id, "withdraw", key="w").status,
        deployment.user("GET", item).status,
    ]
    return statuses, canary(deployment)


def after_stops(deployment: Any) -> Any:
    """Statuses of two drafts that are stopped and then read, one by one, and of the kept stream."""
    statuses = []
    for _ in range(2):
        stream_id = deployment.create()
        statuses.append(deployment.act(stream_id, "stop").status)
        statuses.append(deployment.user("GET", f"/api/v2/streams/{stream_id}").status)
    return statuses, canary(deployment)


LISTEN_SECONDS = 1.0
SLOW_SECONDS = 0.2
"""How long the fault `slow` takes here; as much longer as the machine is slower."""
FEW = dict.fromkeys(PER_MINUTE, 5)
REFUSED = [(401, False), (401, False)]
SHUT = [[401] * 3, [401] * 3, [403] * 3]
UNMOVED = (401, 401, "draft")
LEAVE = [(204, APP, True), (403, "", False)]
OPEN = [(200, True), (200, True)]
HALF = 50_000_000
HTML = "text/html; charset=utf-8"


class Difference(msgspec.Struct, frozen=True):
    """What a probe sees of an honest service, and of the faulty one."""

    probe: Callable[[Any], Any]
    honest: Any
    faulty: Any


DIFFERENCES: Mapping[str, Difference] = {
    "settle-lies": Difference(settle_is_on_ledger, (True, HALF), (False, 0)),
    "settle-pays-twice": Difference(settle_pays, HALF, 2 * HALF),
    "settle-pays-other-recipient": Difference(settle_is_on_ledger, (True, HALF), (True, 0)),
    "settle-pays-less": Difference(settle_pays, HALF, 45_000_000),
    "settle-old-transaction": Difference(settles_in_a_new_transaction, (True, False), (True, True)),
    "settle-failed-but-ended": Difference(failed_settle_moves_nothing, (200, 200, "ended"), (502, 502, "ended")),
    "settle-names-other-network": Difference(hash_and_money, (True, HALF), (False, HALF)),
    "escrow-a-stroop-less": Difference(escrowed, 2 * HALF, 2 * HALF - 1),
    "receipt-names-other-stream": Difference(receipt_is_for_the_stream, True, False),
    "receipt-still-active": Difference(receipt_status, "ended", "active"),
    "receipt-backdated": Difference(receipt_year, ("2027", "2027"), ("2026", "2026")),
    "record-other-recipient": Difference(record_against_list("recipient"), False, True),
    "record-other-amount": Difference(record_against_list("rate"), False, True),
    "record-other-hash": Difference(record_against_list("settlementTxHash", "settlement"), False, True),
    "refusal-frozen": Difference(too_early_and_again, (409, "draft", 200), (409, "draft", 409)),
    "refused-settle-ends-stream": Difference(too_early_and_again, (409, "draft", 200), (409, "ended", 409)),
    "key-answers-for-other-order": Difference(other_order_under_a_key, (409, False), (201, True)),
    "record-final-as-draft": Difference(newer_form, {("withdrawn", False)}, {("draft", False)}),
    "record-without-settlement": Difference(newer_form, {("withdrawn", False)}, {("withdrawn", True)}),
    "replicas-keep-streams": Difference(over_new_connections, [200] * 4, [404, 200, 404, 200]),
    "replicas-keep-keys": Difference(replayed_elsewhere, (200, 200), (200, 409)),
    "store-forgets": Difference(canary, 200, 404),
    "chaos-left-on": Difference(statuses_of_seven, ([200] * 7, False), ([200] * 6 + [503], True)),
    "service-clock-ahead": Difference(minutes_ahead, 0, 10),
    "ready-but-cannot-sign": Difference(signs, (200, 201), (200, 503)),
    "ready-but-database-dead": Difference(has_a_database, [200] * 5, [200, 200, 500, 500, 500]),
    "indexer-invents": Difference(indexed, [7, 7], [51_234_567, 51_230_001]),
    "indexer-stands-still": Difference(indexed, [7, 7], [-93, -93]),
    "metrics-off": Difference(scraped, (200, 200), (503, 200)),
    "settle-receipt-differs": Difference(receipt_agrees, True, False),
    "record-not-settled": Difference(record_is_settled, ("ended", True), ("active", False)),
    "replay-pays-again": Difference(replay_pays, ("true", HALF), ("true", 2 * HALF)),
    "key-answers-for-other-stream": Difference(key_on_another_stream, (409, "active"), (200, "active")),
    "create-repeats": Difference(repeated_create, True, False),
    "list-open": Difference(lambda deployment: list_statuses(deployment, {}), REFUSED, OPEN),
    "list-accepts-junk": Difference(list_with(lambda deployment: "x"), REFUSED, OPEN),
    "v2-lists-for-any-text": Difference(lists_by_version, REFUSED, [(401, False), (200, True)]),
    "v2-creates-for-any-text": Difference(creates_by_version, [401, 401], [401, 201]),
    "v2-changes-open": Difference(changes_by_version, ([401] * 3, 200), ([401, 200, 204], 404)),
    "v2-batch-for-any-bearer": Difference(batch_by("Bearer any"), (401, ""), (200, "mine")),
    "failed-settle-ends-stream": Difference(failed_and_again, (200, "ended", 200, HALF), (502, "ended", 409, 0)),
    "failed-settle-frozen": Difference(failed_and_again, (200, "ended", 200, HALF), (502, "active", 502, 0)),
    "settle-invents-transaction": Difference(
        transactions_named, ([False, False], True, True, HALF), ([True, True], True, True, 0)
    ),
    "settle-invents-two": Difference(
        transactions_named, ([False, False], True, True, HALF), ([True, True], False, True, 0)
    ),
    "record-cancelled-as-draft": Difference(cancelled_by_version, ("cancelled",) * 3, ("cancelled", "draft", "draft")),
    "list-accepts-expired": Difference(list_with(expired), REFUSED, OPEN),
    "list-accepts-foreign": Difference(list_with(foreign), REFUSED, OPEN),
    "list-accepts-alg-none": Difference(list_with(unsigned), REFUSED, OPEN),
    "list-accepts-other-audience": Difference(list_with(for_others), REFUSED, OPEN),
    "list-accepts-other-issuer": Difference(list_with(by_others), REFUSED, OPEN),
    "list-accepts-hs512": Difference(list_with(by_another_method), REFUSED, OPEN),
    "list-leaks-others": Difference(others_shown, (1, 1), (4, 4)),
    "list-leaks-private": Difference(private_fields, [], ["email", "label", "memo", "partnerId"]),
    "list-pages-wrong": Difference(second_page_differs, True, False),
    "list-wrong-shape": Difference(list_shape, ["data", "links", "meta"], ["count", "items"]),
    "ready-lies-html": Difference(ready, (200, "ok", "ok"), (200, HTML)),
    "ready-login-page": Difference(ready, (200, "ok", "ok"), (200, HTML)),
    "ready-proxy-welcome": Difference(ready, (200, "ok", "ok"), (200, HTML)),
    "ready-empty-json": Difference(ready, (200, "ok", "ok"), (200, None, None)),
    "ready-degraded-but-200": Difference(ready, (200, "ok", "ok"), (200, "degraded", "degraded")),
    "ready-names-mainnet": Difference(ready_host, False, True),
    "ready-never": Difference(ready, (200, "ok", "ok"), (503, "degraded", "degraded")),
    "release-stale": Difference(releases, ("r-1", True, 200), ("before-r-1", False, 404)),
    "half-broken": Difference(list_and_create, (201, 200, True, 1), (500, 500, False, 1)),
    "wallet-any-signature": Difference(junk_signature, 401, 200),
    "wallet-any-challenge": Difference(wrong_challenge, [401, 200, 401], [200, 200, 200]),
    "wallet-challenge-lasts": Difference(wrong_challenge, [401, 200, 401], [401, 200, 200]),
    "jwks-leaks": Difference(keys_published, [], [("oct", "streampay-current", ["k"])]),
    "jwks-leaks-previous": Difference(keys_published, [], [("oct", "streampay-previous", ["k"])]),
    "jwks-leaks-private-half": Difference(keys_published, [], [("RSA", "streampay-next", ["d"])]),
    "admin-open": Difference(administration, SHUT, [[200, 401, 401], [200, 401, 401], [200, 403, 403]]),
    "admin-by-header": Difference(administration, SHUT, [[401] * 3, [200] * 3, [403] * 3]),
    "admin-any-user": Difference(administration, SHUT, [[401] * 3, [401] * 3, [200] * 3]),
    "audit-open": Difference(administration, SHUT, [[401, 401, 200], [401, 401, 200], [403, 403, 200]]),
    "writes-open": Difference(writes_with(nobodys), UNMOVED, (201, 200, "ended")),
    "writes-accept-junk": Difference(writes_with(junk), UNMOVED, (201, 200, "ended")),
    "writes-accept-expired": Difference(writes_with(expired), UNMOVED, (201, 200, "ended")),
    "writes-refused-too-late": Difference(writes_with(nobodys), UNMOVED, (401, 401, "ended")),
    "others-act": Difference(writes_with(another_user), (201, 404, "draft"), (201, 200, "ended")),
    "item-open": Difference(item_for(nobodys), 401, 200),
    "item-shows-others": Difference(item_for(another_user), 404, 200),
    "tenant-by-header": Difference(item_of_tenant, 401, 200),
    "create-takes-anything": Difference(
        forged_create, [("draft", "draft", False), ("draft", "draft", True)], [("ended", "ended", True)] * 2
    ),
    "change-takes-anything": Difference(forged_change, (400, "draft"), (200, "ended")),
    "batch-takes-anything": Difference(forged_batch, (400, "draft"), (200, "ended")),
    "caches-share": Difference(cached, ["private"] * 2, ["public"] * 2),
    "csrf-open": Difference(pairs, [403, 403, 403, 403, 404], [404] * 5),
    "csrf-by-cookie-alone": Difference(pairs, [403, 403, 403, 403, 404], [403, 404, 403, 404, 404]),
    "csrf-any-pair": Difference(pairs, [403, 403, 403, 403, 404], [403, 403, 403, 404, 404]),
    "cors-lacks-headers": Difference(leave, LEAVE, [(204, APP, False), (403, "", False)]),
    "cors-forgets-app": Difference(leave, LEAVE, [(403, "", False), (403, "", False)]),
    "cors-any-origin": Difference(leave, LEAVE, [(204, APP, True), (204, OTHER_SITE, True)]),
    "cors-wildcard": Difference(leave, LEAVE, [(204, "*", True), (403, "*", False)]),
    "error-echoes-token": Difference(error_says, (False, False), (True, False)),
    "error-shows-password": Difference(error_says, (False, False), (False, True)),
    "limits-off": Difference(hurried, (True, 200), (False, 200)),
    "limits-shared": Difference(hurried, (True, 200), (True, 429)),
    "limits-evaded-by-key": Difference(evading("x-api-key"), (True, True), (False, True)),
    "limits-evaded-by-address": Difference(evading("x-forwarded-for"), (True, True), (False, True)),
    "logins-evaded-by-address": Difference(evading("x-forwarded-for"), (True, True), (True, False)),
    "limits-believe-tokens": Difference(used_up_by_a_stranger, 200, 429),
    "events-open": Difference(heard_by(nobodys), (401, False, False), (200, True, False)),
    "events-to-others": Difference(heard_by(another_user), (403, False, False), (200, True, False)),
    "events-mixed": Difference(heard_by(owner), (200, True, False), (200, True, True)),
    "events-silent": Difference(heard_by(owner), (200, True, False), (200, False, False)),
    "events-buffered": Difference(heard_by(owner), (200, True, False), ("no headers", False, False)),
    "webhooks-unsigned": Difference(reports, [401, 401, 200], [200, 200, 200]),
    "webhooks-any-signature": Difference(reports, [401, 401, 200], [401, 200, 200]),
    "webhooks-fail": Difference(reports, [401, 401, 200], [500, 500, 500]),
    "replica-lacks-kept-stream": Difference(
        kept_over_new_connections, ([200, 200], [200, 200]), ([200, 404], [200, 200])
    ),
    **{
        name: Difference(replicas_seen, ([1, 1, 1, 1, 1], 1, "right"), seen)
        for name, seen in {
            "one-of-five-lacks-stream": ([5, 1, 1, 1, 2], 5, "right"),
            "one-of-five-old-release": ([5, 1, 1, 2, 1], 5, "right"),
            "one-of-five-clock-ahead": ([5, 1, 1, 1, 1], 5, "ahead"),
            "one-of-five-other-keys": ([5, 2, 1, 1, 1], 5, "right"),
            "one-of-five-other-limits": ([5, 1, 2, 1, 1], 5, "right"),
            "fleet-of-five-drains": ([5, 1, 1, 1, 1], 4, "right"),
            "fleet-of-five-clock-skew": ([5, 1, 1, 1, 1], 5, "a second ahead"),
        }.items()
    },
    "restart-loses-streams": Difference(after_money, ([200] * 4, 200), ([404] * 4, 200)),
    "restart-loses-streams-late": Difference(after_money, ([200] * 4, 200), ([200, 200, 200, 404], 200)),
    "restart-loses-streams-last": Difference(after_stops, ([200] * 4, 200), ([200, 200, 200, 404], 200)),
    "every-url-500": Difference(every_status, [200, 200, 404], [500, 500, 500]),
    "stack-trace-in-answer": Difference(shows_a_stack, (401, False), (401, True)),
    "csrf-shut": Difference(write_status, 201, 403),
    "limits-block-everybody": Difference(first_statuses, (200, 201, 200), (429, 429, 429)),
    "slow": Difference(is_quick, True, False),
    "reads-slower": Difference(are_quick, (True, True), (False, True)),
    "writes-slower": Difference(are_quick, (True, True), (True, False)),
    "requests-fail-at-times": Difference(read_statuses, [200] * 6, [200, 200, 500] * 2),
    "ready-names-contract": Difference(checked, ["config", "kms", "stellar"], ["config", "contract", "kms", "stellar"]),
}


ONLY_TOGETHER = frozenset(
    {"streampay-as-probed", "fleet-of-five-sticky", "fleet-of-five-unnamed", "sends-from-one-account"}
)
"""Those that one deployment shows by what others are, or one caller by what others do, not by what it is not."""

ONLY_ON_A_LEDGER = frozenset(
    {"settle-names-a-failure", "settle-by-plain-payment", "contract-id-wrong", "replay-pays-later"}
)
"""Faults of transactions that a few dictionaries cannot hold: test_stack.py shows them on the sandbox ledger."""


def test_every_fault_has_a_difference_to_show() -> None:
    assert DIFFERENCES.keys() | ONLY_ON_A_LEDGER | ONLY_TOGETHER == FAULTS.keys()
    assert all(fault.name == name and fault.story for name, fault in FAULTS.items())


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_fault_shows(deploy: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for seconds in ("SLOW_SECONDS", "SLOWER_SECONDS"):
        monkeypatch.setattr(whole_service, seconds, SLOW_SECONDS * (slowdown() if "slow" in name else 1))
    difference = DIFFERENCES[name]
    limited = name.startswith(("limits-", "logins-")) and name != "limits-block-everybody"
    per_minute = FEW if limited else GENEROUS
    assert difference.probe(deploy(per_minute=per_minute)) == difference.honest
    assert difference.probe(deploy(name, per_minute=per_minute)) == difference.faulty


@pytest.mark.parametrize("name", ["list-accepts-expired", "list-accepts-foreign", "list-accepts-alg-none"])
def test_a_list_that_accepts_one_bad_token_refuses_the_others(deploy: Any, name: str) -> None:
    deployment = deploy(name)
    accepted = {
        "list-accepts-expired": expired,
        "list-accepts-foreign": foreign,
        "list-accepts-alg-none": unsigned,
    }.pop(name)
    for token in (expired, foreign, unsigned, lambda deployment: "Bearer junk", lambda deployment: ""):
        status = deployment.send("GET", "/api/streams", headers={"authorization": token(deployment)}).status
        assert status == (200 if token is accepted else 401)
    assert deployment.user("GET", "/api/streams").status == 200


def test_junk_lists_still_refuse_those_who_show_nothing(deploy: Any) -> None:
    assert deploy("list-accepts-junk").send("GET", "/api/streams").status == 401


def test_private_rows_and_shapes_leave_other_answers_alone(deploy: Any) -> None:
    for name in ("list-leaks-private", "list-wrong-shape", "settle-receipt-differs", "stack-trace-in-answer"):
        deployment = deploy(name)
        assert deployment.send("GET", "/api/healthz").status == 200
        etag = deployment.user("GET", "/api/streams").header("etag")
        assert deployment.user("GET", "/api/streams", headers={"if-none-match": etag}).status == 304
        assert deployment.act("stream-00000000", "settle", key="k").status == 404


def test_a_service_that_refuses_writes_lets_reads_pass(deploy: Any) -> None:
    assert deploy("csrf-shut").send("GET", "/api/healthz").status == 200


def test_a_lost_create_key_leaves_settle_keys_alone(deploy: Any) -> None:
    deployment = deploy("create-repeats")
    assert replay_pays(deployment) == ("true", HALF)


def test_v2_still_refuses_those_who_show_nothing(deploy: Any) -> None:
    for name in ("v2-lists-for-any-text", "v2-creates-for-any-text"):
        deployment = deploy(name)
        assert deployment.send("GET", "/api/v2/streams").status == 401
        assert deployment.send("POST", "/api/v2/streams", json=deployment.order()).status == 401
    assert batch_by("any")(deploy("v2-batch-for-any-bearer")) == (401, "")


def test_a_settlement_that_failed_once_and_froze_is_paid_under_another_key(deploy: Any) -> None:
    deployment = deploy("failed-settle-frozen")
    assert failed_and_again(deployment)[0] == 502
    (row,) = body(deployment.user("GET", "/api/streams"))["data"]
    assert deployment.act(row["id"], "settle", key="another").status == 200


def test_what_the_real_service_gets_wrong_adds_up(deploy: Any) -> None:
    """Reused keys, stored errors and two hashes show although nothing ever reaches the ledger."""
    names = ("settle-invents-two", "key-answers-for-other-stream", "refusal-frozen")
    assert key_on_another_stream(deploy(*names)) == (200, "active")
    assert too_early_and_again(deploy(*names)) == (409, "draft", 409)
    assert transactions_named(deploy(*names)) == ([True, True], False, True, 0)


@pytest.mark.parametrize("name", AS_PROBED)
def test_each_fault_of_the_real_service_still_shows_among_the_others(deploy: Any, name: str) -> None:
    difference = DIFFERENCES[name]
    seen = difference.probe(deploy("streampay-as-probed", per_minute=FEW if name.startswith("limits-") else GENEROUS))
    assert seen != difference.honest


def test_faults_add_up(deploy: Any) -> None:
    deployment = deploy("ready-never", "list-open")
    assert deployment.send("GET", "/api/readyz").status == 503
    assert deployment.send("GET", "/api/streams").status == 200


def test_records_of_drafts_and_lists_are_left_alone(deploy: Any) -> None:
    for name in ("record-other-recipient", "record-other-amount", "record-other-hash", "receipt-names-other-stream"):
        deployment = deploy(name)
        stream_id = deployment.create()
        record = deployment.record(stream_id)
        assert (record["recipient"], record["rate"], record["settlement"]) == (deployment.recipient, "10", None)
        assert body(deployment.act(stream_id, "start"))["data"]["id"] == stream_id


def test_a_frozen_refusal_leaves_creations_and_successes_alone(deploy: Any) -> None:
    deployment = deploy("refusal-frozen")
    bad = deployment.user("POST", "/api/streams", json=deployment.order(rate="-1"), key="k")
    assert (bad.status, deployment.create(key="k")) == (422, deployment.create(key="k"))
    assert replay_pays(deployment) == ("true", HALF)


def test_an_unknown_fault_is_an_error(deployment: Any) -> None:
    with pytest.raises(KeyError):
        faulty(deployment.parts, ("no-such-fault",))
