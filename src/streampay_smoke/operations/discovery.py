"""What a deployment tells of itself to somebody who knows its address only. Nothing is written, nobody signs in."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import DIALECTS, dialect_named
from streampay_smoke.service.exchange import REFUSED, Answer
from streampay_smoke.service.identity import Learn, unowned_address
from streampay_smoke.service.records import Readiness
from streampay_smoke.service.transport import NoServiceAnswer

T = TypeVar("T")

REQUEST_SECONDS = 10.0

RELEASE_SOURCES = (
    "header:x-release",
    "header:x-version",
    "header:x-app-version",
    "header:x-revision",
    "header:x-commit-sha",
    "header:x-build-id",
    "field:/api/readyz:/version",
    "field:/api/healthz:/version",
    "field:/api/version:/version",
    "build-manifest",
)
"""Where a deployment may name its release (`service.release_told_by`), in the order they are tried."""


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment told: its readiness, and what can be asked of it. None and "" where it does not tell.

    `release_told_by` is where it names its release, and `wallet` whether users sign in with one. `metrics_protected`
    says that its metrics ask for a token. `app_origin` is its own origin, where that one may send browser requests.
    """

    base_url: str
    dialect: str
    readiness: Readiness
    release_told_by: str = ""
    release: str = ""
    wallet: bool | None = None
    metrics: bool | None = None
    metrics_protected: bool = False
    indexer: bool | None = None
    live_events: bool | None = None
    app_origin: str = ""


def discover(base_url: str, *, ledger_url: str, learn_secret: Learn) -> Discovery:
    """Ask the deployment at a root URL what it is.

    `ledger_url` is where its ledger is known to answer, "" where that is not known. Raises SettingsInvalid where
    nothing answers, or something else does.
    """

    def opened(dialect: str, release_told_by: str) -> Deployment:
        return Deployment.at(
            base_url,
            dialect=dialect,
            record=lambda event: None,
            timeout_seconds=REQUEST_SECONDS,
            throttle_seconds=0.0,
            learn_secret=learn_secret,
            release_told_by=release_told_by,
            ledger_url=ledger_url,
        )

    dialect, readiness = _dialect_of(base_url, lambda name: opened(name, RELEASE_SOURCES[0]))
    told_by, release = _release_of(lambda source: opened(dialect, source))
    with opened(dialect, told_by or RELEASE_SOURCES[0]) as deployment:
        calls = dialect_named(dialect)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(base_url)).lower()
        metrics = _tried(lambda: deployment.metrics_answer(None))
        challenge = _tried(lambda: deployment.attempt(calls.challenge(unowned_address())))
        preflight = _tried(lambda: deployment.attempt(deployment.access.preflight(origin)))
        events = _tried(lambda: deployment.live_events_answer(ANONYMOUS, "smoke", unowned_address(), lambda body: True))
        return Discovery(
            base_url=base_url,
            dialect=dialect,
            readiness=readiness,
            release_told_by=told_by,
            release=release,
            wallet=_is_there(challenge),
            metrics=_is_there(metrics),
            metrics_protected=metrics is not None and metrics.status in REFUSED,
            indexer=_tried(deployment.index_cursor) is not None,
            live_events=_is_there(events),
            app_origin=origin if _allows(preflight, origin) else "",
        )


def _dialect_of(base_url: str, opened: Callable[[str], Deployment]) -> tuple[str, Readiness]:
    """Return the first dialect in which a deployment answers, and its readiness."""
    seen = ""
    for name in DIALECTS:
        try:
            with opened(name) as deployment:
                readiness = deployment.readiness()
        except NoServiceAnswer as silence:
            raise SettingsInvalid(
                f"nothing answers at {base_url}: {silence}",
                next_step="start the deployment, or correct --base-url, and run init again: nothing was written",
            ) from silence
        if readiness.genuine:
            return name, readiness
        seen = readiness.description
    raise SettingsInvalid(
        f"what answers at {base_url} is no StreamPay, or not ready to say so: {seen}",
        next_step="give --base-url the root of the deployment, without /api, and run init again: nothing was written",
    )


def _release_of(opened: Callable[[str], Deployment]) -> tuple[str, str]:
    """Return the first source in which a deployment names its release, and the release; "" where it does not."""
    for source in RELEASE_SOURCES:
        with opened(source) as deployment:
            readiness = _tried(deployment.readiness)
        if readiness is not None and readiness.release:
            return source, readiness.release
    return "", ""


def _tried(look: Callable[[], T]) -> T | None:
    """Return what a look shows, None where it shows nothing: what is not found is asked of a person."""
    try:
        return look()
    except SmokeError:
        return None


def _is_there(answer: Answer | None) -> bool | None:
    """Whether a deployment has what was asked for; a refusal says that it does. None where it did not tell."""
    if answer is None or answer.status >= 500:
        return None
    return answer.status < 300 or answer.status in REFUSED


def _allows(preflight: Answer | None, origin: str) -> bool:
    return preflight is not None and preflight.headers.get("access-control-allow-origin") == origin
