"""A request in a dialect, before anybody sends it; and the contract of a dialect."""

from collections.abc import Collection
from typing import Any, Protocol

import msgspec

from streampay_smoke.http.bodies import Enough
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.lease import Lease
from streampay_smoke.service.records import (
    LiveEvent,
    Readiness,
    Receipt,
    StreamOrder,
    StreamPage,
    StreamRecord,
    Withdrawal,
)

SIGN_IN = "sign-in"
"""The purpose of the requests by which a user signs in: they are writes that change nobody's streams."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request: where, and what. `statuses` are the ones that keep the promise.

    `purpose` is what a user wants by it; `must_succeed` says that this time it is sent in order to get that. `enough`
    says how much of an answer that does not end is read.
    """

    method: str
    path: str
    statuses: tuple[int, ...] = (200,)
    headers: dict[str, str] = {}
    json: Any = None
    purpose: str = ""
    must_succeed: bool = False
    enough: Enough | None = None

    @property
    def writes(self) -> bool:
        """Whether the service counts this as a write."""
        return self.method not in {"GET", "HEAD", "OPTIONS"}

    @property
    def repeatable(self) -> bool:
        """Whether sending it again can do nothing a second time: it reads, or carries an idempotency key."""
        return not self.writes or "idempotency-key" in self.headers


class CsrfRule(msgspec.Struct, frozen=True, kw_only=True):
    """Double submit: the value of `cookie`, handed out by GET `issued_by`, goes back as cookie and as `header`."""

    cookie: str
    header: str
    issued_by: str

    def pair(self, token: str) -> dict[str, str]:
        """Return the two headers that carry a token."""
        return {"cookie": f"{self.cookie}={token}", self.header: token}


class AccessRequests(Protocol):
    """What callers ask who have no right to it, and what a browser asks for the web app.

    `caller_header` is where a caller names the key their requests are counted under.
    """

    caller_header: str

    def key_set(self) -> Call:
        """Ask for the keys the service publishes."""

    def administration(self) -> tuple[Call, ...]:
        """Ask for what only administrators see; nothing is changed by it."""

    def claim_to_administer(self, address: str = "") -> dict[str, str]:
        """Return headers that claim to be the administrator of an address, by default one everybody knows."""

    def stream_of_tenant(self, stream_id: str, tenant: str) -> Call:
        """Ask for one stream, claiming to be a tenant."""

    def change(self, stream_id: str, fields: dict[str, Any]) -> Call:
        """Change fields of one stream."""

    def change_many(self, stream_id: str, fields: dict[str, Any]) -> Call:
        """Change fields of one stream through the form that takes many at once."""

    def delete(self, stream_id: str) -> Call:
        """Delete a stream."""

    def as_if_settled(self, tx_hash: str) -> dict[str, Any]:
        """Return the fields that would make a stream a settled one of somebody else's."""

    def harmless_write(self) -> Call:
        """Return a write that changes nothing, even where it gets through; then its answer is of `statuses`."""

    def mistakes(self) -> tuple[Call, ...]:
        """Ask for things that cannot be, each to be answered with an error."""

    def webhook_event(self, *, signature: str, timestamp: str) -> Call:
        """Send an event to the webhook, as another service does; "" leaves signature or time out."""

    def foreign_signature(self) -> str:
        """Return a signature of the right form that was made with another secret."""

    def challenge_nobody_gave(self) -> str:
        """Return a challenge to sign of the right form that nobody was given."""

    def forwarded_for(self, address: str) -> dict[str, str]:
        """Return the headers by which a caller claims to call from an address."""

    def preflight(self, origin: str) -> Call:
        """Ask, as a browser does before it lets a page of `origin` create a stream, whether it may."""

    def read_by_page(self, origin: str) -> Call:
        """Ask for streams as a page of `origin` does."""


class Dialect(Protocol):
    """How one version of the API asks and answers.

    The `read_` functions take an answer of a promised status and raise PromiseBroken naming every deviation from
    the promised shape; only `read_readiness` never raises, it says instead that the answer is not genuine.
    """

    name: str
    csrf: CsrfRule | None
    access: AccessRequests

    def readiness(self) -> Call:
        """Ask whether the service is ready."""

    def challenge(self, address: str) -> Call:
        """Ask for a text for the wallet `address` to sign."""

    def login(self, address: str, challenge: str, signature: str) -> Call:
        """Trade a signed challenge for a token."""

    def streams(self, *, limit: int, cursor: str) -> Call:
        """Ask for one page of streams."""

    def streams_v2(self, *, limit: int, cursor: str) -> Call:
        """Ask for one page of streams by API v2."""

    def stream(self, stream_id: str) -> Call:
        """Ask for one stream."""

    def create(self, order: StreamOrder, key: str) -> Call:
        """Create a stream under an idempotency key, "" for none."""

    def create_v2(self, order: StreamOrder, key: str) -> Call:
        """Create a stream by API v2, under an idempotency key, "" for none."""

    def alive(self) -> Call:
        """Ask whether the service is alive: an answer that costs it nothing."""

    def metrics(self) -> Call:
        """Ask for the service's metrics."""

    def index_status(self) -> Call:
        """Ask how far the service's index of the ledger is."""

    def live_events(self, stream_id: str, tenant: str, enough: Enough) -> Call:
        """Ask for what happens to a stream, as its owner's tenant, while it happens: an answer that never ends."""

    def write_lease(self, stream_id: str, lease: Lease) -> Call | None:
        """Write a lease into a stream's tags, None where this API cannot hold one."""

    def act(self, stream_id: str, action: str, key: str) -> Call:
        """Act on a stream: "start", "pause", "stop", "settle" or "withdraw", under an idempotency key, "" for none."""

    def cancel(self, stream_id: str, wallet: str, key: str) -> Call:
        """Cancel a started stream in the name of its owner's wallet, under an idempotency key, "" for none."""

    def read_readiness(self, answer: Answer, *, own_hosts: Collection[str]) -> Readiness:
        """Read a readiness answer of any kind; the release is left to others."""

    def read_challenge(self, answer: Answer) -> str:
        """Read the text to sign."""

    def read_token(self, answer: Answer) -> str:
        """Read the token of a sign-in."""

    def read_page(self, answer: Answer, *, limit: int) -> StreamPage:
        """Read one page."""

    def read_page_v2(self, answer: Answer, *, limit: int) -> StreamPage:
        """Read one page of API v2."""

    def read_stream(self, answer: Answer) -> StreamRecord:
        """Read the answer that shows, creates or moves one stream."""

    def read_lease(self, answer: Answer) -> Lease | None:
        """Read the lease of the stream an answer shows, None where it carries none; never raises."""

    def read_receipt(self, answer: Answer) -> Receipt:
        """Read the answer to a settlement."""

    def read_withdrawal(self, answer: Answer) -> Withdrawal:
        """Read the answer to a withdrawal."""

    def read_index_cursor(self, answer: Answer) -> int:
        """Read the ledger the index has reached."""

    def read_live_events(self, answer: Answer) -> tuple[LiveEvent, ...]:
        """Read the live events that have come whole, in their order."""

    def recognises(self, answer: Answer) -> bool:
        """Return whether an answer is the service's own by its shape, whatever it says."""

    def error_code(self, answer: Answer) -> str:
        """Return the code in the service's own error envelope, "" when the body is not the service's."""
