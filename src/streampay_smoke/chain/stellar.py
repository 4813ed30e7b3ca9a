"""The chain adapter over Stellar RPC: the same code for the sandbox, a local network, futurenet and testnet."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from stellar_sdk import Asset, Keypair, StrKey, scval
from stellar_sdk.soroban_rpc import EventFilter, EventFilterType, GetEventsResponse, GetTransactionStatus

from streampay_smoke.chain.accounts import account_of
from streampay_smoke.chain.adapter import (
    ChainAccount,
    ChainInfo,
    ChainUnavailable,
    ContractEvent,
    ContractInterface,
    FunctionInterface,
    TxOutcome,
)
from streampay_smoke.chain.codec import closed_transaction, encoded_arguments, event_of, plain
from streampay_smoke.chain.friendbot import Friendbot
from streampay_smoke.chain.guard import SpendCap, check_configured, check_live
from streampay_smoke.chain.ledger_time import Clock
from streampay_smoke.chain.refusals import ContractCall
from streampay_smoke.chain.rpc import LedgerRpc, contract_missing
from streampay_smoke.chain.submission import Submitter
from streampay_smoke.chain.transport import RpcTransport
from streampay_smoke.chain.waiting import Waits
from streampay_smoke.core.networks import Network, Pace, refuse_public_url
from streampay_smoke.evidence.events import Recorder
from streampay_smoke.evidence.polling import PollResult
from streampay_smoke.http.ledger_health import Health

DEFAULT_MAX_STROOPS = 10_000_000_000
"""What one run may move unless its environment says otherwise: 1,000 whole units."""

ENOUGH_STROOPS = 1_000_000_000
"""An account with this much, 100 whole units, is not sent to friendbot again: friendbots are rate-limited."""

FIRST_WITH_SHARED_SECONDS = 30
"""The protocol since which several ledgers may close in one second (CAP-88)."""

_EVENTS_PER_PAGE = 100
_CONTRACTS_PER_FILTER = 5
_ANYTHING_AFTER = "**"
_HASH = re.compile(r"[0-9a-f]{64}")


class StellarAdapter:
    """A `ChainAdapter` for one test network.

    Raises GuardRefused at once when `network` is not on the list of test networks or an address looks public.
    `max_stroops` caps what everything signed through this adapter may move, fees included; `spend_cap` in its place is
    a cap that is shared with what else the run moves.
    """

    def __init__(
        self,
        network: Network,
        *,
        rpc_url: str,
        friendbot_url: str = "",
        record: Recorder,
        max_stroops: int = DEFAULT_MAX_STROOPS,
        spend_cap: SpendCap | None = None,
        timeout_seconds: float = 10.0,
        pace: Pace | None = None,
        clock: Clock | None = None,
    ) -> None:
        check_configured(network, rpc_url=rpc_url, friendbot_url=friendbot_url)
        self._network = network
        self._configured_friendbot_url = friendbot_url
        self._record = record
        self._waits = Waits(pace or network.pace, clock or Clock(), record)
        self._transport = RpcTransport(
            record=record,
            clock=self._waits.clock,
            retry_seconds=self._waits.pace.retry,
            timeout_seconds=timeout_seconds,
        )
        self._rpc = LedgerRpc(rpc_url, self._transport, self._waits)
        self._submitter = Submitter(
            self._rpc, network=network, waits=self._waits, spend_cap=spend_cap or SpendCap(max_stroops)
        )
        self._interfaces: dict[str, ContractInterface] = {}
        self._info: ChainInfo | None = None

    def connect(self) -> ChainInfo:
        """See ChainAdapter. The answer of the first call is kept."""
        if self._info is None:
            live = self._rpc.network()
            check_live(self._network, live.passphrase)
            refuse_public_url("the friendbot that the RPC names", live.friendbot_url)
            self._info = ChainInfo(
                network=self._network.name,
                passphrase=live.passphrase,
                simulated=self._network.simulated,
                protocol_version=live.protocol_version,
                # What the RPC says of its friendbot is wrong behind a mapped port, so configuration goes first.
                friendbot_url=self._configured_friendbot_url or self._network.friendbot_url or live.friendbot_url,
                latest_ledger=self._rpc.health().latest_ledger,
            )
        return self._info

    def health(self) -> Health:
        """See ChainAdapter."""
        return self._rpc.health()

    def rpc_version(self) -> str:
        """See ChainAdapter."""
        return self._rpc.version()

    def account(self, name: str, seed: str | None = None) -> ChainAccount:
        """See ChainAdapter; raises SettingsInvalid for a malformed seed."""
        return account_of(name, seed)

    def fund(self, *addresses: str) -> None:
        """See ChainAdapter. Accounts that hold enough are left alone; returns once the RPC knows all of them."""
        friendbot = Friendbot(self.connect().friendbot_url, self._transport)
        known = self._rpc.accounts(addresses)
        for address in addresses:
            if address not in known or known[address].balance_stroops < ENOUGH_STROOPS:
                friendbot.fund(address)
                known.pop(address, None)
        wanted = set(addresses)

        def look() -> PollResult[None]:
            missing = sorted(wanted - known.keys())
            known.update(self._rpc.accounts(missing) if missing else {})
            return PollResult(met=known.keys() >= wanted, value=None, last=f"{len(known)} of {len(wanted)}")

        def not_seen(_: str) -> ChainUnavailable:
            return ChainUnavailable(
                f"setup: friendbot funded {', '.join(sorted(wanted - known.keys()))}, but the RPC does not see it",
                cause="not seen",
                next_step="check that SMOKE_STELLAR_FRIENDBOT_URL and SMOKE_STELLAR_RPC_URL serve the same network",
            )

        self._waits.wait(f"the RPC knows the funded accounts ({len(wanted)})", look, error=not_seen)
        for address, entry in known.items():
            self._submitter.know_sequence(address, entry.sequence)

    def balance(self, address: str) -> int:
        """See ChainAdapter; contracts (C...) hold a balance too."""
        if StrKey.is_valid_contract(address):
            return int(self.read(self.native_token_contract(), "balance", address))
        found = self._rpc.accounts([address])
        return found[address].balance_stroops if address in found else 0

    def read(self, contract_id: str, function: str, *args: Any) -> Any:
        """See ChainAdapter."""
        call = self._call(contract_id, function, args)
        with self._transport.about(function), self._rpc.decoding("simulateTransaction"):
            return plain(self._submitter.read(call))

    def invoke(self, contract_id: str, function: str, *args: Any, signer: ChainAccount) -> TxOutcome:
        """See ChainAdapter."""
        self.connect()
        call = self._call(contract_id, function, args)
        with self._transport.about(function):
            return self._submitter.submit(call, Keypair.from_secret(signer.seed))

    def transaction(self, tx_hash: str) -> TxOutcome | None:
        """See ChainAdapter; what is no hash (64 hex digits) is known to no network."""
        if not _HASH.fullmatch(tx_hash.lower()):
            return None
        answer = self._rpc.settled_transaction(tx_hash.lower())
        if answer.status == GetTransactionStatus.NOT_FOUND:
            return None
        with self._rpc.decoding("getTransaction"):
            return closed_transaction(answer).outcome

    def events(
        self, *, since_ledger: int, contract_ids: Sequence[str], topics: Sequence[str] = ()
    ) -> tuple[ContractEvent, ...]:
        """See ChainAdapter."""
        filters = _filters(contract_ids, topics)
        if since_ledger > self._rpc.newest_ledger and since_ledger > self._rpc.health().latest_ledger:
            return ()
        page = self._first_page(filters, since_ledger)
        found = list(page.events)
        while not _is_last(page):
            page = self._rpc.events(start_ledger=None, cursor=page.cursor, filters=filters, limit=_EVENTS_PER_PAGE)
            found += page.events
        with self._rpc.decoding("getEvents"):
            return tuple(event_of(info) for info in found)

    def _first_page(self, filters: Sequence[EventFilter], since_ledger: int) -> GetEventsResponse:
        try:
            return self._rpc.events(start_ledger=since_ledger, cursor=None, filters=filters, limit=_EVENTS_PER_PAGE)
        except ChainUnavailable as problem:
            oldest = self._rpc.health().oldest_ledger if problem.cause.startswith("rpc error -326") else 0
            if since_ledger >= oldest:
                raise
            raise ChainUnavailable(
                f"events from ledger {since_ledger} on were asked for, but the network keeps none before {oldest}",
                cause="retention",
                next_step="use an RPC that keeps events for longer than this run lasts",
            ) from None

    def interface(self, contract_id: str) -> ContractInterface:
        """See ChainAdapter. Kept for the run: a contract's interface changes with an upgrade only."""
        if contract_id not in self._interfaces:
            if not StrKey.is_valid_contract(contract_id):
                raise contract_missing(repr(contract_id), detail="it is no contract id at all")
            self._interfaces[contract_id] = self._rpc.interface(contract_id)
        return self._interfaces[contract_id]

    def spec(self, contract_id: str) -> Mapping[str, FunctionInterface]:
        """See ChainAdapter."""
        return self.interface(contract_id).functions

    def native_token_contract(self) -> str:
        """See ChainAdapter; computed, nothing is sent."""
        return Asset.native().contract_id(self._network.passphrase)

    def wait_for_close(self, closed_at: int, *, within_seconds: float) -> Health:
        """See ChainAdapter."""

        def look() -> PollResult[Health]:
            health = self._rpc.health()
            missing = closed_at - health.closed_at
            return PollResult(
                met=missing <= 0,
                value=health,
                last=f"ledger {health.latest_ledger} closed at {health.closed_at}",
                # Halving the distance asks rarely while it is long; the last second is followed at the network's pace.
                ask_again_after_seconds=max(0.0, (missing - 1) / 2),
            )

        def stands_still(_: str) -> ChainUnavailable:
            return ChainUnavailable(
                f"no ledger closed at or after {closed_at} within {within_seconds:g} s",
                cause="ledger stands still",
                next_step="look at the network's status; this says nothing of the release",
            )

        what = f"a ledger closed at or after {closed_at}"
        return self._waits.wait(what, look, within_seconds=within_seconds, error=stands_still)

    def wait_for_later_time(self, closed_at: int) -> None:
        """See ChainAdapter. One second is always enough: the next ledger closes after now, by any clock."""
        if self.connect().protocol_version < FIRST_WITH_SHARED_SECONDS:
            return
        clock, left_seconds = self._waits.clock, 1.0
        if self._network.simulated:
            # It has this machine's clock, and is ahead of it only where each ledger takes a second of its own.
            left_seconds = closed_at + 1 - clock.wall()
        if 0 < left_seconds <= 1:
            clock.sleep(left_seconds)

    def close(self) -> None:
        """See ChainAdapter."""
        self._transport.close()

    def _call(self, contract_id: str, function: str, args: tuple[Any, ...]) -> ContractCall:
        interface = self.interface(contract_id)
        return ContractCall(
            contract_id=contract_id,
            function=function,
            arguments=encoded_arguments(function, interface, args),
            error_names=dict(interface.errors),
        )


