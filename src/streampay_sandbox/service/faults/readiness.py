"""Ways in which a deployment is not what it says it is: a false readiness, and other releases."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity, Truth
from streampay_sandbox.service.clock import iso_now
from streampay_sandbox.service.faults.fault import Mutation, ServiceFault
from streampay_sandbox.service.pages import HTML
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.wire import HttpAnswer


def _readyz(answer: Callable[[HttpAnswer], HttpAnswer]) -> Mutation:
    """Return the mutation that turns the readiness answer into another."""

    def mutate(parts: Parts) -> Parts:
        return replace(parts, readyz=lambda call: answer(parts.readyz(call)))

    return mutate


def _page_instead(text: str) -> Mutation:
    return _readyz(lambda honest: HttpAnswer(text=text, media_type=HTML))


def _stellar(answer: HttpAnswer, **fields: str) -> HttpAnswer:
    checks = answer.document["checks"]
    return answer.with_document({**answer.document, "checks": {**checks, "stellar": {**checks["stellar"], **fields}}})


def _degraded(answer: HttpAnswer) -> HttpAnswer:
    answer = _stellar(answer, status="degraded", message="fetch failed")
    return answer.with_document({**answer.document, "status": "degraded"})


def _names_its_contract(parts: Parts) -> Parts:
    def named(answer: HttpAnswer) -> HttpAnswer:
        check = {"status": "ok", "checked_at": iso_now(), "message": f"works with {parts.settings.contract_id}"}
        return answer.with_document({**answer.document, "checks": {**answer.document["checks"], "contract": check}})

    return _readyz(named)(parts)


_SPA = '<!doctype html><html><head><title>StreamPay</title></head><body><div id="root"></div></body></html>'


_LOGIN = '<!doctype html><html><body><form action="/login"><input name="password"></form></body></html>'


_WELCOME = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>Welcome to nginx!</body></html>"


FAULTS: Final = (
    ServiceFault(
        name="ready-lies-html",
        story="operations: the SPA's index answers 200 everywhere",
        severity=Severity.CATASTROPHIC,
        caught_by="readiness/",
        mutation=_page_instead(_SPA),
    ),
    ServiceFault(
        name="ready-login-page",
        story="operations: an access proxy asks for a login with 200",
        severity=Severity.CATASTROPHIC,
        caught_by="readiness/",
        mutation=_page_instead(_LOGIN),
    ),
    ServiceFault(
        name="ready-proxy-welcome",
        story="operations: the proxy's welcome page, no backend",
        severity=Severity.CATASTROPHIC,
        caught_by="readiness/",
        mutation=_page_instead(_WELCOME),
    ),
    ServiceFault(
        name="ready-empty-json",
        story="operations: a gateway's mock answers {}",
        severity=Severity.CATASTROPHIC,
        caught_by="readiness/",
        mutation=_readyz(lambda honest: HttpAnswer(document={})),
    ),
    ServiceFault(
        name="ready-degraded-but-200",
        story="operations: the status code is no longer derived from the checks",
        severity=Severity.CATASTROPHIC,
        caught_by="readiness/",
        mutation=_readyz(lambda honest: _degraded(honest).with_status(200)),
    ),
    ServiceFault(
        name="ready-names-mainnet",
        story="measured: STELLAR_NETWORK=mainnet shows only in this message",
        severity=Severity.CATASTROPHIC,
        truth=Truth.SAFETY,
        caught_by="settlement/",
        mutation=_readyz(lambda honest: _stellar(honest, message="reachable: https://horizon.stellar.org")),
    ),
    ServiceFault(
        name="ready-names-contract",
        story="operations: a deployment whose readiness names the contract it works with; that is no fault",
        severity=Severity.DISTURBANCE,
        truth=Truth.NONE,
        mutation=_names_its_contract,
    ),
    ServiceFault(
        name="ready-never",
        story="measured: 503 while Horizon cannot be reached",
        severity=Severity.DISTURBANCE,
        truth=Truth.DEPENDENCY,
        mutation=_readyz(lambda honest: _degraded(honest).with_status(503)),
    ),
    ServiceFault(
        name="release-stale",
        story="operations: the rollout left the old build live, or the expected id is wrong: nobody can tell which",
        severity=Severity.DISTURBANCE,
        truth=Truth.CONFIG,
        mutation=lambda parts: replace(parts, release=f"before-{parts.release}"),
    ),
)
