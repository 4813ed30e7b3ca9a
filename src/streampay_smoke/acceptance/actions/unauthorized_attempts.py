"""What callers try who have no right to it, and what the synthetic user may not do either.

A series of attempts ends at the first one that succeeds: no more harm is done than it takes to see it.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from streampay_smoke.acceptance.checks.access import Attempts, UnauthorizedAttempt, administrators_in
from streampay_smoke.acceptance.checks.refusals import NOT_AVAILABLE, NOT_VISIBLE, Refusals
from streampay_smoke.acceptance.observations.live_events import TENANT_UNKNOWN
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.service.bad_credentials import BadCredential, BadName, bad_credential
from streampay_smoke.service.credentials import ANONYMOUS, Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import Call
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import StreamRecord

BAD_CREDENTIALS: dict[str, BadName] = {
    "no credential": "none",
    "any text": "text",
    "a malformed token": "junk",
    "an expired token": "expired",
    "a token signed by another user": "foreign",
    "an unsigned token": "alg-none",
    "a token for another audience": "other-audience",
    "a token of another issuer": "other-issuer",
    "a token signed with another algorithm": "hs512",
}
"""What a feature calls a credential that must not give access to anything."""

SYNTHETIC_USER = "the synthetic user"

_CREATE = "create a stream"

_END_OF_CHALLENGE = 6
_ALIKE = ("0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ")
_NEXT = str.maketrans("".join(_ALIKE), "".join(group[1:] + group[0] for group in _ALIKE))
"""Makes another character of the same kind of each letter and digit."""

Planned = tuple[str, Callable[[], Answer], frozenset[int]]
"""What is tried, how, and the statuses that refuse it."""


def attempted(who: str, planned: Iterable[Planned]) -> Attempts:
    """Try one thing after the other, up to the first that succeeds."""
    made = []
    for what, send, refusals in planned:
        made.append(UnauthorizedAttempt(what=what, answer=send(), refusals=refusals))
        if made[-1].succeeded:
            break
    return Attempts(who=who, made=tuple(made))


def requesting(
    deployment: Deployment, call: Call, credential: Credential, csrf_token: Mapping[str, str] | None = None
) -> Callable[[], Answer]:
    """Return how a request is sent and its answer returned, refused or not."""
    return lambda: deployment.attempt(call, credential, csrf_headers=csrf_token)


def list_streams(run: RunContext, credential_name: str) -> tuple[str, Answer]:
    """Ask for streams with a bad credential; returns what a check calls the caller, and the answer."""
    who, credential = bad_caller(run, credential_name)
    return who, run.deployment.refusal(credential)


def bad_caller(run: RunContext, credential_name: str) -> tuple[str, Credential]:
    """Return a bad credential, and what a check calls a caller who shows it."""
    bad = _bad(run, BAD_CREDENTIALS[credential_name])
    return f"{credential_name} ({bad.proof})" if bad.proof != "full" else credential_name, bad.credential


def open_administration(run: RunContext, who: str) -> Attempts:
    """Ask for the administration pages, as an anonymous caller (who may claim to be administrator) or as the user."""
    deployment, pages = run.deployment, run.deployment.access
    credential, claim = {
        "an anonymous caller": (ANONYMOUS, {}),
        "an anonymous caller who claims to be administrator": (ANONYMOUS, pages.claim_to_administer()),
        SYNTHETIC_USER: (run.credential, {}),
    }[who]
    attempts = attempted(
        who,
        (
            (f"open {page.path}", requesting(deployment, _with(page, claim), credential), NOT_AVAILABLE)
            for page in pages.administration()
        ),
    )
    named = {address for attempt in attempts.made for address in administrators_in(attempt.answer).values()}
    own = credential.kind in {"bearer", "api-key"} or run.user.address in named
    return replace(attempts, perhaps_entitled=who == SYNTHETIC_USER and own)


def sign_in_with(run: RunContext, response: str) -> Answer:
    """Try to sign in as the synthetic user with a response that does not prove who signs in."""
    user, sign_in = run.signed_in[0], run.deployment.sign_in_signing
    ways: dict[str, Callable[[], Answer]] = {
        "another user's signature": lambda: sign_in(user, user.somebody_else().sign),
        "a challenge that was never issued": lambda: sign_in(user, user.sign, answering=never_issued),
        "a challenge that was already used": lambda: run.deployment.sign_in_again(user),
    }
    return ways[response]()


def never_issued(challenge: str) -> str:
    """Return a challenge of the same form that nobody was given: the characters at its end are other ones."""
    return challenge[:-_END_OF_CHALLENGE] + challenge[-_END_OF_CHALLENGE:].translate(_NEXT)


def write_with(run: RunContext, credential_name: str, stream_id: str, expected: Refusals) -> Attempts:
    """Write with a credential that must not give access to anything: a new stream, and the user's own."""
    who, credential = bad_caller(run, credential_name)
    order = order_to(unowned_address())
    ways = {
        _CREATE: lambda: run.streams.try_to_create(credential, order),
        "settle the user's stream": _acting(run, credential, stream_id, "settle"),
        "stop the user's stream": _acting(run, credential, stream_id, "stop"),
    }
    return attempted(f"a caller with {who}", _planned(ways, expected))


