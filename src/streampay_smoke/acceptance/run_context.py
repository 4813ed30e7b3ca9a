"""What the scenarios of one run share: the deployment, the synthetic user, the ledger, and what was created."""

import contextlib
import importlib
import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from msgspec.structs import replace

from streampay_smoke.acceptance.checks.live_events import HeardStart
from streampay_smoke.acceptance.checks.readiness import refuse_real_money
from streampay_smoke.acceptance.observations.fleet import looks_needed, sample_fleet, samples_needed
from streampay_smoke.acceptance.observations.ledger import SIMULATED_AHEAD_SECONDS, Ledger
from streampay_smoke.acceptance.observations.readiness import become_ready
from streampay_smoke.acceptance.observations.settings_mismatch import (
    ADDRESS_LOOK_SECONDS,
    FRESH_LOOKS,
    refuse_another_address,
    refuse_another_contract_named,
    refuse_another_network,
    refuse_another_release,
)
from streampay_smoke.acceptance.observations.settlement import LedgerProof, ServiceProof, SettlementProof
from streampay_smoke.acceptance.resources.contract_streams import CONTRACT_STREAM, find_unconfirmed
from streampay_smoke.acceptance.resources.housekeeping import Housekeeping
from streampay_smoke.acceptance.resources.once import once
from streampay_smoke.acceptance.resources.sign_ins import SignIns
from streampay_smoke.acceptance.resources.synthetic_streams import (
    LEASE_SECONDS,
    STREAM,
    SyntheticStreams,
)
from streampay_smoke.chain.adapter import ChainAccount, ChainError
from streampay_smoke.chain.guard import SpendCap
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS
from streampay_smoke.chain.progress import LedgerProgress
from streampay_smoke.core import system_facts
from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.errors import Blame, FixtureMissing, SmokeError
from streampay_smoke.core.secret import Secret
from streampay_smoke.core.trace import Trace
from streampay_smoke.evidence.events import (
    Awaiting,
    ChainSeen,
    RateLimitWait,
    Recorder,
    ReleaseSeen,
    ReplicaSeen,
    ResourceLost,
    Warned,
)
from streampay_smoke.http.client import addresses_of
from streampay_smoke.service.claims import claims_of
from streampay_smoke.service.credential_slots import accepted
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.cutover import Cutover
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import (
    Learn,
    SyntheticUser,
    address_of_seed,
    payer_seed,
    synthetic_user,
    unowned_address,
)
from streampay_smoke.service.kept_sign_ins import KeptSignIns, folder_of_user
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import Readiness, StreamRecord
from streampay_smoke.service.replay import ObservedRequest
from streampay_smoke.service.transport import NOTHING_LISTENS, NoServiceAnswer, WriteSlot
from streampay_smoke.settings import Settings

LONG_WAIT_SECONDS = 1.0
"""A wait for readiness that has lasted for so long leaves time to load what is needed after it."""

REQUEST_SECONDS = 15.0
"""Limit of one request to the service: a settlement may wait for a ledger or two of 5 s."""


@contextlib.contextmanager
def ledger_library_loaded_beside() -> Iterator[None]:
    """Load what the ledger is asked with (stellar-sdk) beside the block, once it takes long: probes need it next."""
    loading = threading.Timer(LONG_WAIT_SECONDS, importlib.import_module, ["streampay_smoke.chain.stellar"])
    loading.daemon = True
    loading.start()
    try:
        yield
    finally:
        loading.cancel()
        loading.join()


