"""What callers try who have no right to it, and what the synthetic user may not do either.

A series of attempts ends at the first one that succeeds: no more harm is done than it takes to see it.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from streampay_smoke.acceptance.checks.access import ABSENT, HIDDEN, Attempts, UnauthorizedAttempt, administrators_in
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.service.bad_credentials import BadCredential, BadName, bad_credential
from streampay_smoke.service.claims import claims_of
from streampay_smoke.service.credentials import ANONYMOUS, Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import Call
from streampay_smoke.service.exchange import REFUSED, Answer
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import StreamRecord

BAD_CREDENTIALS: dict[str, BadName] = {
    "no credential": "none",
    "junk for a token": "junk",
    "an expired token": "expired",
    "a token signed by somebody else": "foreign",
    "an unsigned token": "alg-none",
    "a token meant for another service": "other-audience",
    "a token issued by another service": "other-issuer",
    "a token signed by another method": "hs512",
}
"""What a feature calls a credential that must not give access to anything."""

SYNTHETIC_USER = "the synthetic user"

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


def administer(run: RunContext, who: str) -> Attempts:
    """Ask for the administrators' pages as a stranger, as one who claims to be administrator, or as the user."""
    deployment, pages = run.deployment, run.deployment.access
    credential, claim = {
        "a stranger": (ANONYMOUS, {}),
        "a stranger who claims to be administrator": (ANONYMOUS, pages.claim_to_administer()),
        SYNTHETIC_USER: (run.credential, {}),
    }[who]
    attempts = attempted(
        who,
        (
            (f"see {page.path}", requesting(deployment, _with(page, claim), credential), ABSENT)
            for page in pages.administration()
        ),
    )
    named = {address for attempt in attempts.made for address in administrators_in(attempt.answer).values()}
    own = credential.kind in {"bearer", "api-key"} or run.user.address in named
    return replace(attempts, perhaps_entitled=who == SYNTHETIC_USER and own)


def sign_in_with(run: RunContext, proof: str) -> Answer:
    """Try to sign in as the synthetic user with something that does not prove who one is."""
    deployment, user = run.deployment, run.signed_in[0]
    ways: dict[str, Callable[[], Answer]] = {
        "somebody else's signature": lambda: deployment.sign_in_signing(user, user.somebody_else().sign),
        "a challenge nobody was given": lambda: deployment.sign_in_signing(user, user.sign, answering=never_given),
        "a challenge that was used before": lambda: deployment.sign_in_again(user),
    }
    return ways[proof]()


def never_given(challenge: str) -> str:
    """Return a challenge of the same make that nobody was given: the characters at its end are other ones."""
    return challenge[:-_END_OF_CHALLENGE] + challenge[-_END_OF_CHALLENGE:].translate(_NEXT)


def write_with(run: RunContext, credential_name: str, stream_id: str) -> Attempts:
    """Order a stream, and settle and stop the user's own, with a credential that must not give access to anything."""
    who, credential = bad_caller(run, credential_name)
    order = order_to(unowned_address())
    return attempted(
        f"a caller with {who}",
        (
            ("order a stream", lambda: run.streams.try_to_create(credential, order), REFUSED),
            ("settle somebody's stream", _acting(run, credential, stream_id, "settle"), HIDDEN),
            ("stop somebody's stream", _acting(run, credential, stream_id, "stop"), HIDDEN),
        ),
    )


def take_over(run: RunContext, stream_id: str) -> Attempts:
    """Do everything that can be done with a stream, as another user than the one it belongs to."""
    second, deployment = run.second_credential, run.deployment
    requests = deployment.access
    run.refuse_to_write()
    change = {"tags": ["taken"]}
    change_many = requests.change_many(stream_id, change)
    return attempted(
        "another user",
        (
            ("start it", _acting(run, second, stream_id, "start"), HIDDEN),
            ("change it", requesting(deployment, requests.change(stream_id, change), second), ABSENT),
            ("change it among others", requesting(deployment, change_many, second), ABSENT | {422}),
            ("settle it", _acting(run, second, stream_id, "settle"), HIDDEN),
            ("stop it", _acting(run, second, stream_id, "stop"), HIDDEN),
            ("delete it", requesting(deployment, requests.delete(stream_id), second), ABSENT),
        ),
    )


def open_streams(run: RunContext, who: str, credential: Credential, stream_ids: Iterable[str]) -> Attempts:
    """Open the user's streams by their ids, and by claiming to be their owner where it is known who that is."""
    deployment, owner = run.deployment, _owner(run)
    claiming = deployment.access.stream_of_tenant
    by_id: list[Planned] = []
    by_claim: list[Planned] = []
    for stream_id in stream_ids:
        by_id.append(("open the stream", _opening(deployment, credential, stream_id), HIDDEN))
        claim = requesting(deployment, claiming(stream_id, owner), credential)
        by_claim.append(("open the stream as its owner's tenant", claim, ABSENT | {400}))
    return attempted(who, [*by_id, *(by_claim if owner else [])])


def claim_a_settlement(run: RunContext, credential: Credential, stream_id: str) -> tuple[StreamRecord, ...]:
    """Order a stream, and change the user's own in both ways there are, as if they were settled and somebody else's.

    Returns the user's own stream afterwards, and the one that was ordered where any came of it.
    """
    deployment = run.deployment
    claims = deployment.access.as_if_settled(secrets.token_hex(32))
    made = deployment.created_by(run.streams.try_to_create(credential, order_to(unowned_address()), claims))
    for change in (deployment.access.change, deployment.access.change_many):
        deployment.attempt(change(stream_id, claims), credential)
    ids = [stream_id, *([made.id] if made else [])]
    return tuple(deployment.stream(credential, each) for each in ids)


def provoke_errors(run: RunContext, credential: Credential) -> tuple[tuple[Answer, ...], tuple[str, ...]]:
    """Ask for what cannot be, with the user's credential and with junk.

    Returns the answers, and the secrets that none of them may repeat.
    """
    deployment, junk = run.deployment, _bad(run, "junk").credential
    wrong = [deployment.attempt(call, credential) for call in deployment.access.mistakes()]
    sent = [value.removeprefix("Bearer ") for each in (credential, junk) for value in each.headers.values()]
    return (*wrong, deployment.refusal(junk)), (*sent, *run.settings.secrets())


def _owner(run: RunContext) -> str:
    """Return whose the user's streams are: the wallet, whom the token names, or "" for a key that names nobody."""
    if run.credential.kind in {"wallet", "jwt"}:
        return run.signed_in[0].address
    subject = claims_of(run.credential.headers.get("authorization", "")).get("sub", "")
    return subject if isinstance(subject, str) else ""


def _bad(run: RunContext, name: BadName) -> BadCredential:
    return bad_credential(name, run.user, jwt_secret=run.jwt_secret)


def _acting(run: RunContext, credential: Credential, stream_id: str, action: str) -> Callable[[], Answer]:
    return lambda: run.deployment.act(credential, stream_id, action, run.new_key(action))


def _opening(deployment: Deployment, credential: Credential, stream_id: str) -> Callable[[], Answer]:
    return lambda: deployment.stream_answer(credential, stream_id)


def _with(call: Call, headers: Mapping[str, str]) -> Call:
    return replace(call, headers={**call.headers, **headers})
