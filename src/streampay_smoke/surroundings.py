"""What the scenarios of one run share: the deployment, the synthetic user, the ledger, and what was created."""

import contextlib
import secrets
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, cast, overload

from streampay_smoke.chain.adapter import ChainAccount, ChainError
from streampay_smoke.errors import FixtureMissing, PromiseBroken, SmokeError
from streampay_smoke.evidence.events import ChainSeen, Recorder, ResourceCreated, ResourceReleased
from streampay_smoke.promises.ledger import Ledger
from streampay_smoke.promises.proofs import LAG_SECONDS, LedgerProof, ServiceProof, SettlementProof
from streampay_smoke.promises.readiness import become_ready, refuse_real_money
from streampay_smoke.secret import Secret
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import Credential, Learn, SyntheticUser, synthetic_user
from streampay_smoke.service.records import Readiness, StreamOrder, StreamRecord
from streampay_smoke.settings import Settings

REQUEST_SECONDS = 15.0
"""Limit of one request to the service: a settlement may wait for a ledger or two of 5 s."""

SIMULATED_LAG_SECONDS = 1.0
"""The sandbox has one ledger and no backends that lag behind."""

STREAM = "stream"

_ENDINGS = {"draft": "stop", "active": "stop", "paused": "settle"}
"""How a stream of each unfinished status is brought to an end."""


class StreamNotCreated(PromiseBroken):
    """The service did not create a stream it was asked for."""

    kind = "stream_not_created"


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
        self._unfinished: dict[str, Credential] = {}
        self.opened: dict[str, Any] = {}
        self.failures: dict[str, SmokeError] = {}

    @once
    def deployment(self) -> Deployment:
        """The deployment under test; nothing is sent yet."""
        settings = self.settings
        return Deployment.at(
            settings.base_url,
            dialect=settings.dialect,
            record=self.record,
            timeout_seconds=REQUEST_SECONDS,
            learn_secret=self._learn_secret,
            release_told_by=settings.place.service.release_told_by,
            release_expected=settings.expect_release,
            ledger_urls=(settings.rpc_url,),
        )

    @once
    def readiness(self) -> Readiness:
        """The service's word that it is ready, waited for once."""
        return become_ready(
            self.deployment, within_seconds=self.settings.place.service.ready_within_seconds, record=self.record
        )

    @once
    def user(self) -> SyntheticUser:
        """The synthetic user of this environment."""
        settings = self.settings
        supplied = {
            "SMOKE_AUTH_TOKEN": settings.auth_token,
            "SMOKE_AUTH_JWT_SECRET": settings.auth_jwt_secret,
            "SMOKE_API_KEY": settings.api_key,
        }
        return synthetic_user(
            settings.environment,
            settings.auth_mode,
            learn_secret=self._learn_secret,
            signer_seed=settings.signer_seed,
            supplied=supplied,
        )

    @once
    def credential(self) -> Credential:
        """The synthetic user, signed in."""
        return self.deployment.sign_in(self.user)

    @once
    def second_credential(self) -> Credential:
        """Another synthetic user, signed in; raises FixtureMissing where there can be none."""
        return self.deployment.sign_in(self.user.second_user())

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
        )

    @once
    def payer(self) -> ChainAccount:
        """A funded account that opens streams on the contract itself."""
        return self._funded("payer", self.settings.signer_seed)

    @once
    def recipient(self) -> ChainAccount:
        """A funded account of this run that streams pay to."""
        return self._funded("recipient", self.settings.recipient_seed)

    def proof(self) -> SettlementProof:
        """Begin to watch the money of one scenario, in the way this run's settings ask for."""
        if self.settings.settlement_proof == "service":
            return ServiceProof(self.record)
        ledger = self.ledger
        ledger.contract.check_interface()
        lag_seconds = SIMULATED_LAG_SECONDS if self.settings.network.simulated else LAG_SECONDS
        return LedgerProof(ledger, self.recipient.address, self.record, lag_seconds=lag_seconds)

    def new_key(self, purpose: str) -> str:
        """Return an idempotency key nobody used before; it names the run it belongs to."""
        return f"smoke-{self._run_id}-{purpose}-{secrets.token_hex(4)}"

    def create(self, order: StreamOrder, key: str) -> StreamRecord:
        """Create a stream and remember to remove it; refuses wherever real money could be moved.

        Raises GuardRefused for a service on the public network, FixtureMissing where this place is read-only.
        """
        money = self.settings.place.money
        if not money.settles:
            raise FixtureMissing(
                f"this needs a new stream, but {money.settles_not_because}",
                next_step="give the synthetic user two streams of its own here, once, by hand",
            )
        refuse_real_money(self.readiness)
        try:
            record = self.deployment.create(self.credential, order, key)
        except PromiseBroken as error:
            raise StreamNotCreated(str(error), next_step=error.next_step) from error
        if record.id not in self._unfinished:
            self._unfinished[record.id] = self.credential
            self.record(ResourceCreated(kind=STREAM, id=record.id))
        return record

    def finished(self, stream_id: str) -> None:
        """Take note that a stream came to its proper end."""
        if self._unfinished.pop(stream_id, None) is not None:
            self.record(ResourceReleased(kind=STREAM, id=stream_id))

    def clean_up(self) -> None:
        """Bring every stream of this run to an end; one that stays is counted as leaked in the verdict."""
        for stream_id, credential in list(self._unfinished.items()):
            try:
                ended = self._end(stream_id, credential)
            except SmokeError:
                ended = False  # the exchange is in the journal, and the stream is counted as leaked
            if ended:
                self.finished(stream_id)
        if "ledger" in self.opened:
            with contextlib.suppress(ChainError):  # where the ledger ended is then unknown, and shown as that
                self._note_ledger(self.ledger.chain.health().latest_ledger)

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

    def _end(self, stream_id: str, credential: Credential) -> bool:
        status = self.deployment.stream(credential, stream_id).status
        action = _ENDINGS.get(status)
        if action is None:
            return True
        key = self.new_key("clean-up")
        return 200 <= self.deployment.act(credential, stream_id, action, key).status < 300

    def _funded(self, name: str, seed: Secret | None) -> ChainAccount:
        chain = self.ledger.chain
        account = chain.account(name, seed.reveal() if seed else None)
        self._learn_secret(account.seed)
        chain.fund(account.address)
        return account
