"""What a transaction costs and may use, held to recorded costs of the real host and to the network's limits."""

import pytest
from ledger_players import build, started
from stellar_sdk import Account, Keypair, scval, xdr

from streampay_sandbox.ledger.fees import (
    RentChange,
    adjusted_instructions,
    adjusted_refundable_fee,
    adjusted_size,
    beyond_limits,
    event_fee,
    non_refundable_fee,
    rent_fee,
)
from streampay_sandbox.ledger.keys import data_key

CONTRACT = "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM"
OF_AN_EMPTY_TRANSACTION = 1_190
"""4,059 stroops a KiB of the 300 bytes a result is reckoned with."""


def resources(*, instructions: int = 0, rows: int = 0, accounts: int = 0, written: int = 0) -> xdr.SorobanResources:
    keys = [data_key(CONTRACT, scval.to_uint32(number)).ledger_key for number in range(rows)]
    account = xdr.LedgerKeyAccount(Keypair.from_raw_ed25519_seed(bytes(32)).xdr_account_id())
    read = [xdr.LedgerKey(xdr.LedgerEntryType.ACCOUNT, account=account)] * accounts
    return xdr.SorobanResources(
        footprint=xdr.LedgerFootprint(read, keys),
        instructions=xdr.Uint32(instructions),
        disk_read_bytes=xdr.Uint32(0),
        write_bytes=xdr.Uint32(written),
    )


@pytest.mark.parametrize(
    ("used", "stroops"),
    [
        ({"instructions": 237_131}, 166),
        ({"instructions": 235_125}, 165),
        ({"instructions": 232_678}, 163),
        ({"rows": 1}, 2_500),
        ({"written": 80}, 69),
        ({"accounts": 1}, 1_563),
    ],
    ids=str,
)
def test_what_is_declared_costs_what_was_recorded(used: dict[str, int], stroops: int) -> None:
    """rs-soroban-sdk@808e9cff, soroban-sdk/src/tests/cost_estimate.rs: a row written, read and deleted."""
    assert non_refundable_fee(resources(**used), 0) == OF_AN_EMPTY_TRANSACTION + stroops


def test_a_new_row_costs_the_rent_that_was_recorded() -> None:
    """The same test: 80 bytes for 4,095 ledgers are 327,600 ledger-bytes, and one lifetime is written: 5,702."""
    born = RentChange(
        persistent=True, code=False, old_bytes=0, new_bytes=80, old_live_until=0, new_live_until=10 + 4_094
    )
    assert rent_fee([born], 10) == 5_702


def test_rent_is_paid_for_what_is_added_only() -> None:
    def change(**changes: int) -> RentChange:
        before = {"old_bytes": 1_024, "new_bytes": 1_024, "old_live_until": 1_000, "new_live_until": 1_000}
        return RentChange(persistent=True, code=False, **{**before, **changes})

    lifetime = 2_500 + 42
    assert rent_fee([change()], 100) == 0
    assert rent_fee([change(new_live_until=1_000 + 1_215)], 100) == 12_000 + lifetime
    assert rent_fee([change(new_bytes=2_048)], 1_000 - 1_215 + 1) == 12_000
    assert rent_fee([change(new_bytes=0, new_live_until=0)], 100) == 0


def test_simulation_leaves_the_room_that_the_network_s_does() -> None:
    assert [adjusted_instructions(amount) for amount in (100_000, 10_000_000)] == [150_000, 10_400_000]
    assert [adjusted_size(amount) for amount in (1_000, 10_000)] == [1_500, 11_000]
    assert (adjusted_refundable_fee(1_000), event_fee(1_024)) == (1_150, 5_000)


@pytest.mark.parametrize(
    ("used", "what"),
    [
        ({"instructions": 400_000_001}, "instructions"),
        ({"rows": 201}, "written entries"),
        ({"accounts": 201}, "entries read from disk"),
        ({"written": 132_097}, "written bytes"),
    ],
    ids=str,
)
def test_more_than_any_transaction_may_use_is_refused(used: dict[str, int], what: str) -> None:
    assert what in beyond_limits(resources(**used))
    assert not beyond_limits(resources(**{name: amount - 1 for name, amount in used.items()}))


def test_a_contract_beyond_the_budget_is_refused_in_simulation() -> None:
    with started(faults=["contract-over-budget"]) as wire:
        somebody = Account(Keypair.random().public_key, 0)
        call = build(somebody, wire.ledger.contract_id, "settle", scval.to_uint64(1))
        assert "Error(Budget, ExceededLimit)" in wire.simulate(call)["error"]
