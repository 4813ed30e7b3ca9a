"""The parts a StreamPay is made of. Honest ones by default; a fault is one of them replaced."""

import threading
import time
from collections.abc import Callable, Container

import msgspec

from streampay_sandbox.service import readiness
from streampay_sandbox.service.auth import Authenticator, Tokens, authenticator, limit_identity, staff_authenticator
from streampay_sandbox.service.catalogue import Visible, own_streams
from streampay_sandbox.service.cors import ALLOWED_ORIGINS
from streampay_sandbox.service.csrf import PairCheck, equal_pair
from streampay_sandbox.service.idempotency import Fingerprint, KeyBook, whole_request
from streampay_sandbox.service.limits import DailyQuota, TokenBuckets, WhoCounts
from streampay_sandbox.service.live import LiveEvents, Subscribes, owner_subscribes
from streampay_sandbox.service.pages import jwks
from streampay_sandbox.service.seeds import CANARY, SEEDS
from streampay_sandbox.service.settlement import Escrow, Settle, Treasury
from streampay_sandbox.service.streams import StreamStore
from streampay_sandbox.service.wallet import Challenges, SignatureCheck, signature_verified
from streampay_sandbox.service.webhooks import Signed, signed_with
from streampay_sandbox.service.wire import Handler, Layer
from streampay_smoke.core.secret import Secret


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the service is told at its start."""

    release: str
    rpc_url: str
    network_passphrase: str
    contract_id: str
    jwt_secret: Secret
    api_key: Secret
    webhook_secret: Secret


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What StreamPay remembers. Its own process forgets it with itself, as measured; the replicas and releases of a
    fleet share one, as those of a deployment share a database.
    """

    store: StreamStore
    keys: KeyBook
    challenges: Challenges
    buckets: TokenBuckets
    quota: DailyQuota
    live: LiveEvents


def new_memory(buckets: TokenBuckets | None = None) -> Memory:
    """Return the memory of a StreamPay that was just started."""
    return Memory(
        store=StreamStore((*SEEDS, CANARY)),
        keys=KeyBook(),
        challenges=Challenges(),
        buckets=buckets or TokenBuckets(),
        quota=DailyQuota(),
        live=LiveEvents(),
    )


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the application is built from.

    `counted_as` says whose limit a call counts against, `signs_in_from` whose a sign-in does. `stopping` is set when
    the sandbox goes down.
    """

    settings: ServiceSettings
    release: str
    treasury: Treasury
    store: StreamStore
    keys: KeyBook
    challenges: Challenges
    tokens: Tokens
    authenticator: Authenticator
    list_authenticator: Authenticator
    staff: Authenticator
    visible: Visible
    escrow: Escrow
    settle: Settle
    fingerprint: Fingerprint
    signature_check: SignatureCheck
    pair_check: PairCheck
    origins: Container[str]
    readyz: Handler
    jwks: Handler
    index_cursor: Callable[[], int]
    buckets: TokenBuckets
    quota: DailyQuota
    counted_as: WhoCounts
    signs_in_from: WhoCounts
    live: LiveEvents
    event_authenticator: Authenticator
    subscribes: Subscribes
    signed: Signed
    layers: tuple[Layer, ...]
    clock: Callable[[], float]
    stopping: threading.Event

    def forget(self) -> None:
        """Lose streams, keys and challenges, as a process that keeps them in its memory does at a restart."""
        self.store.forget()
        self.keys.forget()
        self.challenges.forget()


def honest_parts(settings: ServiceSettings, treasury: Treasury, *, memory: Memory, stopping: threading.Event) -> Parts:
    """Return the parts of a StreamPay that keeps its promises."""
    tokens = Tokens(settings.jwt_secret)
    who = authenticator(tokens.subject, settings.api_key)
    checks = readiness.ReadinessReport(
        {
            "config": readiness.configured(
                {
                    "release": settings.release,
                    "contract id": settings.contract_id,
                    "network passphrase": settings.network_passphrase,
                }
            ),
            "stellar": readiness.stellar_reachable(settings.rpc_url),
            "kms": readiness.signing_works(tokens),
        }
    )
    return Parts(
        settings=settings,
        release=settings.release,
        treasury=treasury,
        store=memory.store,
        keys=memory.keys,
        challenges=memory.challenges,
        tokens=tokens,
        authenticator=who,
        list_authenticator=who,
        staff=staff_authenticator(who, tokens),
        visible=own_streams,
        escrow=treasury.open,
        settle=treasury.settle,
        fingerprint=whole_request,
        signature_check=signature_verified,
        pair_check=equal_pair,
        origins=ALLOWED_ORIGINS,
        readyz=checks.readyz,
        jwks=jwks,
        index_cursor=treasury.newest_ledger,
        buckets=memory.buckets,
        quota=memory.quota,
        counted_as=limit_identity(who),
        signs_in_from=lambda call: call.client,
        live=memory.live,
        event_authenticator=who,
        subscribes=owner_subscribes,
        signed=signed_with(settings.webhook_secret),
        layers=(),
        clock=time.time,
        stopping=stopping,
    )
