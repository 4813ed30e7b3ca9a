"""How callers try to evade their rate limits, and to use up another user's."""

import base64
import itertools
import secrets
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address

from msgspec.structs import replace

from streampay_smoke.acceptance.actions.throttling import SPARE, burst_of, not_waiting, read_until_throttled
from streampay_smoke.acceptance.checks.throttling import RequestBurst
from streampay_smoke.acceptance.checks.throttling_evasion import ForgedReads
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.side_by_side import side_by_side
from streampay_smoke.evidence.events import AnyEvent, Awaiting
from streampay_smoke.service.bad_credentials import bad_credential
from streampay_smoke.service.credentials import ANONYMOUS, Credential
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer
from streampay_smoke.service.identity import unowned_address

_SIGNATURE_BYTES = 64
_GUESSES_AT_ONCE = 2

_DOCUMENTATION_PREFIX = 0x20010DB8 << 96
"""2001:db8::/32 (RFC 3849): addresses that nobody has."""


def read_claiming(run: RunContext, claim: str) -> RequestBurst:
    """List streams as the second user until throttled, with another claim in each request of who calls."""
    access = run.deployment.access
    claims: dict[str, Callable[[], dict[str, str]]] = {
        "a new API key": lambda: {access.caller_header: f"smoke-{secrets.token_hex(16)}"},
        "a new network address": lambda: access.forwarded_for(_unused_address()),
    }
    user, claimed = run.second_credential, claims[claim]
    return read_until_throttled(run, lambda: replace(user, headers={**claimed(), **user.headers}))


def sign_in_claiming_addresses(run: RunContext) -> RequestBurst:
    """Guess signatures until throttled, with another network address claimed in each request.

    The wallet that is guessed at belongs to nobody. Only this runner's own sign-in limit is used up.
    """
    address, access = unowned_address(), run.deployment.access

    def guess() -> tuple[str, str, str, dict[str, str]]:
        signature = base64.b64encode(secrets.token_bytes(_SIGNATURE_BYTES)).decode("ascii")
        return address, access.challenge_nobody_gave(), signature, access.forwarded_for(_unused_address())

    return burst_of(
        run,
        lambda deployment: deployment.sign_in_once(*guess()),
        per_minute=run.settings.facts.service.sign_ins_per_minute,
        most_at_once=_GUESSES_AT_ONCE,
    )


def forge_reads_of_throttled_user(run: RunContext) -> tuple[RequestBurst, ForgedReads]:
    """Use up the second user's reads, and then read with forged tokens that name them.

    Where these are throttled, reads with no credential follow. They are throttled only where this address is at its
    limit: that says nothing of the tokens, and is waited out once. Raises Throttled where it stays so: runs beside this
    one use up the limit.
    """
    named, forged = run.second_credential, bad_credential("foreign", run.second_user).credential
    burst, reads = _forged_reads(run, named, forged)
    if reads.forged_throttled and reads.anonymous_throttled:
        waited_out = run.deployment.streams_answer(ANONYMOUS)  # waits for as long as the answer says
        run.deployment.raise_if_throttled(waited_out)
        burst, reads = _forged_reads(run, named, forged)
    if reads.forged_throttled:
        run.deployment.raise_if_throttled(reads.anonymous[-1])
    return burst, reads


def _forged_reads(run: RunContext, named: Credential, forged: Credential) -> tuple[RequestBurst, ForgedReads]:
    burst = read_until_throttled(run, lambda: named)
    by_forged_token = _until_throttled(run, forged)
    throttled = by_forged_token[-1].status == TOO_MANY_REQUESTS
    return burst, ForgedReads(forged=by_forged_token, anonymous=_until_throttled(run, ANONYMOUS) if throttled else ())


def _until_throttled(run: RunContext, credential: Credential) -> tuple[Answer, ...]:
    """Read a few times, and no more once throttled: so many answers in a row show a limit that is not used up.

    The first read goes alone, and the others at once, for a limit refills meanwhile. The answers end with the first
    that is throttled.
    """
    answers = _reads_at_once(run, credential, 1)
    if answers[0].status != TOO_MANY_REQUESTS:
        answers += _reads_at_once(run, credential, SPARE - 1)
    end = next((at for at, answer in enumerate(answers, 1) if answer.status == TOO_MANY_REQUESTS), len(answers))
    return answers[:end]


def _reads_at_once(run: RunContext, credential: Credential, number: int) -> tuple[Answer, ...]:
    """List streams so often at the same time; the evidence is that of as many requests in turn."""
    seen: list[list[AnyEvent]] = [[] for _ in range(number)]

    def read(events: list[AnyEvent]) -> Answer:
        with not_waiting(run, events.append) as deployment:
            return deployment.streams_answer(credential)

    run.record(Awaiting(peer="service", what="several requests of one caller"))
    try:
        return side_by_side([partial(read, events) for events in seen], run.record)
    finally:
        for event in tuple(itertools.chain(*seen)):
            run.record(event)


def _unused_address() -> str:
    return str(IPv6Address(_DOCUMENTATION_PREFIX | secrets.randbits(96)))
