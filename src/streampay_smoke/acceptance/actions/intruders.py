"""What callers do who have no right to it, and what the synthetic user may not do either.

A round of doors ends at the first one that opens: no more harm is done than it takes to see it.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from streampay_smoke.acceptance.checks import throttling, webapp
from streampay_smoke.acceptance.checks.doors import ABSENT, HIDDEN, Knock, SyntheticUserAdministers, administrators_in
from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.evidence.events import AnyEvent, Awaiting, Exchanged, Recorder
from streampay_smoke.service.claims import claims_of
from streampay_smoke.service.credentials import ANONYMOUS, Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import Call
from streampay_smoke.service.exchange import REFUSED, Answer
from streampay_smoke.service.forgeries import BadCredential, BadName, bad_credential
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to

BAD_CALLERS: dict[str, BadName] = {
    "no credential": "none",
    "junk for a token": "junk",
    "an expired token": "expired",
    "a token signed by somebody else": "foreign",
    "an unsigned token": "alg-none",
    "a token meant for another service": "other-audience",
    "a token issued by another service": "other-issuer",
    "a token signed by another method": "hs512",
}
"""What a feature calls a caller with a credential that must not open anything."""

OTHER_SITE = "https://another-site.example"

_END_OF_CHALLENGE = 6
_ALIKE = ("0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ")
_NEXT = str.maketrans("".join(_ALIKE), "".join(group[1:] + group[0] for group in _ALIKE))
"""Makes another character of the same kind of each letter and digit."""

Door = tuple[str, Callable[[], Answer], frozenset[int]]
"""What would be done behind it, how to knock, and the statuses that leave it shut."""


def come_as(world: ScenarioContext, caller: str) -> Credential:
    """Return the credential of a bad caller, whom the world then names in its checks."""
    bad = _bad(world.run_context, BAD_CALLERS[caller])
    world.caller = f"{caller} ({bad.proof})" if bad.proof != "full" else caller
    return bad.credential


def ask_for_administration(world: ScenarioContext, caller: str) -> None:
    """Ask for the administrators' pages as a stranger, as one who claims to be administrator, or as the user."""
    doors = world.deployment.doors
    credential, claim = {
        "a stranger": (ANONYMOUS, {}),
        "a stranger who claims to be administrator": (ANONYMOUS, doors.claim_to_administer()),
        "the synthetic user": (world.credential, {}),
    }[caller]
    world.caller = caller
    world.knocks = _knock(
        (f"see {page.path}", _knocking(world.deployment, _with(page, claim), credential), ABSENT)
        for page in doors.administration()
    )


def expect_of_administration(world: ScenarioContext) -> Expect:
    """Return how to expect shut pages: a credential that the operator supplied may be an administrator's own."""
    if world.caller != "the synthetic user":
        return world.expect
    supplied = world.credential.kind in {"bearer", "api-key"}
    named = {address for knock in world.knocks for address in administrators_in(knock.answer).values()}
    own = supplied or world.run_context.user.address in named
    return world.expect.raising(SyntheticUserAdministers) if own else world.expect


def sign_in_with(world: ScenarioContext, proof: str) -> None:
    """Try to sign in as the synthetic user with a proof that is none."""
    deployment, user = world.deployment, world.run_context.signed_in[0]
    ways: dict[str, Callable[[], Answer]] = {
        "somebody else's signature": lambda: deployment.sign_in_signing(user, user.somebody_else().sign),
        "a challenge nobody was given": lambda: deployment.sign_in_signing(user, user.sign, answering=never_given),
        "a challenge that was used before": lambda: deployment.sign_in_again(user),
    }
    world.caller, world.refusal = proof, ways[proof]()


def never_given(challenge: str) -> str:
    """Return a challenge of the same make that nobody was given: the characters at its end are other ones."""
    return challenge[:-_END_OF_CHALLENGE] + challenge[-_END_OF_CHALLENGE:].translate(_NEXT)


