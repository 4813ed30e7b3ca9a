"""The streams that a run makes at the service: marked as its own, and brought to an end whatever became of them."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from streampay_smoke.acceptance.checks.failed_settlements import FailedSettlement
from streampay_smoke.acceptance.observations.fleet import FEWEST_LOOKS
from streampay_smoke.acceptance.observations.listing import LARGEST_PAGE, records_of
from streampay_smoke.acceptance.resources.housekeeping import Housekeeping
from streampay_smoke.core.errors import CredentialRefused, GuardRefused, PromiseBroken, SettingsInvalid, SmokeError
from streampay_smoke.evidence.events import Recorder, ResourceMarked
from streampay_smoke.evidence.polling import NeverHappened, PollResult, eventually
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.lease import Lease
from streampay_smoke.service.records import Receipt, StreamOrder, StreamRecord
from streampay_smoke.service.transport import Throttled, WritePutOff

LEASE_SECONDS = 900.0
"""How long nobody else touches what a run made; twice the run's deadline where that is longer."""

STREAM = "stream"

APPEARS_WITHIN_SECONDS = 15.0
"""How long after an order that nobody answered its stream may still appear: a service waits for the ledger first."""
NOT_FOUND = 404

_ENDINGS = {"draft": (("stop",),), "active": (("stop",),), "paused": (("settle",), ("start", "stop"))}
"""How a stream of each unfinished status is brought to an end: the ways to try, each a series of actions.

A paused stream cannot be stopped, and can be settled only once its time is over.
"""

_REFUSED_UNMADE = (Throttled, CredentialRefused, GuardRefused, SettingsInvalid)
"""After these no order reached the service, or it said that it has not met it."""

FINISHED = frozenset({"ended", "withdrawn", "cancelled"})
"""The statuses of a stream that has come to its end."""


class StreamNotCreated(PromiseBroken):
    """The service did not create a stream it was asked for."""

    kind = "stream_not_created"


