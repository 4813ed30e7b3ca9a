"""The routes of StreamPay's `app-v1` dialect, as a table, and the layers around all of them."""

from collections.abc import Callable, Mapping
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.routing import Route

from streampay_sandbox.service import pages
from streampay_sandbox.service.auth import known_caller
from streampay_sandbox.service.catalogue import Catalogue
from streampay_sandbox.service.cors import cors_enforced
from streampay_sandbox.service.csrf import csrf_enforced
from streampay_sandbox.service.errors import Refusal, refusals_answered, request_ids_given
from streampay_sandbox.service.idempotency import key_honoured, key_required
from streampay_sandbox.service.lifecycle import Lifecycle
from streampay_sandbox.service.limits import daily, limited
from streampay_sandbox.service.live import EventPages
from streampay_sandbox.service.orders import body_limited
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.wallet import WalletSignIn
from streampay_sandbox.service.webhooks import WebhookPages
from streampay_sandbox.service.wire import METHODS, WEBHOOKS, Handler, HttpAnswer, HttpCall, Layer, endpoint, layered

Routes = Mapping[str, Mapping[str, Handler]]
"""Path template to method to handler."""

ANYTHING_ELSE = "/{path:path}"


def build_app(parts: Parts) -> Starlette:
    """Return the application made of `parts`."""
    metrics = pages.Metrics()
    around = (
        _stamped(parts.release, parts.clock),
        request_ids_given,
        metrics.counted,
        refusals_answered,
        *parts.layers,
        refusals_answered,
        body_limited,
        csrf_enforced(parts.pair_check),
        cors_enforced(parts.origins),
    )
    return Starlette(
        routes=[
            Route(path, endpoint(path, layered(_by_method(handlers), around), parts.stopping), methods=list(METHODS))
            for path, handlers in _routes(parts, metrics).items()
        ]
    )


def _routes(parts: Parts, metrics: pages.Metrics) -> Routes:
    catalogue = Catalogue(parts.store, parts.escrow, parts.visible)
    lifecycle = Lifecycle(parts.store, parts.treasury, parts.settle, parts.live.publish)
    live = EventPages(parts.store, parts.live, parts.event_authenticator, parts.subscribes)
    webhooks = WebhookPages(parts.signed)
    sign_in = WalletSignIn(parts.tokens, parts.signature_check, parts.challenges)
    release = pages.ReleasePages(parts.release)
    administration = pages.AdministrationPages(parts.treasury.operator_address)
    known, known_to_lists = known_caller(parts.authenticator), known_caller(parts.list_authenticator)
    staff = known_caller(parts.staff)
    read, write = (limited(parts.buckets, tier, parts.counted_as) for tier in ("read", "write"))
    challenges, logins = (limited(parts.buckets, tier, parts.signs_in_from) for tier in ("challenge", "login"))
    quota = daily(parts.quota, parts.counted_as)

    def must(action: str) -> Layer:
        return key_required(action, parts.keys, parts.fingerprint)

    def may(action: str) -> Layer:
        return key_honoured(action, parts.keys, parts.fingerprint)

    streams, v2 = "/api/streams", "/api/v2/streams"
    item, v2_item = f"{streams}/{{stream_id}}", f"{v2}/{{stream_id}}"
    return {
        "/api/healthz": {"GET": pages.healthz},
        "/api/readyz": {"GET": parts.readyz},
        "/api/metrics": {"GET": metrics.scrape},
        "/api/indexer/status": {"GET": pages.IndexPages(parts.index_cursor).status},
        "/api/auth/wallet": {
            "GET": layered(sign_in.challenge, (challenges,)),
            "POST": layered(sign_in.sign_in, (logins,)),
        },
        "/api/auth/wallet/health": {"GET": pages.wallet_health},
        f"{streams}/health": {"GET": pages.streams_health},
        streams: {
            "GET": layered(catalogue.list_v1, (read, known_to_lists)),
            "POST": layered(catalogue.create_v1, (write, known, may("create"))),
        },
        item: {"GET": layered(catalogue.item_v1, (read, known))},
        f"{item}/events": {"GET": live.events},
        f"{item}/start": {"POST": layered(lifecycle.start, (known, may("start")))},
        f"{item}/pause": {"POST": layered(lifecycle.pause, (write, known, may("pause")))},
        f"{item}/stop": {"POST": layered(lifecycle.stop, (known, may("stop")))},
        f"{item}/settle": {"POST": layered(lifecycle.settle, (known, must("settle")))},
        f"{item}/withdraw": {"POST": layered(lifecycle.withdraw, (write, known, must("withdraw")))},
        f"{item}/cancel": {"POST": layered(lifecycle.cancel, (write, known, may("cancel")))},
        v2: {
            "GET": layered(catalogue.list_v2, (known_to_lists,)),
            "POST": layered(catalogue.create_v2, (known, quota, may("create-v2"))),
        },
        f"{v2}/batch": {"POST": layered(catalogue.change_many_v2, (known,))},
        v2_item: {
            "GET": layered(catalogue.item_v2, (known,)),
            "PATCH": layered(catalogue.change_v2, (known,)),
            "DELETE": layered(lifecycle.delete, (known,)),
        },
        WEBHOOKS: {"POST": webhooks.take},
        f"{WEBHOOKS}/health": {"GET": webhooks.health},
        "/api/admin/pause": {"GET": layered(administration.pause, (staff,))},
        "/api/admin/quotas": {"GET": layered(administration.quotas, (staff,))},
        "/api/audit": {"GET": layered(administration.audit, (staff,))},
        "/.well-known/jwks.json": {"GET": parts.jwks},
        "/_next/static/{build_id}/_buildManifest.js": {"GET": release.build_manifest},
        "/": {"GET": release.start_page},
        ANYTHING_ELSE: dict.fromkeys(METHODS, pages.not_found),
    }


def _stamped(release: str, clock: Callable[[], float]) -> Layer:
    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            stamps = {"x-release": release, "x-streampay-simulated": "sandbox"}
            answer = inner(call)
            return answer.with_headers({**stamps, "date": formatdate(clock(), usegmt=True), **answer.headers})

        return handle

    return layer


def _by_method(handlers: Mapping[str, Handler]) -> Handler:
    def handle(call: HttpCall) -> HttpAnswer:
        handler = handlers.get("GET" if call.method == "HEAD" else call.method)
        if handler is None:
            raise Refusal(405, "METHOD_NOT_ALLOWED", f"{call.method} is not possible here.")
        return handler(call)

    return handle
