"""What the scenarios of one run share: the deployment, the synthetic user, the ledger, and what was created."""

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic, Self, TypeVar, cast, overload

from streampay_smoke.chain.adapter import ChainAccount, ChainError
from streampay_smoke.chain.progress import LedgerProgress
from streampay_smoke.errors import FixtureMissing, PromiseBroken, ServiceUnavailable, SmokeError
from streampay_smoke.evidence.events import ChainSeen, Recorder, ReleaseSeen, ResourceMarked
from streampay_smoke.housekeeping import Housekeeping
from streampay_smoke.promises.fleet import sample_fleet
from streampay_smoke.promises.ledger import CLOCK_SKEW_SECONDS, SIMULATED_AHEAD_SECONDS, Ledger
from streampay_smoke.promises.listing import records_of
from streampay_smoke.promises.proofs import LAG_SECONDS, LedgerProof, ServiceProof, SettlementProof
from streampay_smoke.promises.readiness import become_ready, refuse_real_money
from streampay_smoke.secret import Secret
from streampay_smoke.service.cutover import Cutover
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.identity import (
    Credential,
    Learn,
    SyntheticUser,
    payer_seed,
    synthetic_user,
    unowned_address,
)
from streampay_smoke.service.marks import Mark
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import Readiness, Receipt, StreamOrder, StreamRecord
from streampay_smoke.service.replay import Asked
from streampay_smoke.service.slots import accepted
from streampay_smoke.service.trace import Trace
from streampay_smoke.service.transport import WritePutOff
from streampay_smoke.settings import Settings

REQUEST_SECONDS = 15.0
"""Limit of one request to the service: a settlement may wait for a ledger or two of 5 s."""

SIMULATED_LAG_SECONDS = 1.0
"""The sandbox has one ledger and no backends that lag behind."""

LEASE_SECONDS = 900.0
"""How long nobody else touches what a run made; twice the run's deadline where that is longer."""

STREAM = "stream"

_ENDINGS = {"draft": (("stop",),), "active": (("stop",),), "paused": (("settle",), ("start", "stop"))}
"""How a stream of each unfinished status is brought to an end: the ways to try, each a series of actions.

A paused stream cannot be stopped, and can be settled only once its time is over.
"""

_ENDED = frozenset({"ended", "withdrawn", "cancelled"})


class StreamNotCreated(PromiseBroken):
    """The service did not create a stream it was asked for."""

    kind = "stream_not_created"


def _is_of(record: StreamRecord, order: StreamOrder) -> bool:
    """Return whether an unfinished stream is what an order asked for."""
    ordered = (order.recipient, order.rate, order.schedule)
    return record.status not in _ENDED and (record.recipient, record.rate, record.schedule) == ordered