def try_to_write(world: ScenarioContext, caller: str) -> None:
    """Order a stream, and settle and stop the user's own, with a credential that must not open anything."""
    shared, name, credential = world.run_context, world.own_stream.id, come_as(world, caller)
    order = order_to(unowned_address())
    world.caller = f"a caller with {world.caller}"
    world.knocks = _knock(
        (
            ("order a stream", lambda: shared.streams.try_to_create(credential, order), REFUSED),
            ("settle somebody's stream", _acting(shared, credential, name, "settle"), HIDDEN),
            ("stop somebody's stream", _acting(shared, credential, name, "stop"), HIDDEN),
        )
    )


def meddle(world: ScenarioContext) -> None:
    """Do everything that can be done with a stream, as another user than the one it belongs to."""
    shared, name, deployment = world.run_context, world.own_stream.id, world.deployment
    second, doors = shared.second_credential, deployment.doors
    shared.refuse_to_write()
    world.caller = "another user"
    world.knocks = _knock(
        (
            ("start it", _acting(shared, second, name, "start"), HIDDEN),
            ("change it", _knocking(deployment, doors.change(name, {"tags": ["taken"]}), second), ABSENT),
            (
                "change it among others",
                _knocking(deployment, doors.change_many(name, {"tags": ["taken"]}), second),
                ABSENT | {422},
            ),
            ("settle it", _acting(shared, second, name, "settle"), HIDDEN),
            ("stop it", _acting(shared, second, name, "stop"), HIDDEN),
            ("delete it", _knocking(deployment, doors.delete(name), second), ABSENT),
        )
    )


def look_in(world: ScenarioContext, credential: Credential, stream_ids: Iterable[str]) -> None:
    """Open the user's streams by their names, and by claiming to be their owner where it is known who that is."""
    deployment, owner = world.deployment, _owner(world)
    claiming = deployment.doors.stream_of_tenant
    by_name: list[Door] = []
    by_claim: list[Door] = []
    for name in stream_ids:
        by_name.append(("open the stream", _showing(deployment, credential, name), HIDDEN))
        claim = _knocking(deployment, claiming(name, owner), credential)
        by_claim.append(("open the stream as its owner's tenant", claim, ABSENT | {400}))
    world.knocks = _knock([*by_name, *(by_claim if owner else [])])


def claim_a_settlement(world: ScenarioContext) -> None:
    """Order a stream, and change the user's own in both ways there are, as if they were settled and somebody else's."""
    shared, deployment, credential = world.run_context, world.deployment, world.credential
    claims = deployment.doors.as_if_settled(secrets.token_hex(32))
    made = deployment.created_by(shared.streams.try_to_create(credential, order_to(unowned_address()), claims))
    for change in (deployment.doors.change, deployment.doors.change_many):
        deployment.knock(change(world.own_stream.id, claims), credential)
    names = [world.own_stream.id, *([made.id] if made else [])]
    world.own_streams = tuple(deployment.stream(credential, name) for name in names)


def look_at_own(world: ScenarioContext) -> None:
    """Look at the user's list and at one of their streams, and remember what the answers let caches do."""
    deployment = world.deployment
    world.cached_by = {}
    deployment.streams(world.credential, limit=1)
    world.cached_by["their list"] = deployment.last_headers
    deployment.stream(world.credential, world.own_streams[0].id)
    world.cached_by["one of their streams"] = deployment.last_headers


def make_mistakes(world: ScenarioContext) -> None:
    """Ask for what cannot be, with the user's credential and with junk, and remember what must not be repeated."""
    deployment, junk = world.deployment, _bad(world.run_context, "junk").credential
    wrong = [deployment.knock(call, world.credential) for call in deployment.doors.mistakes()]
    world.answers = (*wrong, deployment.refusal(junk))
    sent = [value.removeprefix("Bearer ") for each in (world.credential, junk) for value in each.headers.values()]
    world.secrets = (*sent, *world.settings.secrets())


def slip_a_write_in(world: ScenarioContext) -> None:
    """Send a write that changes nothing, with all that a page other than the app's own can show."""
    deployment, proof = world.deployment, world.deployment.page_proof()
    world.caller = "another site's page"
    webapp.page_has_a_proof(proof, world.expect)
    world.write = deployment.doors.harmless_write()
    halves = webapp.halves_of(proof, other=secrets.token_hex(32))
    world.knocks = _knock(
        (f"write with {shown}", _knocking(deployment, world.write, world.credential, half), webapp.SLIPPED_IN)
        for shown, half in halves.items()
    )


