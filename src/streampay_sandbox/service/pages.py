"""The small pages: health, keys, metrics, the start page and the release's build manifest."""

import threading
from collections import Counter
from collections.abc import Callable

from streampay_sandbox.service.clock import iso_now
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall, json_bytes

HTML = "text/html"


def healthz(_call: HttpCall) -> HttpAnswer:
    """Answer that the process is up."""
    return HttpAnswer(document={"status": "ok", "checked_at": iso_now()})


def streams_health(_call: HttpCall) -> HttpAnswer:
    """Answer that the store is there."""
    return HttpAnswer(document={"status": "ok", "dependencies": {"database": {"status": "ok", "kind": "memory"}}})


def wallet_health(_call: HttpCall) -> HttpAnswer:
    """Answer that sign-in has what it needs."""
    checks = {name: {"status": "ok"} for name in ("jwt_secret", "config", "challenge_store")}
    return HttpAnswer(document={"status": "ok", "checks": checks})


def jwks(_call: HttpCall) -> HttpAnswer:
    """Publish no key: tokens are signed with a shared secret, and that has no public half."""
    return HttpAnswer(document={"keys": []})


def not_found(call: HttpCall) -> HttpAnswer:
    """Answer for every other path: an envelope under /api, a page elsewhere."""
    if call.path.startswith("/api/"):
        raise Refusal(404, "NOT_FOUND", "There is nothing here.")
    return HttpAnswer(status=404, text=_page("404", "This page could not be found."), media_type=HTML)


class AdministrationPages:
    """What administrators look at; the authenticator stands before it."""

    def __init__(self, administrator: str) -> None:
        self._administrator = administrator

    def pause(self, call: HttpCall) -> HttpAnswer:
        """Return whether everything is paused, and who may change that."""
        return HttpAnswer(document={"data": {"paused": False, "pausedAt": None, "adminAddress": self._administrator}})

    def quotas(self, call: HttpCall) -> HttpAnswer:
        """Return the quotas: there are none."""
        return HttpAnswer(document={"data": []})

    def audit(self, call: HttpCall) -> HttpAnswer:
        """Return the audit: this StreamPay keeps none."""
        return HttpAnswer(document={"data": [], "meta": {"chainIntact": True}})


class IndexPages:
    """What tells how far the service's index of the ledger is: one event, and the stream ends."""

    def __init__(self, cursor: Callable[[], int]) -> None:
        self._cursor = cursor

    def status(self, call: HttpCall) -> HttpAnswer:
        """Return an event with the ledger the index has reached."""
        status = {"ledgerCursor": self._cursor(), "breakerOpen": False}
        text = f"event: indexer_status\ndata: {json_bytes(status).decode()}\n\n"
        return HttpAnswer(text=text, media_type="text/event-stream", headers={"cache-control": "no-store"})


class ReleasePages:
    """What shows which build is live: the start page's comment and the build manifest."""

    def __init__(self, release: str) -> None:
        self._release = release

    def start_page(self, call: HttpCall) -> HttpAnswer:
        """Return the start page, with the build id in a comment behind the doctype."""
        return HttpAnswer(text=_page(self._release, "StreamPay"), media_type=HTML)

    def build_manifest(self, call: HttpCall) -> HttpAnswer:
        """Return the live build's manifest, and a 404 page for every other build."""
        if call.params["build_id"] != self._release:
            return not_found(call)
        script = (
            'self.__BUILD_MANIFEST={"sortedPages":["/_app","/"]};self.__BUILD_MANIFEST_CB&&self.__BUILD_MANIFEST_CB()'
        )
        return HttpAnswer(text=script, media_type="application/javascript")


class Metrics:
    """Counts calls per route, and answers per status."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._answers: Counter[int] = Counter()

    def counted(self, inner: Handler) -> Handler:
        """Layer: count the call under its route's template, and its answer under its status."""

        def handle(call: HttpCall) -> HttpAnswer:
            with self._lock:
                self._calls[call.route] += 1
            answer = inner(call)
            with self._lock:
                self._answers[answer.status] += 1
            return answer

        return handle

    def scrape(self, call: HttpCall) -> HttpAnswer:
        """Return the counters in the Prometheus text format."""
        with self._lock:
            calls, answers = sorted(self._calls.items()), sorted(self._answers.items())
        lines = ["# TYPE streampay_metrics_up gauge", "streampay_metrics_up 1"]
        lines += ["# TYPE streampay_requests_total counter"]
        lines += [f'streampay_requests_total{{route="{route}"}} {count}' for route, count in calls]
        lines += ["# TYPE streampay_responses_total counter"]
        lines += [f'streampay_responses_total{{status="{status}"}} {count}' for status, count in answers]
        return HttpAnswer(text="\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _page(build_id: str, text: str) -> str:
    return (
        f'<!DOCTYPE html><!--{build_id}--><html lang="en"><head><title>{text}</title></head>'
        f"<body><main>{text}</main></body></html>"
    )