T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - reads as the decorator it is
    """A property that is computed one time in a run: a failure is remembered like a value.

    What was waited for in vain is not waited for again by every scenario.
    """

    def __init__(self, compute: Callable[["Surroundings"], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: "Surroundings", owner: type) -> T: ...

    def __get__(self, instance: "Surroundings | None", owner: type) -> "Self | T":
        """Return the value, computing it first where needed; raises what it raised before."""
        if instance is None:
            return self
        if self._name in instance.failures:
            raise instance.failures[self._name].with_traceback(None)
        if self._name not in instance.opened:
            try:
                instance.opened[self._name] = self._compute(instance)
            except SmokeError as error:
                instance.failures[self._name] = error
                raise
        return cast("T", instance.opened[self._name])


class Surroundings:
    """Made once for a run. Everything is opened when a step first needs it."""

    def __init__(self, settings: Settings, *, record: Recorder, learn_secret: Learn, run_id: str) -> None:
        self.settings = settings
        self.record = record
        self._learn_secret = learn_secret
        self._run_id = run_id
        self._trace = Trace.of_run(run_id, os.environ)
        self.housekeeping = Housekeeping(record)
        self._takes_marks = True
        self.opened: dict[str, Any] = {}
        self.failures: dict[str, SmokeError] = {}
        self.ledger_progress = LedgerProgress()
        self._perhaps_made: list[StreamOrder] = []
        self.receipts: list[Receipt] = []
        self._cutover = Cutover(settings.place.service.cutover_seconds, record)
        self._patient_until_seconds = 0.0

    @once
    def deployment(self) -> Deployment:
        """The deployment under test; nothing is sent yet."""
        return self.deployment_at(
            self.settings.base_url, record=self.record, timeout_seconds=REQUEST_SECONDS, cutover=self._cutover
        )

    def deployment_at(
        self,
        base_url: str,
        *,
        record: Recorder,
        timeout_seconds: float,
        throttle_seconds: float = 30.0,
        cutover: Cutover | None = None,
    ) -> Deployment:
        """Return a deployment of StreamPay in this environment; nothing is sent yet."""
        settings = self.settings
        return Deployment.at(
            base_url,
            dialect=settings.dialect,
            record=record,
            timeout_seconds=timeout_seconds,
            throttle_seconds=throttle_seconds,
            cutover=cutover,
            learn_secret=self._learn_secret,
            release_told_by=settings.place.service.release_told_by,
            release_expected=settings.expect_release,
            ledger_urls=(settings.rpc_url,),
            trace=self._trace,
        )

    @once
    def readiness(self) -> Readiness:
        """The service's word that it is ready, waited for once."""
        within_seconds = self.settings.place.service.ready_within_seconds
        self._patient_until_seconds = time.monotonic() + within_seconds
        readiness = become_ready(
            self.deployment,
            within_seconds=within_seconds,
            record=self.record,
            release_expected=self.settings.expect_release,
        )
        self.record(ReleaseSeen(moment="start", release=readiness.release))
        return readiness

    @once
    def fleet(self) -> tuple[str, ...]:
        """The releases met when each replica of the fleet is likely to have answered, looked at once."""
        service = self.settings.place.service
        return sample_fleet(
            self._release_of_a_replica,
            replicas=service.replicas,
            miss_probability=service.replica_miss_probability,
            expected=self.settings.expect_release,
            within_seconds=max(0.0, self._patient_until_seconds - time.monotonic()),
            record=self.record,
        )

    @property
    def streams_of_this_run(self) -> frozenset[str]:
        """The names of the streams this run has made and not removed."""
        return frozenset(self.housekeeping.names(STREAM))

    @property
    def last_asked(self) -> Asked | None:
        """What the deployment was asked last, and how its answer looked."""
        return self.deployment.last_asked if "deployment" in self.opened else None

    def look_at_release_again(self) -> None:
        """Take note of the release that answers after the last check: a swap in between is no deployment to judge."""
        if "readiness" not in self.opened:
            return
        try:
            self.record(ReleaseSeen(moment="end", release=self.deployment.look_again().release))
        except SmokeError as problem:
            self.record(ReleaseSeen(moment="end", release="", detail=str(problem)))

    def _release_of_a_replica(self) -> str:
        with self.deployment.fresh() as replica:
            return replica.look_again().release

    @once
    def user(self) -> SyntheticUser:
        """The synthetic user of this environment."""
        settings = self.settings
        return synthetic_user(
            settings.environment,
            settings.auth_mode,
            learn_secret=self._learn_secret,
            signer_seed=settings.signer_seed,
            supplied=settings.supplied_credentials,
        )

    @once
    def signed_in(self) -> tuple[SyntheticUser, Credential]:
        """The synthetic user with the credential slot the deployment takes, and the credential."""
        slot_b = list(self.settings.supplied_credentials.values())[1:]
        users = (self.user, *(self.user.in_slot_b(secret) for secret in slot_b))
        return accepted(self.deployment, users, record=self.record)

    @once
    def credential(self) -> Credential:
        """The synthetic user, signed in."""
        return self.signed_in[1]

    @property
    def jwt_secret(self) -> Secret | None:
        """What the deployment signs tokens with, as far as the operator shares it: of the slot it takes."""
        settings = self.settings
        rotating = settings.auth_mode == "jwt" and settings.auth_jwt_secret_b is not None
        return self.signed_in[0].secret if rotating else settings.auth_jwt_secret

    @once
    def second_credential(self) -> Credential:
        """Another synthetic user, signed in; raises FixtureMissing where there can be none."""
        first = self.signed_in[0] if self.settings.auth_mode == "jwt" else self.user
        return self.deployment.sign_in(first.second_user())

    @once
    def ledger(self) -> Ledger:
        """The ledger, guarded and connected; raises the chain's errors."""
        # Imported here: stellar-sdk costs more start-up time than all the rest of a run.
        from streampay_smoke.chain.contract import PROFILES, StreamContract
        from streampay_smoke.chain.stellar import StellarAdapter

        settings = self.settings
        chain = StellarAdapter(
            settings.network,
            rpc_url=settings.rpc_url,
            friendbot_url=settings.friendbot_url,
            record=self.record,
            max_stroops=settings.place.money.max_stroops,
        )
        self._note_ledger(chain.connect().latest_ledger)
        token = settings.token_contract_id or chain.native_token_contract()
        profile = PROFILES[settings.contract_profile]
        return Ledger(
            chain,
            StreamContract(chain, settings.contract_id, profile, token=token),
            contract_id=settings.contract_id,
            token_contract_id=token,
            most_ahead_seconds=SIMULATED_AHEAD_SECONDS if settings.network.simulated else CLOCK_SKEW_SECONDS,
        )

    @once
    def payer(self) -> ChainAccount:
        """A funded account that opens streams on the contract itself."""
        return self._funded(self.payer_of(self.settings.environment, self._run_id))

    def payer_of(self, environment: str, run_id: str) -> ChainAccount:
        """Return the account that opens streams on the contract in a run; nothing is sent.

        It is the run's own, and the same whoever asks: what a killed run left can be cancelled. A seed that is given
        is the payer's in every run.
        """
        return self._account("payer", self.settings.signer_seed or payer_seed(environment, run_id))

    @once
    def recipient(self) -> ChainAccount:
        """A funded account of this run that streams pay to."""
        return self._funded(self._account("recipient", self.settings.recipient_seed))

    def proof(self) -> SettlementProof:
        """Begin to watch the money of one scenario, in the way this run's settings ask for."""
        if self.settings.settlement_proof == "service":
            return ServiceProof(self.record)
        ledger = self.ledger
        ledger.contract.check_interface()
        lag_seconds = SIMULATED_LAG_SECONDS if self.settings.network.simulated else LAG_SECONDS
        return LedgerProof(ledger, self.recipient.address, self.record, lag_seconds=lag_seconds)

    def refuse_real_money(self) -> None:
        """Raise GuardRefused for a service that named the public network when the run began, or names it now."""
        refuse_real_money(self.readiness)
        now = self.deployment.look_again()
        if now.network:  # one that does not tell at the moment still has its first word
            refuse_real_money(now)

    def new_key(self, purpose: str) -> str:
        """Return an idempotency key nobody used before; it names the run it belongs to."""
        return f"smoke-{self._run_id}-{purpose}-{secrets.token_hex(4)}"

    @once
    def draft(self) -> StreamRecord:
        """A stream of this run that nobody starts: what must not move is tried on it."""
        return self.create(order_to(unowned_address()), self.new_key("draft"))

    def create(self, order: StreamOrder, key: str) -> StreamRecord:
        """Create a stream and remember to remove it; refuses wherever real money could be moved.

        Raises GuardRefused for a service on the public network, FixtureMissing where this place is read-only.
        """
        return self._created(order, lambda: self.deployment.create(self.credential, order, key))

    def create_newer(self, order: StreamOrder, key: str) -> StreamRecord:
        """Create a stream in the newer form of the API; as `create` otherwise."""
        return self._created(order, lambda: self.deployment.newer_create(self.credential, order, key))

    def remember(self, record: StreamRecord) -> None:
        """Remember to remove a stream of the synthetic user that came about."""
        self._remember(record, self.credential)

    def _created(self, order: StreamOrder, send: Callable[[], StreamRecord]) -> StreamRecord:
        self.refuse_to_write()
        try:
            record = send()
        except (ServiceUnavailable, WritePutOff):
            self._perhaps_made.append(order)
            raise
        except PromiseBroken as error:
            self._perhaps_made.append(order)
            raise StreamNotCreated(str(error), next_step=error.next_step) from error
        self.remember(record)
        return record

    def try_to_create(
        self, credential: Credential, order: StreamOrder, claims: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask for a stream that should not come about as it is asked for; refuses as `create` does.

        One that comes about all the same is remembered to be removed.
        """
        self.refuse_to_write()
        answer = self.deployment.create_answer(credential, order, self.new_key("create"), claims)
        record = self.deployment.created_by(answer)
        if record is not None:
            self._remember(record, credential)
        return answer

    def refuse_to_write(self) -> None:
        """Raise GuardRefused for a service on the public network, FixtureMissing where this place is read-only."""
        money = self.settings.place.money
        if not money.settles:
            raise FixtureMissing(
                f"this needs a new stream, but {money.settles_not_because}",
                next_step="give the synthetic user two streams of its own here, once, by hand",
            )
        refuse_real_money(self.readiness)

    def clean_up(self) -> None:
        """Bring every stream of this run to an end; one that stays is counted as leaked in the verdict."""
        self._find_what_was_perhaps_made()
        self.housekeeping.clean_up()
        if "ledger" in self.opened:
            with contextlib.suppress(ChainError):  # where the ledger ended is then unknown, and shown as that
                self._note_ledger(self.ledger.chain.health().latest_ledger)

    def _find_what_was_perhaps_made(self) -> None:
        """Remember the streams that came of orders which were not answered well: a service may store, then fail.

        Where nobody can look, each such order counts as left behind.
        """
        orders, self._perhaps_made = self._perhaps_made, []
        if not orders:
            return
        try:
            records = records_of(self.deployment, self.credential)
            found = [record for record in records if any(_is_of(record, order) for order in orders)]
            unmarked = [record for record in found if self.deployment.mark_of(self.credential, record.id) is None]
        except SmokeError:
            for order in orders:
                self.housekeeping.made(STREAM, f"ordered to {order.recipient}, never confirmed", lambda: False)
            return
        for record in unmarked:
            if not self.housekeeping.has(STREAM, record.id):
                self.housekeeping.made(STREAM, record.id, partial(self.end, record.id, self.credential))

    def close(self) -> None:
        """Release sockets."""
        if "ledger" in self.opened:
            self.ledger.chain.close()
        if "deployment" in self.opened:
            self.deployment.close()

    def _note_ledger(self, latest_ledger: int) -> None:
        network = self.settings.network
        self.record(
            ChainSeen(
                network=network.name,
                simulated=network.simulated,
                ledger=latest_ledger,
                contract_id=self.settings.contract_id,
            )
        )

    def _remember(self, record: StreamRecord, credential: Credential) -> None:
        """Note how a new stream ends, and mark it where the service takes marks; a mark never fails a run."""
        stream_id = record.id
        if self.housekeeping.has(STREAM, stream_id):
            return
        self.housekeeping.made(STREAM, stream_id, lambda: self.end(stream_id, credential))
        if not self._takes_marks:
            return
        lease_until_seconds = int(time.time() + max(LEASE_SECONDS, 2 * self.settings.deadline_seconds))
        mark = Mark(run_id=self._run_id, lease_until_seconds=lease_until_seconds)
        try:
            self._takes_marks = self.deployment.mark(credential, stream_id, mark)
        except SmokeError:
            self._takes_marks = False  # the exchange is in the journal; sweep then goes by the stream's age
        if self._takes_marks:
            self.record(ResourceMarked(kind=STREAM, id=stream_id, lease_until_seconds=lease_until_seconds))

    def end(self, stream_id: str, credential: Credential) -> bool:
        """Bring a stream to its end, whatever its status; False when the service does not."""
        status = self.deployment.stream(credential, stream_id).status
        if status in _ENDED:
            return True
        ways = _ENDINGS.get(status, ())
        if not any(all(self._done(stream_id, credential, action) for action in way) for way in ways):
            return False
        return self.deployment.stream(credential, stream_id).status in _ENDED

    def _done(self, stream_id: str, credential: Credential, action: str) -> bool:
        key = self.new_key("clean-up")
        return 200 <= self.deployment.act(credential, stream_id, action, key).status < 300

    def _account(self, name: str, seed: Secret | None) -> ChainAccount:
        account = self.ledger.chain.account(name, seed.reveal() if seed else None)
        self._learn_secret(account.seed)
        return account

    def _funded(self, account: ChainAccount) -> ChainAccount:
        self.ledger.chain.fund(account.address)
        return account