def ask_leave_for(world: ScenarioContext, origin: str) -> None:
    """Ask as a browser does for a page of an origin: when it reads, and before it writes."""
    doors = world.deployment.doors
    world.caller = origin
    world.answers = tuple(world.deployment.knock(ask(origin)) for ask in (doors.read_by_page, doors.preflight))


def come_as_somebody_new(world: ScenarioContext) -> None:
    """Ask for streams once, and without patience, as a caller nobody has seen before."""
    with _hurried(world, world.record) as hurried:
        world.refusal = hurried.streams_answer(_counted_apart(ANONYMOUS, hurried))


def rush(world: ScenarioContext) -> None:
    """Ask for streams as the second user until told to wait, and then once as the first.

    Both count apart from everything else in this run. Of the many answers the journal keeps the last.
    """
    place, seen = world.settings.place.service, _Last()
    with _hurried(world, seen) as hurried:
        second, first = (
            _counted_apart(each, hurried) for each in (world.run_context.second_credential, world.credential)
        )
        world.record(Awaiting(peer="service", what="many requests of one caller in a rush"))
        try:
            world.rush = throttling.rush(
                lambda: hurried.streams_answer(second), per_minute=place.reads_per_minute, replicas=place.replicas
            )
        finally:
            seen.tell(world.record)
    with _hurried(world, world.record) as hurried:
        world.refusal = hurried.streams_answer(first)
    world.deployment.refuse_haste(world.refusal)  # a quota the user had used up before says nothing of the rush


class _Last:
    """Keeps the last exchange of many alike."""

    def __init__(self) -> None:
        self._exchange: Exchanged | None = None

    def __call__(self, event: AnyEvent) -> None:
        if isinstance(event, Exchanged):
            self._exchange = event

    def tell(self, record: Recorder) -> None:
        if self._exchange is not None:
            record(self._exchange)


def _owner(world: ScenarioContext) -> str:
    """Return whose the user's streams are: the wallet, whom the token names, or "" for a key that names nobody."""
    if world.run_context.credential.kind in {"wallet", "jwt"}:
        return world.run_context.signed_in[0].address
    subject = claims_of(world.run_context.credential.headers.get("authorization", "")).get("sub", "")
    return subject if isinstance(subject, str) else ""


def _bad(shared: RunContext, name: BadName) -> BadCredential:
    return bad_credential(name, shared.user, jwt_secret=shared.jwt_secret)


def _hurried(world: ScenarioContext, record: Recorder) -> Deployment:
    """Return the deployment for somebody who takes a "wait" for an answer."""
    return world.run_context.deployment_at(
        world.settings.base_url, record=record, timeout_seconds=REQUEST_SECONDS, throttle_seconds=0.0
    )


def _counted_apart(credential: Credential, deployment: Deployment) -> Credential:
    """Return the credential under a caller's key nobody has used before, where limits count by it."""
    key = {deployment.doors.caller_header: f"smoke-{secrets.token_hex(16)}"}
    return replace(credential, headers={**key, **credential.headers})


def _knock(doors: Iterable[Door]) -> tuple[Knock, ...]:
    knocks = []
    for deed, knock, shut in doors:
        knocks.append(Knock(deed=deed, answer=knock(), shut=shut))
        if knocks[-1].opened:
            break
    return tuple(knocks)


def _knocking(
    deployment: Deployment, call: Call, credential: Credential, proof: Mapping[str, str] | None = None
) -> Callable[[], Answer]:
    return lambda: deployment.knock(call, credential, proof=proof)


def _acting(shared: RunContext, credential: Credential, stream_id: str, action: str) -> Callable[[], Answer]:
    return lambda: shared.deployment.act(credential, stream_id, action, shared.new_key(action))


def _showing(deployment: Deployment, credential: Credential, stream_id: str) -> Callable[[], Answer]:
    return lambda: deployment.stream_answer(credential, stream_id)


def _with(call: Call, headers: Mapping[str, str]) -> Call:
    return replace(call, headers={**call.headers, **headers})