class RunContext:
    """Made once for a run. Everything is opened when a step first needs it."""

    def __init__(self, settings: Settings, *, record: Recorder, learn_secret: Learn, run_id: str) -> None:
        self.settings = settings
        self.record = record
        self._learn_secret = learn_secret
        self._run_id = run_id
        self._trace = Trace.of_run(run_id, system_facts.variables())
        self.housekeeping = Housekeeping(record, at_once=settings.facts.service.writes_at_once)
        self.spend_cap = SpendCap(settings.facts.money.max_stroops)
        self._streams_beside: list[SyntheticStreams] = []
        self._sockets = contextlib.ExitStack()
        self.opened: dict[str, Any] = {}
        self.failures: dict[str, SmokeError] = {}
        self.ledger_progress = LedgerProgress()
        self._cutover = Cutover(settings.facts.service.cutover_seconds, record)
        self._patient_until_seconds = 0.0
        self.heard_start: HeardStart | None = None
        """What was heard while a stream of this run was moved; listened to once."""
        self._credential_at_stable: Credential | None = None
        self._unchanged_draft: StreamRecord | None = None
        kept = KeptSignIns(folder_of_user(system_facts.variables()) if settings.keep_sign_in else None)
        self._sign_ins = SignIns(kept, base_url=settings.base_url, wait=self._waited_for_sign_in)
        self.reuses_sign_ins = False
        """Whether the user may use a sign-in of another run: not in a whole suite, which proves that users get in."""
        self.throttle_patience: Callable[[], float] | None = None
        """How many more seconds this run may wait for rate limits; None for the same time for each request."""
        self.write_slot: WriteSlot = nullcontext
        """Gives the block in which a write is sent: runs that play scenarios side by side limit how many there are."""

    @once
    def deployment(self) -> Deployment:
        """The deployment under test; nothing is sent yet."""
        deployment = self.deployment_at(
            self.settings.base_url,
            record=self.record,
            timeout_seconds=REQUEST_SECONDS,
            patience=self.throttle_patience,
            cutover=self._cutover,
            write_slot=self._held_write_slot,
        )
        return self._sockets.enter_context(deployment)

    def _held_write_slot(self) -> contextlib.AbstractContextManager[None]:
        return self.write_slot()

    def deployment_at(
        self,
        base_url: str,
        *,
        record: Recorder,
        timeout_seconds: float,
        throttle_seconds: float = 30.0,
        patience: Callable[[], float] | None = None,
        cutover: Cutover | None = None,
        write_slot: WriteSlot = nullcontext,
        stable: bool = False,
    ) -> Deployment:
        """Return a deployment of StreamPay in this environment; nothing is sent yet.

        What is sent carries the header that leads to the release that is judged, or to the `stable` one.
        """
        settings = self.settings
        return Deployment.at(
            base_url,
            dialect=settings.dialect,
            record=record,
            timeout_seconds=timeout_seconds,
            throttle_seconds=throttle_seconds,
            patience=patience,
            cutover=cutover,
            write_slot=write_slot,
            learn_secret=self._learn_secret,
            release_told_by=settings.facts.service.release_told_by,
            release_expected=settings.expect_release,
            replica_header=settings.facts.service.replica_header,
            ledger_url=settings.rpc_url,
            trace=self._trace,
            headers=settings.baseline_header if stable else settings.base_header,
        )

    @once
    def readiness(self) -> Readiness:
        """The service's word that it is ready, waited for once."""
        within_seconds = self.settings.facts.service.ready_within_seconds
        self._patient_until_seconds = time.monotonic() + within_seconds
        try:
            with ledger_library_loaded_beside():
                readiness = become_ready(
                    self.deployment,
                    within_seconds=within_seconds,
                    record=self.record,
                    release_expected=self.settings.expect_release,
                )
        except SmokeError as error:
            self._cutover.give_up()
            self.refuse_mistyped_port(error)
            raise
        self._refuse_settings_mismatch(readiness)
        self.record(ReleaseSeen(moment="start", release=readiness.release))
        return readiness

    def refuse_mistyped_port(self, error: SmokeError) -> None:
        """Raise where nothing listens at the address, as an error says, and the expected release is beside it."""
        if isinstance(error, NoServiceAnswer) and error.cause == NOTHING_LISTENS:
            settings = self.settings
            refuse_another_address(
                settings.base_url,
                others=filter(None, (settings.baseline_url,)),
                expected=settings.expect_release,
                readiness_at=self._readiness_beside,
            )

    def _readiness_beside(self, address: str) -> Readiness:
        with self.deployment_at(
            address, record=lambda event: None, timeout_seconds=ADDRESS_LOOK_SECONDS, throttle_seconds=0.0
        ) as beside:
            return beside.readiness()

    def _refuse_settings_mismatch(self, readiness: Readiness) -> None:
        """Raise where the settings contradict what answers; fresh connections may lead to other replicas."""
        settings, service = self.settings, self.settings.facts.service
        refuse_another_network(
            readiness,
            expected=service.network,
            gate=settings.network,
            rpc_url=settings.rpc_url,
            settles=settings.facts.money.settles,
        )
        refuse_another_contract_named(readiness, expected=settings.contract_id, gate=settings.network)
        if settings.expect_release in {"", readiness.release}:
            return
        looks = max(FRESH_LOOKS, samples_needed(service.replicas, service.replica_miss_probability))
        try:
            releases = [readiness.release, *(self._release_of_a_replica() for _ in range(looks))]
        except SmokeError:
            return  # what falls silent is no release that stands there unchanged
        refuse_another_release(settings.expect_release, releases, told_by=service.release_told_by)

    @once
    def fleet(self) -> tuple[ReplicaSeen, ...]:
        """What was met when each replica of the fleet is likely to have answered, looked at once."""
        service = self.settings.facts.service
        # Who connects to a name keeps to the first of its addresses.
        several = addresses_of(self.settings.base_url, within_seconds=REQUEST_SECONDS) if service.replicas > 1 else ()
        in_turn = itertools.cycle(several if len(several) > 1 else ("",))
        each_is_one = len(several) == service.replicas
        return sample_fleet(
            lambda: self._look_at_replica(next(in_turn), each_is_one=each_is_one),
            replicas=service.replicas,
            miss_probability=service.replica_miss_probability,
            expected=self.settings.expect_release,
            within_seconds=max(0.0, self._patient_until_seconds - time.monotonic()),
            record=self.record,
        )

    @property
    def releases_of_fleet(self) -> tuple[str, ...]:
        """The releases that looks at the fleet met."""
        return tuple(seen.release for seen in self.fleet if seen.fresh)

    @property
    def last_asked(self) -> ObservedRequest | None:
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

    def _look_at_replica(self, address: str, *, each_is_one: bool) -> tuple[ReplicaSeen, ...]:
        """Return what the replica behind a fresh connection answers; for a silent address, what answers instead.

        Where each address of the host is one replica, it tells those apart that do not name themselves.
        """
        try:
            with self.deployment.fresh(address) as replica:
                seen = replica.look_at_replica()
        except NoServiceAnswer as problem:
            if not address:
                raise
            text = f"nothing answered at {address}, one of the addresses of the deployment's host ({problem.cause})"
            self.record(Warned(code="address_silent", text=text))
            return self._look_at_replica("", each_is_one=False)
        if not each_is_one or not address:
            return seen
        return tuple(replace(each, replica=each.replica or address) for each in seen)

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

    @property
    def user_by_slot(self) -> tuple[SyntheticUser, ...]:
        """The synthetic user with the credential of slot A and, where that is set, with that of slot B."""
        slot_b = list(self.settings.supplied_credentials.values())[1:]
        return (self.user, *(self.user.in_slot_b(secret) for secret in slot_b))

    @once
    def signed_in(self) -> tuple[SyntheticUser, Credential]:
        """The synthetic user with the credential slot the deployment takes, and the credential."""
        if self.settings.auth_mode == "wallet":
            return self.user, self._sign_ins.by_wallet(self.deployment, self.user, reuse=self.reuses_sign_ins)
        return accepted(self.deployment, self.user_by_slot, record=self.record)

    def _waited_for_sign_in(self, seconds: float) -> bool:
        """Wait for another run that signs the same user in, as for a rate limit; False where there is no time to."""
        if self.throttle_patience is None or self.throttle_patience() < seconds:
            return False
        self.wait_as_for_rate_limit(seconds, what="another run that is signing the same user in")
        return True

    def wait_as_for_rate_limit(self, seconds: float, *, what: str) -> None:
        """Sleep for what neither the step that is under way nor the service can help: no budget counts it."""
        self.record(Awaiting(what=what))
        self.record(RateLimitWait(seconds=seconds))
        time.sleep(seconds)

    def signed_in_at(self, stable: Deployment) -> Credential:
        """Return the synthetic user's credential at the stable release, signed in once; raises SmokeError."""
        if self._credential_at_stable is None:
            self._credential_at_stable = self.credential_at(stable)
        return self._credential_at_stable

    def credential_at(self, deployment: Deployment) -> Credential:
        """Return a credential of the synthetic user that a deployment takes: by a sign-in, or of the slot it takes.

        Raises SmokeError. A rotation that is half done is warned of once, by `signed_in`.
        """
        _, credential = accepted(deployment, self.user_by_slot, record=lambda event: None)
        return credential

    @once
    def credential(self) -> Credential:
        """The synthetic user, signed in."""
        return self.signed_in[1]

    @property
    def tenant(self) -> str:
        """Whose the user's streams are: the wallet, whom the token names, or "" for a key that names nobody."""
        if self.credential.kind in {"wallet", "jwt"}:
            return self.signed_in[0].address
        subject = claims_of(self.credential.headers.get("authorization", "")).get("sub", "")
        return subject if isinstance(subject, str) else ""

    @property
    def jwt_secret(self) -> Secret | None:
        """What the deployment signs tokens with, as far as the operator shares it: of the slot it takes."""
        settings = self.settings
        rotating = settings.auth_mode == "jwt" and settings.auth_jwt_secret_b is not None
        return self.signed_in[0].secret if rotating else settings.auth_jwt_secret

    @once
    def second_user(self) -> SyntheticUser:
        """Another synthetic user; raises FixtureMissing where there can be none."""
        first = self.signed_in[0] if self.settings.auth_mode == "jwt" else self.user
        return first.second_user()

    @once
    def second_credential(self) -> Credential:
        """Another synthetic user, signed in; raises FixtureMissing where there can be none."""
        second = self.second_user
        if second.mode == "wallet":  # that users get in is proved by the first one
            return self._sign_ins.by_wallet(self.deployment, second, reuse=True)
        return self.deployment.sign_in(second)

    @once
    def ledger(self) -> Ledger:
        """The ledger, guarded and connected; raises the chain's errors."""
        # Imported here: stellar-sdk costs more start-up time than all the rest of a run.
        from streampay_smoke.chain.contract import StreamContract
        from streampay_smoke.chain.stellar import StellarAdapter

        settings = self.settings
        chain = StellarAdapter(
            settings.network,
            rpc_url=settings.rpc_url,
            friendbot_url=settings.friendbot_url,
            record=self.record,
            spend_cap=self.spend_cap,
        )
        self._sockets.callback(chain.close)
        first_ledger = chain.connect().latest_ledger
        self._note_ledger(first_ledger)
        token = settings.token_contract_id or chain.native_token_contract()
        profile = PROFILES[settings.contract_profile]
        declared = PROFILES.get(settings.facts.chain.contract_profile)
        return Ledger(
            chain,
            StreamContract(chain, settings.contract_id, profile, token=token, declared=declared),
            contract_id=settings.contract_id,
            token_contract_id=token,
            first_ledger=first_ledger,
            most_ahead_seconds=SIMULATED_AHEAD_SECONDS if settings.network.simulated else CLOCK_SKEW_SECONDS,
        )

    @property
    def ledger_without_service(self) -> Ledger:
        """The ledger, for checks that ask the service nothing; raises the chain's errors.

        Raises what the release has failed by, where it is not ready or nobody can sign in: that decides the run, and
        is not to be told some ledgers later.
        """
        ledger = self.ledger
        for name in ("readiness", "signed_in"):
            failure = self.failures.get(name)
            if failure is not None and failure.blame is Blame.PRODUCT:
                raise failure.with_traceback(None)
        return ledger

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

    @property
    def own_payer_address(self) -> str:
        """The address of this run's payer; nothing is sent."""
        return self.payer_of(self.settings.environment, self._run_id).address

    @once
    def recipient(self) -> ChainAccount:
        """A funded account of this run that streams pay to."""
        return self._funded(self._account("recipient", self.settings.recipient_seed))

    @once
    def unwatched_recipient(self) -> str:
        """The address that streams pay where nobody looks at the ledger: that of the seed, else one of this run.

        A service that settles on a ledger can only pay an account, so friendbot is asked for one. Where none answers,
        such a service needs SMOKE_RECIPIENT_SEED.
        """
        from streampay_smoke.chain.friendbot import ask_friendbot

        settings = self.settings
        address = address_of_seed(settings.recipient_seed) if settings.recipient_seed else unowned_address()
        with contextlib.suppress(ChainError):
            ask_friendbot(settings.network, settings.friendbot_url, address, record=self.record)
        return address

    def proof(self) -> SettlementProof:
        """Begin to watch the money of one scenario, in the way this run's settings ask for."""
        if self.settings.settlement_proof == "service":
            return ServiceProof(
                self.unwatched_recipient, lambda stream_id: self.deployment.stream(self.credential, stream_id)
            )
        ledger = self.ledger
        ledger.contract.check_interface()
        return LedgerProof(ledger, self.recipient.address, self.record)

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
    def streams(self) -> SyntheticStreams:
        """The streams this run makes; they are the synthetic user's unless somebody else is named."""
        return self._streams_at(self.deployment, lambda: self.credential, self.refuse_to_write)

    def streams_at_stable(self, record: Recorder) -> SyntheticStreams:
        """Return the streams that this run makes at the stable release, for comparison; what is asked goes to `record`.

        They end with those of the run. Nothing is sent yet.
        """
        if "streams_at_stable" not in self.opened:
            stable = self._sockets.enter_context(
                self.deployment_at(
                    self.settings.baseline_url, record=record, timeout_seconds=REQUEST_SECONDS, stable=True
                )
            )

            def refuse_to_write() -> None:
                self.refuse_to_write()
                refuse_real_money(stable.readiness())

            self.opened["streams_at_stable"] = self.streams_at(
                stable, lambda: self.signed_in_at(stable), refuse_to_write=refuse_to_write
            )
        streams: SyntheticStreams = self.opened["streams_at_stable"]
        return streams

    def _streams_at(
        self, deployment: Deployment, user: Callable[[], Credential], refuse_to_write: Callable[[], None]
    ) -> SyntheticStreams:
        return SyntheticStreams(
            deployment,
            user,
            refuse_to_write=refuse_to_write,
            new_key=self.new_key,
            housekeeping=self.housekeeping,
            record=self.record,
            run_id=self._run_id,
            lease_seconds=max(LEASE_SECONDS, 2 * self.settings.deadline_seconds),
            looks=self.looks_needed,
        )

    def streams_at(
        self, deployment: Deployment, user: Callable[[], Credential], *, refuse_to_write: Callable[[], None]
    ) -> SyntheticStreams:
        """Return the book of streams that this run makes at a deployment of its own; `clean_up` ends them as well."""
        beside = self._streams_at(deployment, user, refuse_to_write)
        self._streams_beside.append(beside)
        return beside

    @property
    def looks_needed(self) -> int:
        """How many connections to ask over before every replica is likely to have answered."""
        service = self.settings.facts.service
        return looks_needed(service.replicas, service.replica_miss_probability)

    @once
    def draft(self) -> StreamRecord:
        """A stream of this run that nobody starts: what must not move is tried on it."""
        return self.streams.create(order_to(unowned_address()), self.new_key("draft"))

    def look_at_draft(self) -> StreamRecord:
        """Return what the draft is before something is tried on it.

        Where the last that was tried left it unchanged, that is what was seen then: what a change in between looks
        like is found by the look after the next attempts.
        """
        seen, self._unchanged_draft = self._unchanged_draft, None
        return seen or self.deployment.stream(self.credential, self.draft.id)

    def note_unchanged(self, record: StreamRecord) -> None:
        """Take note of the draft that a look has just shown unchanged."""
        self._unchanged_draft = record

    def refuse_to_write(self) -> None:
        """Raise GuardRefused for a service on the public network, FixtureMissing in a read-only environment."""
        money = self.settings.facts.money
        if not money.settles:
            raise FixtureMissing(
                f"this needs a new stream, but {money.settles_not_because}",
                next_step="give the synthetic user two streams of its own here, once, by hand",
            )
        refuse_real_money(self.readiness)

    def clean_up(self, *, under_way_seconds: float = 0.0) -> None:
        """Bring every stream of this run to an end; one that stays is counted as leaked in the verdict.

        What a run that was cut off asked for last may be under way for so long.
        """
        for streams in self._books_of_streams:
            streams.find_what_was_perhaps_made(under_way_seconds)
        if CONTRACT_STREAM in self.housekeeping.unconfirmed:
            shared_payer = self.settings.signer_seed is not None  # what it opened may be another run's
            first_ledger = None if shared_payer else self.ledger.first_ledger
            find_unconfirmed(self.ledger, self.payer, self.housekeeping, first_ledger=first_ledger)
        self.housekeeping.clean_up(again_within_seconds=under_way_seconds)

    def look_at_ledger_again(self) -> None:
        """Take note of where the ledger is after the last check."""
        if "ledger" in self.opened:
            with contextlib.suppress(ChainError):  # where the ledger ended is then unknown, and shown as that
                self._note_ledger(self.ledger.chain.health().latest_ledger)

    @property
    def unfinished(self) -> int:
        """How many things `clean_up` has to end, or to search for."""
        return len(self.housekeeping) + sum(streams.unconfirmed for streams in self._books_of_streams)

    @property
    def _books_of_streams(self) -> tuple[SyntheticStreams, ...]:
        own = (self.streams,) if "streams" in self.opened else ()
        return (*own, *self._streams_beside)

    @property
    def own_streams(self) -> tuple[str, ...]:
        """The ids of the synthetic user's streams that were made here."""
        return self.streams.own if "streams" in self.opened else ()

    def adopt(self, stream_ids: Sequence[str]) -> None:
        """Take note of streams of the synthetic user that other processes of this run made, and ended."""
        if stream_ids:
            self.streams.adopt(stream_ids)

    def look_for_own_streams(self) -> None:
        """Take note of the streams of this run that the service has forgotten, after all that this run did with them.

        Where nobody can look, that is a warning: silence does not say that anything was lost.
        """
        if "streams" not in self.opened:
            return
        try:
            lost = self.streams.lost()
        except SmokeError as problem:
            text = f"the streams of this run could not be looked for after the last check: {problem}"
            self.record(Warned(code="streams_not_looked_for", text=text))
            return
        if lost:
            self.look_at_release_again()  # another release that took its place has forgotten nothing
        for stream_id, seen in lost.items():
            self.record(ResourceLost(kind=STREAM, id=stream_id, seen=seen))

    def drop_connections(self) -> None:
        """Close kept connections: whatever is asked next, here or in a process forked off, opens one of its own."""
        if "deployment" in self.opened:
            self.deployment.close()
        if "ledger" in self.opened:
            self.ledger.chain.close()

    def close(self) -> None:
        """Release sockets."""
        self._sockets.close()

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

    def _account(self, name: str, seed: Secret | None) -> ChainAccount:
        account = self.ledger.chain.account(name, seed.reveal() if seed else None)
        self._learn_secret(account.seed)
        return account

    def _funded(self, account: ChainAccount) -> ChainAccount:
        self.ledger.chain.fund(account.address)
        return account
