"""The streams that a run makes at the service: marked as its own, and brought to an end whatever became of them."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from streampay_smoke.acceptance.observations.listing import records_of
from streampay_smoke.acceptance.resources.housekeeping import Housekeeping
from streampay_smoke.core.errors import PromiseBroken, ServiceUnavailable, SmokeError
from streampay_smoke.evidence.events import Recorder, ResourceMarked
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.lease import Lease
from streampay_smoke.service.records import Receipt, StreamOrder, StreamRecord
from streampay_smoke.service.transport import WritePutOff

LEASE_SECONDS = 900.0
"""How long nobody else touches what a run made; twice the run's deadline where that is longer."""

STREAM = "stream"

_ENDINGS = {"draft": (("stop",),), "active": (("stop",),), "paused": (("settle",), ("start", "stop"))}
"""How a stream of each unfinished status is brought to an end: the ways to try, each a series of actions.

A paused stream cannot be stopped, and can be settled only once its time is over.
"""

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
        self._takes_leases = True
        self._perhaps_made: list[StreamOrder] = []

    @property
    def unfinished(self) -> frozenset[str]:
        """The ids of those that this run has made and not brought to an end."""
        return frozenset(self._housekeeping.names(STREAM))

    def create(self, order: StreamOrder, key: str) -> StreamRecord:
        """Create a stream and remember to bring it to an end."""
        return self._created(order, lambda: self._deployment.create(self._user(), order, key))

    def create_v2(self, order: StreamOrder, key: str) -> StreamRecord:
        """Create a stream by API v2; as `create` otherwise."""
        return self._created(order, lambda: self._deployment.create_v2(self._user(), order, key))

    def try_to_create(
        self, credential: Credential, order: StreamOrder, claims: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask for a stream that should not come about as it is asked for.

        One that comes about all the same is remembered to be brought to an end.
        """
        self._refuse_to_write()
        answer = self._deployment.create_answer(credential, order, self._new_key("create"), claims)
        record = self._deployment.created_by(answer)
        if record is not None:
            self._remember(record, credential)
        return answer

    def remember(self, record: StreamRecord) -> None:
        """Remember to bring a stream to an end that came about another way."""
        self._remember(record, self._user())

    def end(self, stream_id: str, credential: Credential) -> bool:
        """Bring a stream to its end, whatever its status; False when the service does not."""
        status = self._deployment.stream(credential, stream_id).status
        if status in FINISHED:
            return True
        ways = _ENDINGS.get(status, ())
        if not any(all(self._done(stream_id, credential, action) for action in way) for way in ways):
            return False
        return self._deployment.stream(credential, stream_id).status in FINISHED

    def find_what_was_perhaps_made(self) -> None:
        """Remember the streams that came of orders which were not answered well: a service may store, then fail.

        Where nobody can look, each such order counts as left behind.
        """
        orders, self._perhaps_made = self._perhaps_made, []
        if not orders:
            return
        try:
            user = self._user()
            records = records_of(self._deployment, user)
            found = [record for record in records if any(_is_of(record, order) for order in orders)]
            unmarked = [record for record in found if self._deployment.lease_of(user, record.id) is None]
        except SmokeError:
            for order in orders:
                self._housekeeping.made(STREAM, f"ordered to {order.recipient}, never confirmed", lambda: False)
            return
        for record in unmarked:
            if not self._housekeeping.has(STREAM, record.id):
                self._housekeeping.made(STREAM, record.id, partial(self.end, record.id, user))

    def _created(self, order: StreamOrder, send: Callable[[], StreamRecord]) -> StreamRecord:
        self._refuse_to_write()
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

    def _remember(self, record: StreamRecord, credential: Credential) -> None:
        """Note how a new stream ends, and give it a lease where the service holds leases; a mark never fails a run."""
        stream_id = record.id
        if self._housekeeping.has(STREAM, stream_id):
            return
        self._housekeeping.made(STREAM, stream_id, lambda: self.end(stream_id, credential))
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

    def _done(self, stream_id: str, credential: Credential, action: str) -> bool:
        key = self._new_key("clean-up")
        return 200 <= self._deployment.act(credential, stream_id, action, key).status < 300


def _is_of(record: StreamRecord, order: StreamOrder) -> bool:
    """Return whether an unfinished stream is what an order asked for."""
    ordered = (order.recipient, order.rate, order.schedule)
    return record.status not in FINISHED and (record.recipient, record.rate, record.schedule) == ordered