def _filters(contract_ids: Sequence[str], topics: Sequence[str]) -> list[EventFilter]:
    """Return the filters for any number of contracts up to what one request may ask for (25); none is every one."""
    pattern = [[_topic(topic) for topic in topics] + [_ANYTHING_AFTER]] if topics else None
    return [
        EventFilter(
            type=EventFilterType.CONTRACT,
            contractIds=list(contract_ids[first : first + _CONTRACTS_PER_FILTER]) or None,
            topics=pattern,
        )
        for first in range(0, max(1, len(contract_ids)), _CONTRACTS_PER_FILTER)
    ]


def _topic(topic: str) -> str:
    if topic == "*":
        return topic
    if StrKey.is_valid_contract(topic) or StrKey.is_valid_ed25519_public_key(topic):
        return scval.to_address(topic).to_xdr()
    return scval.to_symbol(topic).to_xdr()


def _is_last(page: GetEventsResponse) -> bool:
    """Whether nothing follows: a page is also short when the server stopped looking after so many ledgers.

    A cursor starts with the 64-bit position of the last event looked at, whose upper half is the ledger (SEP-35).
    """
    position = page.cursor.partition("-")[0]
    reached = int(position) >> 32 if position.isdecimal() else page.latest_ledger
    return len(page.events) < _EVENTS_PER_PAGE and reached >= page.latest_ledger
