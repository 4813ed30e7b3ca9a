"""What the network and the contract promise by themselves."""

from collections.abc import Sequence
from functools import partial

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.chain.adapter import ChainError, InterfaceDrift
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS

RETRY_FEES_STROOPS = 10_000_000
"""The most for each: a transaction that was applied and failed costs its fee too, and only the last one's is told."""

ACCEPTED = "a new stream is accepted"


class NetworkUnwell(ChainError):
    """The network itself is not healthy, stands still, or lives in another time: nothing the release did."""

    kind = "network_unwell"


class NetworkObservation(msgspec.Struct, frozen=True, kw_only=True):
    """The network before and after a ledger closed: its status, ledger numbers, and the clock of the later ledger.

    `ahead_seconds` is how far that clock is ahead of ours; `most_ahead_seconds` is how far it may be.
    """

    status: str
    first_ledger: int
    later_ledger: int
    ahead_seconds: float
    most_ahead_seconds: int


class ContractStreamObservation(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger shows of a stream that was opened, started and settled on the contract itself.

    `payments` are the amounts and transactions the recipient was paid with; `given_stroops` and `gained_stroops` are
    how much less the payer and how much more the recipient has. `retries` is how often a transaction was made anew.
    """

    total_stroops: int
    settled_in: str
    payments: tuple[tuple[int, str], ...]
    status: str
    released_stroops: int
    given_stroops: int
    gained_stroops: int
    fees_stroops: int
    retries: int


def network_is_healthy(network: NetworkObservation, expect: Expect) -> None:
    """The network is healthy, closes ledgers, and its clock agrees with ours; raises NetworkUnwell otherwise."""
    expect = expect.raising(NetworkUnwell)
    expect.equal("the network is healthy", network.status, "healthy")
    expect(
        "the network closes ledgers",
        network.later_ledger > network.first_ledger,
        expected=f"a ledger after {network.first_ledger}",
        observed=f"ledger {network.later_ledger}",
    )
    expect(
        "the clock of the ledger is right",
        -CLOCK_SKEW_SECONDS <= network.ahead_seconds <= network.most_ahead_seconds,
        expected=f"at most {CLOCK_SKEW_SECONDS} s behind and {network.most_ahead_seconds} s ahead",
        observed=f"{abs(network.ahead_seconds):.0f} s {'ahead' if network.ahead_seconds > 0 else 'behind'}",
    )


def has_expected_interface(drifts: Sequence[str], profile: str, expect: Expect) -> None:
    """The contract has the functions and events of its profile; raises InterfaceDrift otherwise."""
    drifted = partial(
        InterfaceDrift,
        next_step="check SMOKE_CONTRACT_ID and SMOKE_CONTRACT_PROFILE; if the contract was upgraded on purpose, "
        "bring core/contract_profiles.py up to date",
    )
    expect.raising(drifted)(
        "the contract has the expected interface",
        not drifts,
        expected=f"the interface of profile {profile}",
        observed="; ".join(drifts) or f"the interface of profile {profile}",
    )


def accepts_new_stream(refusal: str, expect: Expect) -> None:
    """The contract accepts a new stream now; `refusal` is why it does not, "" where it does."""
    expect("the contract accepts new streams", not refusal, expected=ACCEPTED, observed=refusal or ACCEPTED)


def administrator_role_cannot_be_claimed(claimable: bool, expect: Expect) -> None:
    """The contract is initialised: otherwise the first caller becomes its administrator."""
    expect(
        "nobody can claim the administrator role of the contract",
        not claimable,
        expected="a contract that has its administrator",
        observed="a contract that is not initialised: anybody can claim it" if claimable else "it has one",
    )


def administrator_controls_contract(accepted: bool, admin: str, expect: Expect) -> None:
    """The contract accepts the calls of its expected administrator."""
    expect(
        "the administrator controls the contract",
        accepted,
        expected=admin,
        observed=admin if accepted else "somebody else, or nobody",
    )


def nobody_else_controls_contract(accepted: bool, expect: Expect) -> None:
    """The contract refuses the calls of others that only its administrator may make."""
    expect(
        "nobody else controls the contract",
        not accepted,
        expected="a refusal",
        observed="it accepts anybody" if accepted else "a refusal",
    )


def paid_whole_once(stream: ContractStreamObservation, expect: Expect) -> None:
    """The contract paid the whole amount to the recipient, one time, in the settling transaction."""
    whole = (stream.total_stroops, stream.settled_in)
    expect(
        "the contract paid the whole amount once",
        list(stream.payments) == [whole],
        expected=_payment(*whole),
        observed=[_payment(*payment) for payment in stream.payments],
    )
    expect.equal("the contract holds the stream as settled", stream.status, "settled")
    expect.equal("everything was released", stream.released_stroops, stream.total_stroops)


def balances_agree(stream: ContractStreamObservation, expect: Expect) -> None:
    """The recipient got exactly what the payer gave, fees apart."""
    total, fees = stream.total_stroops, stream.fees_stroops
    expect.equal("the recipient's balance grew by the whole amount", stream.gained_stroops, total)
    most = RETRY_FEES_STROOPS * stream.retries
    expect(
        "the payer gave the amount and the fees",
        0 <= stream.given_stroops - total - fees <= most,
        expected=f"{total} and {fees} stroops of fees, up to {most} more for retries",
        observed=f"{stream.given_stroops} stroops",
    )


def _payment(stroops: int, tx_hash: str) -> str:
    return f"{stroops} stroops in transaction {tx_hash}"
