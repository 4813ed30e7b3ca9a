"""What a browser sends for a page of the app, and for another site's page."""

import secrets
from collections.abc import Mapping, Sequence

import msgspec

from streampay_smoke.acceptance.actions.unauthorized_attempts import attempted, requesting
from streampay_smoke.acceptance.checks.access import Attempts
from streampay_smoke.acceptance.checks.refusals import INVALID_CSRF_TOKEN
from streampay_smoke.acceptance.checks.webapp import invalid_tokens
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import Call
from streampay_smoke.service.exchange import Answer

OTHER_SITE = "https://another-site.example"


class ForgedWrites(msgspec.Struct, frozen=True, kw_only=True):
    """A write that changes nothing, the CSRF token of the web app, and the attempts with invalid ones."""

    write: Call
    csrf_token: Mapping[str, str]
    attempts: Attempts


def read_and_preflight(deployment: Deployment, origin: str) -> tuple[Answer, Answer]:
    """Ask as a browser does for a page of an origin: when it reads, and before it writes (a CORS preflight)."""
    asked = deployment.access
    return deployment.attempt(asked.read_by_page(origin)), deployment.attempt(asked.preflight(origin))


def preflight_headers(deployment: Deployment, origin: str) -> Mapping[str, str]:
    """Return what a browser asks for before a page of this origin writes."""
    return deployment.access.preflight(origin).headers


def forge_writes(deployment: Deployment, credential: Credential, shown: Sequence[str]) -> ForgedWrites:
    """Send a write that changes nothing with each of the invalid CSRF tokens that are `shown`.

    Without a token with two parts nothing can be forged, and nothing is sent; raises KeyError for an unknown name.
    """
    token = deployment.csrf_token()
    write = deployment.access.harmless_write()
    forged = invalid_tokens(token, other=secrets.token_hex(32)) if len(token) > 1 else {}
    attempts = attempted(
        "another site's page",
        (
            (f"write with {name}", requesting(deployment, write, credential, forged[name]), INVALID_CSRF_TOKEN)
            for name in (shown if forged else ())
        ),
    )
    return ForgedWrites(write=write, csrf_token=token, attempts=attempts)


def write_from_own_page(deployment: Deployment, credential: Credential, write: Call) -> Answer:
    """Send the write with the whole token."""
    return deployment.attempt(write, credential)