def list_streams_in_v2(run: RunContext, credential_name: str) -> Attempts:
    """List streams in API v2 with a bad credential."""
    who, credential = bad_caller(run, credential_name)
    planned = [("list streams in API v2", lambda: run.deployment.v2_refusal(credential), NOT_VISIBLE)]
    return attempted(f"a caller with {who}", planned)


def use_api_v2(run: RunContext, credential_name: str, stream_id: str, expected: Refusals) -> Attempts:
    """Use API v2 with a bad credential: read, create, change and delete; what is used is the user's own stream."""
    who, credential = bad_caller(run, credential_name)
    deployment, requests = run.deployment, run.deployment.access
    order, change = order_to(unowned_address()), {"tags": ["taken"]}
    ways = {
        "read the user's stream": _reading(deployment, credential, stream_id),
        _CREATE: lambda: run.streams.try_to_create_v2(credential, order),
        "change the user's stream": requesting(deployment, requests.change(stream_id, change), credential),
        "change streams in bulk": requesting(deployment, requests.change_many(stream_id, change), credential),
        "delete the user's stream": requesting(deployment, requests.delete(stream_id), credential),
    }
    return attempted(f"a caller with {who}", _planned(ways, expected))


def listen_with_bad_credentials(run: RunContext, stream_id: str) -> Attempts:
    """Request the live events of the user's stream with each credential that must not give access to anything."""
    callers = [bad_caller(run, name) for name in BAD_CREDENTIALS]
    return attempted(
        "an unauthorized caller",
        (
            (f"listen to a stream with {who}", _listening(run, credential, stream_id), NOT_AVAILABLE)
            for who, credential in callers
        ),
    )


def listen_as_second_user(run: RunContext, stream_id: str) -> Attempts:
    """Request the live events of the user's stream as another user."""
    listening = _listening(run, run.second_credential, stream_id)
    return attempted("another user", [("listen to the user's stream", listening, NOT_AVAILABLE)])


def send_webhook_event(run: RunContext, signature_name: str) -> Attempts:
    """Send an event to the webhook without a valid signature."""
    requests, now = run.deployment.access, str(int(time.time()))
    signature, timestamp = {
        "no signature": ("", ""),
        "a signature made with another secret": (requests.foreign_signature(), now),
        "a signature and no time": (requests.foreign_signature(), ""),
    }[signature_name]
    run.refuse_to_write()
    event = requesting(run.deployment, requests.webhook_event(signature=signature, timestamp=timestamp), ANONYMOUS)
    return attempted(f"a caller with {signature_name}", [("send a webhook event", event, NOT_AVAILABLE)])


