"""The ledger as the features see it: one network, one contract, one token, and what is looked up there."""

import time
from collections.abc import Callable, Iterable

from streampay_smoke.acceptance.checks.ledger import NetworkObservation
from streampay_smoke.chain.adapter import ChainAdapter, ContractFailure
from streampay_smoke.chain.contract import CREATED, Payment, StreamContract, StreamEvent
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS, MOVES_WITHIN_SECONDS
from streampay_smoke.core.errors import SettingsInvalid

SIMULATED_AHEAD_SECONDS = 86_400
"""An instant ledger closes one second later for each transaction, and so runs ahead of a busy sandbox."""


class Ledger:
    """Reads what happened to streams and money on one contract; `first_ledger` was the newest when it was opened."""

    def __init__(
        self,
        chain: ChainAdapter,
        contract: StreamContract,
        *,
        contract_id: str,
        token_contract_id: str,
        first_ledger: int = 0,
        most_ahead_seconds: int = CLOCK_SKEW_SECONDS,
    ) -> None:
        self.chain = chain
        self.contract = contract
        self.contract_id = contract_id
        self.token_contract_id = token_contract_id
        self.first_ledger = first_ledger
        self.most_ahead_seconds = most_ahead_seconds

    def must_pay(self) -> None:
        """Raise SettingsInvalid for a contract that moves no money or does not tell of it: nothing could be proved."""
        profile = self.contract.profile
        if not (profile.pays and profile.tells_of_streams):
            raise SettingsInvalid(
                f"contracts of profile {profile.name} pay nobody: no settlement can be proved on them",
                next_step="set SMOKE_CONTRACT_PROFILE and SMOKE_CONTRACT_ID to a contract that pays",
            )

    def must_prove_settlements(self) -> None:
        """Raise SettingsInvalid for a contract on which a service's settlement does not pay the recipient by itself."""
        self.must_pay()
        if not self.contract.profile.settles_in_one_call:
            raise SettingsInvalid(
                f"contracts of profile {self.contract.profile.name} pay a recipient who withdraws, not one whose "
                "stream is settled: no settlement of a service can be proved on them",
                next_step="set SMOKE_SETTLEMENT_PROOF=service, where the environment allows it; the contract itself is "
                "checked on the ledger all the same",
            )

    def next_ledger(self) -> int:
        """Return the number of the ledger that closes next: everything from there on happened after now."""
        return self.chain.health().latest_ledger + 1

    def created_to(self, recipient: str, first_ledger: int) -> tuple[StreamEvent, ...]:
        """Return the creations of streams to `recipient` from `first_ledger` on."""
        return _created_to(recipient, self.contract.stream_events(first_ledger))

    def created_elsewhere(self, recipient: str, first_ledger: int) -> tuple[StreamEvent, ...]:
        """Return the creations of streams to `recipient` on other contracts of the same interface."""
        return tuple(
            event
            for event in self.contract.created_anywhere(first_ledger)
            if event.fields.get("recipient") == recipient and event.contract_id != self.contract_id
        )

    def starts_to(self, recipient: str, first_ledger: int) -> tuple[StreamEvent, ...]:
        """Return the starts of those streams."""
        told = self.contract.stream_events(first_ledger)
        streams = {event.stream_id for event in _created_to(recipient, told)}
        return tuple(event for event in told if event.name == "started" and event.stream_id in streams)

    def payments_to(self, recipient: str, first_ledger: int) -> tuple[Payment, ...]:
        """Return what `recipient` was paid from `first_ledger` on, by whomever."""
        return self.contract.payments(first_ledger, recipient)

    def one_ledger_later(self) -> None:
        """Wait until one more ledger has closed; raises ChainUnavailable for a network that stands still."""
        self.chain.wait_for_close(self.chain.health().closed_at + 1, within_seconds=MOVES_WITHIN_SECONDS)


def _created_to(recipient: str, told: Iterable[StreamEvent]) -> tuple[StreamEvent, ...]:
    return tuple(event for event in told if event.name == CREATED and event.fields.get("recipient") == recipient)


def network(ledger: Ledger, *, now_seconds: Callable[[], float] = time.time) -> NetworkObservation:
    """Watch the network until a ledger has closed; raises ChainUnavailable when none does."""
    first = ledger.chain.health()
    later = ledger.chain.wait_for_close(first.closed_at + 1, within_seconds=MOVES_WITHIN_SECONDS)
    return NetworkObservation(
        status=first.status,
        first_ledger=first.latest_ledger,
        later_ledger=later.latest_ledger,
        ahead_seconds=later.closed_at - now_seconds(),
        most_ahead_seconds=ledger.most_ahead_seconds,
    )


def refusal_of_new_stream(ledger: Ledger, payer: str, recipient: str) -> str:
    """Return why the contract would not take a new stream now, "" where it would; nothing is signed."""
    ledger.must_pay()
    try:
        ledger.contract.would_open_draft(payer, recipient, ledger.token_contract_id, 1, 1)
    except ContractFailure as refusal:
        paused = refusal.name == "ContractPaused"
        return "its administrator has paused it: nobody can stream" if paused else str(refusal)
    return ""
