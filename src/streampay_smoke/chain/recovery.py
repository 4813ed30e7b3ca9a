"""What gets in the way of a transaction, and what each setback is worth: another attempt, or the error it is.

Setbacks are told apart by a sign, a short name, and `RECOVERIES` says for each how often and by which steps another
attempt is prepared. A sign that is not in the table, or was met once too often, is raised as the error it is.
"""

from collections import Counter
from collections.abc import Callable

import msgspec
from stellar_sdk import Keypair, TransactionEnvelope
from stellar_sdk.soroban_rpc import SimulateTransactionResponse

from streampay_smoke.chain.adapter import ChainUnavailable
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS
from streampay_smoke.chain.refusals import ContractCall, Setback
from streampay_smoke.chain.rpc import LedgerRpc
from streampay_smoke.chain.sequences import Sequences
from streampay_smoke.chain.waiting import Waits
from streampay_smoke.evidence.events import Probed
from streampay_smoke.evidence.polling import PollResult as Look

MIN_BASE_FEE = 100
MAX_BASE_FEE = 100_000
"""Bounds of the inclusion fee of one transaction, in stroops."""


class SubmissionAttempt:
    """The state of one write across its attempts."""

    def __init__(self, call: ContractCall, keypair: Keypair) -> None:
        self.call = call
        self.keypair = keypair
        self.base_fee = MIN_BASE_FEE
        self.with_margin = False
        self.count = 0
        self.met: Counter[str] = Counter()
        self.simulation: SimulateTransactionResponse | None = None
        self.envelope: TransactionEnvelope | None = None
        self.tx_hash = ""
        self.sequence = 0
        self.valid_until = 0
        self.perhaps_sent = False

    def discard_envelope(self) -> None:
        """Build and sign anew next time, from the same simulation."""
        self.envelope = None
        self.perhaps_sent = False

    def discard_simulation(self) -> None:
        """Start from scratch next time."""
        self.simulation = None
        self.discard_envelope()


class Repairs:
    """The steps between one attempt and the next."""

    def __init__(self, rpc: LedgerRpc, sequences: Sequences, waits: Waits) -> None:
        self._rpc = rpc
        self._sequences = sequences
        self._clock = waits.clock
        self._waits = waits

    def prepare(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Make the next attempt ready; raises the setback's own error when there is none."""
        recovery = RECOVERIES.get(setback.sign)
        attempt.met[setback.sign] += 1
        if recovery is None or attempt.met[setback.sign] > recovery.at_most:
            raise setback.error from None
        for step in recovery.steps:
            step(self, attempt, setback)

    def wait_inside_time_bounds(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Let one ledger pass; raises when the transaction would be too late after it."""
        self._wait_for_next_ledger()
        if self._rpc.now() >= attempt.valid_until:
            raise setback.error

    def look_before_sending(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Remember that the transaction may be on its way, after the pause the server asked for."""
        error = setback.error
        asked = error.retry_after_seconds if isinstance(error, ChainUnavailable) else None
        pause = self._waits.pace.longest if asked is None else asked
        if self._rpc.now() + pause >= attempt.valid_until:
            raise error
        self._clock.sleep(pause)
        attempt.perhaps_sent = True

    def reload_sequence(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Take the later of the known and the ledger's number; where they agree, look again a ledger later.

        RPC backends lag behind each other, so a smaller number than ours is believed only at the last attempt.
        """
        address = attempt.keypair.public_key
        known, remote = self._sequences.last(address), self._sequences.on_ledger(address)
        if remote <= known:
            self._wait_for_next_ledger()
            remote = self._sequences.on_ledger(address)
        last_chance = attempt.met[setback.sign] == RECOVERIES[setback.sign].at_most
        self._sequences.believe(address, remote if last_chance else max(known, remote))

    def forget_sequence(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Ask the ledger for the account's number next time: the dropped one was never used."""
        self._sequences.forget(attempt.keypair.public_key)

    def raise_base_fee(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Offer twice what most others pay, within the cap; raises when the cap was not enough."""
        if attempt.base_fee >= MAX_BASE_FEE:
            raise setback.error
        usual = max(MIN_BASE_FEE, self._rpc.busy_base_fee(), attempt.base_fee)
        attempt.base_fee = min(usual * 2, MAX_BASE_FEE)

    def compare_clocks(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Ask the ledger's time, and report when this machine's clock is far from it."""
        skew = self._clock.wall() - self._rpc.health().closed_at
        self._waits.record(
            Probed(
                name="clock skew",
                ok=abs(skew) <= CLOCK_SKEW_SECONDS,
                detail=f"this machine's clock is {skew:+.0f} s from the newest ledger's close ({setback.sign})",
            )
        )

    def add_margin(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Allow the next envelope more resources than its simulation asked for."""
        attempt.with_margin = True

    def sign_again(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Build and sign anew."""
        attempt.discard_envelope()

    def simulate_again(self, attempt: SubmissionAttempt, setback: Setback) -> None:
        """Start from a new simulation."""
        attempt.discard_simulation()

    def _wait_for_next_ledger(self) -> None:
        """Wait until a newer ledger than the newest known one closed, or as long as one may take."""
        known = self._rpc.newest_ledger

        def look() -> Look[None]:
            newest = self._rpc.health().latest_ledger
            return Look(met=newest > known, value=None, last=f"ledger {newest}")

        self._waits.wait(f"a ledger after {known}", look)


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """How often a setback is worth another attempt, and the steps that lead to it."""

    at_most: int
    steps: tuple[Callable[[Repairs, SubmissionAttempt, Setback], None], ...]


_SAME_ENVELOPE = (Repairs.wait_inside_time_bounds,)
_NEW_SIMULATION = (Repairs.simulate_again,)
_WITH_MARGIN = (Repairs.add_margin, Repairs.simulate_again)

RECOVERIES = {
    "TRY_AGAIN_LATER": Recovery(at_most=3, steps=_SAME_ENVELOPE),
    "unanswered": Recovery(at_most=3, steps=(Repairs.look_before_sending,)),
    "txBAD_SEQ": Recovery(at_most=3, steps=(Repairs.reload_sequence, Repairs.sign_again)),
    "txINSUFFICIENT_FEE": Recovery(at_most=3, steps=(Repairs.raise_base_fee, Repairs.sign_again)),
    "txTOO_LATE": Recovery(at_most=1, steps=(Repairs.compare_clocks, Repairs.sign_again)),
    "txTOO_EARLY": Recovery(at_most=1, steps=(Repairs.compare_clocks, Repairs.sign_again)),
    "txSOROBAN_INVALID": Recovery(at_most=1, steps=_WITH_MARGIN),
    "RESOURCE_LIMIT_EXCEEDED": Recovery(at_most=1, steps=_WITH_MARGIN),
    "INSUFFICIENT_REFUNDABLE_FEE": Recovery(at_most=1, steps=_WITH_MARGIN),
    "outside footprint": Recovery(at_most=6, steps=_NEW_SIMULATION),
    "ENTRY_ARCHIVED": Recovery(at_most=1, steps=_NEW_SIMULATION),
    "dropped": Recovery(at_most=1, steps=(Repairs.forget_sequence, Repairs.simulate_again)),
}
"""What is worth another attempt. An envelope is signed anew only when the last one cannot be applied any more."""
