"""What a browser sends for a page of the app, and for another site's page."""

import secrets
from collections.abc import Mapping

import msgspec

from streampay_smoke.acceptance.actions.unauthorized_attempts import attempted, requesting
from streampay_smoke.acceptance.checks.access import Attempts
from streampay_smoke.acceptance.checks.webapp import FORGED_WRITE_REFUSED, halves_of
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import Call
from streampay_smoke.service.exchange import Answer

OTHER_SITE = "https://another-site.example"


class ForgedWrites(msgspec.Struct, frozen=True, kw_only=True):
    """A write that changes nothing, the CSRF token of the app's page, and the attempts with less than all of it."""

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


def forge_writes(deployment: Deployment, credential: Credential) -> ForgedWrites:
    """Send a write that changes nothing with all that a page other than the app's own can show of the CSRF token.

    Without a token in two halves nothing can be forged, and nothing is sent.
    """
    token = deployment.csrf_token()
    write = deployment.access.harmless_write()
    forged = halves_of(token, other=secrets.token_hex(32)) if len(token) > 1 else {}
    attempts = attempted(
        "another site's page",
        (
            (f"write with {shown}", requesting(deployment, write, credential, half), FORGED_WRITE_REFUSED)
            for shown, half in forged.items()
        ),
    )
    return ForgedWrites(write=write, csrf_token=token, attempts=attempts)


def write_from_own_page(deployment: Deployment, credential: Credential, write: Call) -> Answer:
    """Send the write with the whole token."""
    return deployment.attempt(write, credential)