class RequestedSettlement(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement the user asked for: the stream, the key it was asked for with, and the receipt."""

    stream_id: str
    key: str
    receipt: Receipt


class _Unconfirmed(msgspec.Struct, kw_only=True, eq=False):
    """An order that was perhaps met, until when its stream may appear, and whether it was found."""

    order: StreamOrder
    may_appear_until: float
    found: bool = False


class SyntheticStreams:
    """Makes streams as a user of the deployment, and keeps book of them.

    Whatever makes one raises as `refuse_to_write` does where nothing may be written. `user` is the credential of whom
    streams belong to unless another is named; `settlements` are those of this run.
    """

    def __init__(
        self,
        deployment: Deployment,
        user: Callable[[], Credential],
        *,
        refuse_to_write: Callable[[], None],
        new_key: Callable[[str], str],
        housekeeping: Housekeeping,
        record: Recorder,
        run_id: str,
        lease_seconds: float,
        looks: int = FEWEST_LOOKS,
    ) -> None:
        self.settlements: list[RequestedSettlement] = []
        self._deployment = deployment
        self._user = user
        self._refuse_to_write = refuse_to_write
        self._new_key = new_key
        self._housekeeping = housekeeping
        self._record = record
        self._run_id = run_id
        self._lease_seconds = lease_seconds
        self._looks = looks
        self._made: dict[str, Credential] = {}
        self._gone: dict[str, str] = {}
        self._takes_leases = True
        self._perhaps_made: list[_Unconfirmed] = []
        self._failed: dict[str, FailedSettlement] = {}

    @property
    def failed_settlements(self) -> tuple[FailedSettlement, ...]:
        """The settlements of this run that were answered with a server error, and what came of them."""
        return tuple(self._failed.values())

    def note_failed(self, failed: FailedSettlement) -> None:
        """Remember a settlement that failed, or what came of it since."""
        self._failed[failed.key] = failed

    @property
    def unfinished(self) -> frozenset[str]:
        """The ids of those that this run has made and not brought to an end."""
        return frozenset(self._housekeeping.names(STREAM))

    def has_made(self, stream_id: str) -> bool:
        """Whether this run has made a stream."""
        return stream_id in self._made

    def create(self, order: StreamOrder, key: str) -> StreamRecord:
        """Create a stream and remember to bring it to an end."""
        return self._created(order, lambda: self._deployment.create(self._user(), order, key))

    def create_v2(self, order: StreamOrder, key: str) -> StreamRecord:
        """Create a stream through API v2; as `create` otherwise."""
        return self._created(order, lambda: self._deployment.create_v2(self._user(), order, key))

    def try_to_create(
        self, credential: Credential, order: StreamOrder, claims: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask for a stream that should not come about as it is asked for.

        One that comes about all the same is remembered to be brought to an end.
        """
        return self._tried(
            credential, order, lambda key: self._deployment.create_answer(credential, order, key, claims)
        )

    def try_to_create_v2(self, credential: Credential, order: StreamOrder) -> Answer:
        """Ask API v2 for a stream; as `try_to_create` otherwise."""
        return self._tried(credential, order, lambda key: self._deployment.create_v2_answer(credential, order, key))

    def remember(self, record: StreamRecord) -> None:
        """Remember to bring a stream to an end that came about another way."""
        self._remember(record, self._user())

    def end(self, stream_id: str, credential: Credential) -> bool:
        """Bring a stream to its end, whatever its status; False when the service does not."""
        with self._knowing(stream_id, credential) as (deployment, answer):
            status = self._status(deployment, stream_id, credential, answer)
            if status in FINISHED:
                return True
            ways = _ENDINGS.get(status, ())
            if not any(all(self._done(deployment, stream_id, credential, action) for action in way) for way in ways):
                return False
        with self._knowing(stream_id, credential) as (deployment, answer):
            return self._status(deployment, stream_id, credential, answer) in FINISHED

    def lease_of(self, stream_id: str, credential: Credential) -> Lease | None:
        """Return the mark on a stream, None where it carries none, or is gone."""
        with self._knowing(stream_id, credential) as (deployment, answer):
            return deployment.mark_shown(answer)

    @property
    def own(self) -> tuple[str, ...]:
        """The ids of those that this run has made for its user."""
        user = self._user()
        return tuple(stream_id for stream_id, credential in self._made.items() if credential == user)

    def adopt(self, stream_ids: Iterable[str]) -> None:
        """Take note of those that another process of this run has made for its user, and ended."""
        self._made |= dict.fromkeys(stream_ids, self._user())

    def lost(self) -> Mapping[str, str]:
        """Return the user's streams of this run that no replica knows, each with what was answered; raises for silence.

        A stream that is ended stays known: what is not was forgotten, by a restart for example.
        """
        user = self._user()
        own = list(self.own)
        shown: set[str] = set()
        with contextlib.suppress(PromiseBroken):  # a broken list shows nothing: each stream is then asked for
            shown = {record.id for record in self._deployment.streams(user, limit=LARGEST_PAGE).streams}
        for stream_id in own:
            if stream_id not in shown and stream_id not in self._gone:
                with self._knowing(stream_id, user):
                    pass
        return {stream_id: self._gone[stream_id] for stream_id in own if stream_id in self._gone}

    @contextlib.contextmanager
    def _knowing(self, stream_id: str, credential: Credential) -> Iterator[tuple[Deployment, Answer]]:
        """Give the deployment over a connection to a replica that knows a stream, and what it answers of it.

        Where all say that they do not know it, the stream is gone. Any other answer is left to whoever asked.
        """
        answer = self._deployment.stream_answer(credential, stream_id)
        if not self._is_unknown(answer):
            yield self._deployment, answer
            return
        for _ in range(self._looks):
            with self._deployment.fresh() as replica:
                found = replica.stream_answer(credential, stream_id)
                if not self._is_unknown(found):
                    yield replica, found
                    return
        self._gone[stream_id] = (
            f"{answer.asked} answered {answer.status} {self._deployment.error_code(answer)} "
            f"over {self._looks + 1} connections"
        )
        yield self._deployment, answer

    def _status(self, deployment: Deployment, stream_id: str, credential: Credential, answer: Answer) -> str:
        """Return the status of the stream that an answer shows, "" of one that is gone; raises for other answers."""
        if self._is_unknown(answer):
            return ""
        return (deployment.created_by(answer) or deployment.stream(credential, stream_id)).status

    def _is_unknown(self, answer: Answer) -> bool:
        return answer.status == NOT_FOUND and bool(self._deployment.error_code(answer))

    @property
    def unconfirmed(self) -> int:
        """How many orders were perhaps met."""
        return len(self._perhaps_made)

    def find_what_was_perhaps_made(self, under_way_seconds: float = 0.0) -> None:
        """Remember the streams that came of orders which were not answered well: a service may store, then fail.

        An order that was cut off may be under way for so many seconds from now. Where nobody can look, each such order
        counts as left behind.
        """
        if not self._perhaps_made:
            return
        may_appear_until = max(each.may_appear_until for each in self._perhaps_made)
        if may_appear_until:
            may_appear_until = max(may_appear_until, time.monotonic() + under_way_seconds)
        try:
            eventually(
                self._find,
                what="orders that were not answered to be among the user's streams",
                within_seconds=max(0.0, may_appear_until - time.monotonic()),
                pauses=itertools.repeat(0.5),
                record=self._record,
            )
        except NeverHappened:
            pass  # they came to nothing
        except SmokeError:
            for each in self._perhaps_made:
                name = f"ordered to {each.order.recipient}, never confirmed"
                self._housekeeping.made(STREAM, name, lambda: False)
        self._perhaps_made.clear()

    def _find(self) -> PollResult[None]:
        """Remember the streams that came of unconfirmed orders; met when there is one of each."""
        user = self._user()
        for record in records_of(self._deployment, user):
            orders = [each for each in self._perhaps_made if _is_of(record, each.order)]
            known = not orders or self._housekeeping.has(STREAM, record.id)
            if known or self._deployment.lease_of(user, record.id) is not None:
                continue
            self._housekeeping.made(STREAM, record.id, partial(self.end, record.id, user), beside_others=True)
            next((each for each in orders if not each.found), orders[0]).found = True
        missing = sum(not each.found for each in self._perhaps_made)
        return PollResult(met=not missing, value=None, last=f"{missing} were not")

    def _created(self, order: StreamOrder, send: Callable[[], StreamRecord]) -> StreamRecord:
        self._refuse_to_write()
        with self._ordering(order):
            try:
                record = send()
            except WritePutOff:
                raise
            except PromiseBroken as error:
                raise StreamNotCreated(str(error), next_step=error.next_step).about(error.unfit) from error
            self.remember(record)
        return record

    def _tried(self, credential: Credential, order: StreamOrder, send: Callable[[str], Answer]) -> Answer:
        self._refuse_to_write()
        with self._ordering(order):
            answer = send(self._new_key("create"))
            record = self._deployment.created_by(answer)
            if record is not None:
                self._remember(record, credential)
        return answer

    @contextlib.contextmanager
    def _ordering(self, order: StreamOrder) -> Iterator[None]:
        """Count an order as perhaps met until its stream is remembered: whatever ends the block may come too late."""
        unconfirmed = _Unconfirmed(order=order, may_appear_until=time.monotonic() + APPEARS_WITHIN_SECONDS)
        self._perhaps_made.append(unconfirmed)
        try:
            yield
        except _REFUSED_UNMADE:
            self._perhaps_made.remove(unconfirmed)
            raise
        except PromiseBroken:
            unconfirmed.may_appear_until = 0.0  # it was answered: what was stored is there
            raise
        self._perhaps_made.remove(unconfirmed)

    def _remember(self, record: StreamRecord, credential: Credential) -> None:
        """Note how a new stream ends, and give it a lease where the service holds leases; a mark never fails a run."""
        stream_id = record.id
        if self._housekeeping.has(STREAM, stream_id):
            return
        self._made[stream_id] = credential
        self._housekeeping.made(STREAM, stream_id, partial(self.end, stream_id, credential), beside_others=True)
        if not self._takes_leases:
            return
        lease_until_seconds = int(time.time() + self._lease_seconds)
        lease = Lease(run_id=self._run_id, lease_until_seconds=lease_until_seconds)
        try:
            self._takes_leases = self._deployment.write_lease(credential, stream_id, lease)
        except SmokeError:
            self._takes_leases = False  # the exchange is in the journal; sweep then goes by the stream's age
        if self._takes_leases:
            self._record(ResourceMarked(kind=STREAM, id=stream_id, lease_until_seconds=lease_until_seconds))

    def _done(self, deployment: Deployment, stream_id: str, credential: Credential, action: str) -> bool:
        """Act on a stream; where each request may meet another replica, until one knows it."""
        key = self._new_key("clean-up")
        for _ in range(self._looks):
            answer = deployment.act(credential, stream_id, action, key)
            if not self._is_unknown(answer):
                return 200 <= answer.status < 300
        return False


def _is_of(record: StreamRecord, order: StreamOrder) -> bool:
    """Return whether an unfinished stream is what an order asked for."""
    ordered = (order.recipient, order.rate, order.schedule)
    return record.status not in FINISHED and (record.recipient, record.rate, record.schedule) == ordered