def write_as_second_user(run: RunContext, stream_id: str, expected: Refusals) -> Attempts:
    """Do what can be done with a stream, as another user than the one it belongs to."""
    second, deployment = run.second_credential, run.deployment
    requests = deployment.access
    run.refuse_to_write()
    change = {"tags": ["taken"]}
    ways = {
        "start the stream": _acting(run, second, stream_id, "start"),
        "change the stream": requesting(deployment, requests.change(stream_id, change), second),
        "change streams in bulk": requesting(deployment, requests.change_many(stream_id, change), second),
        "settle the stream": _acting(run, second, stream_id, "settle"),
        "stop the stream": _acting(run, second, stream_id, "stop"),
        "delete the stream": requesting(deployment, requests.delete(stream_id), second),
    }
    return attempted("another user", _planned(ways, expected))


def read_streams(
    run: RunContext, who: str, credential: Credential, stream_ids: Sequence[str], expected: Refusals
) -> Attempts:
    """Read the user's streams by their ids, in each way that is expected to be refused.

    Their owner's tenant can be claimed only where it is known who the owner is.
    """
    deployment, owner = run.deployment, run.tenant
    claiming = deployment.access.stream_of_tenant
    ways: dict[str, Callable[[str], Callable[[], Answer]] | None] = {
        "read the stream": lambda stream_id: _reading(deployment, credential, stream_id),
        "read the stream while claiming the owner's tenant": (
            (lambda stream_id: requesting(deployment, claiming(stream_id, owner), credential)) if owner else None
        ),
    }
    planned = [
        (what, way(stream_id), refusals)
        for what, refusals in expected.items()
        if (way := ways[what])
        for stream_id in stream_ids
    ]
    return attempted(who, planned)


def claim_settlement(
    run: RunContext, credential: Credential, stream_id: str, writes: Iterable[str]
) -> tuple[StreamRecord, ...]:
    """Send writes that say that the user's stream, or a new one, is settled and somebody else's.

    Returns the streams that were created.
    """
    deployment = run.deployment
    claims = deployment.access.as_if_settled(secrets.token_hex(32))
    order = order_to(unowned_address())
    ways: dict[str, Callable[[], Answer]] = {
        _CREATE: lambda: run.streams.try_to_create(credential, order, claims),
        "change the stream": requesting(deployment, deployment.access.change(stream_id, claims), credential),
        "change streams in bulk": requesting(deployment, deployment.access.change_many(stream_id, claims), credential),
    }
    answers = {write: ways[write]() for write in writes}
    created = deployment.created_by(answers[_CREATE]) if _CREATE in answers else None
    return (deployment.stream(credential, created.id),) if created else ()


def send_invalid_requests(run: RunContext, credential: Credential) -> tuple[tuple[Answer, ...], tuple[str, ...]]:
    """Send requests that are wrong, with the user's credential, and one with a malformed one.

    Returns the answers, and the secrets that none of them may repeat.
    """
    deployment, junk = run.deployment, _bad(run, "junk").credential
    wrong = [deployment.attempt(call, credential) for call in deployment.access.mistakes()]
    sent = [value.removeprefix("Bearer ") for each in (credential, junk) for value in each.headers.values()]
    return (*wrong, deployment.refusal(junk)), (*sent, *run.settings.secrets())


def _bad(run: RunContext, name: BadName) -> BadCredential:
    return bad_credential(name, run.user, jwt_secret=run.jwt_secret)


def _acting(run: RunContext, credential: Credential, stream_id: str, action: str) -> Callable[[], Answer]:
    return lambda: run.deployment.act(credential, stream_id, action, run.new_key(action))


def _planned(ways: Mapping[str, Callable[[], Answer]], expected: Refusals) -> Iterable[Planned]:
    return ((what, ways[what], refusals) for what, refusals in expected.items())


def _reading(deployment: Deployment, credential: Credential, stream_id: str) -> Callable[[], Answer]:
    return lambda: deployment.stream_answer(credential, stream_id)


def _listening(run: RunContext, credential: Credential, stream_id: str) -> Callable[[], Answer]:
    """Return how somebody listens to a stream as its owner's tenant: whatever comes is enough."""
    owner = run.tenant or TENANT_UNKNOWN
    return lambda: run.deployment.live_events_answer(credential, stream_id, owner, lambda body: True)


def _with(call: Call, headers: Mapping[str, str]) -> Call:
    return replace(call, headers={**call.headers, **headers})
