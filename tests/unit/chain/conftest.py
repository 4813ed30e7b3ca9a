"""A scripted ledger, a clock that does not wait, and the adapter between them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ledger_double import PACE, FakeTime, LedgerDouble

from streampay_smoke.chain.adapter import ChainAccount
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.networks import ALLOWED


@pytest.fixture
def ledger() -> Iterator[LedgerDouble]:
    double = LedgerDouble()
    yield double
    double.stop()


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def recorded() -> list[Any]:
    return []


@pytest.fixture
def make_adapter(
    ledger: LedgerDouble, fake_time: FakeTime, recorded: list[Any]
) -> Iterator[Callable[..., StellarAdapter]]:
    with contextlib.ExitStack() as stack:

        def make(**changes: Any) -> StellarAdapter:
            settings: dict[str, Any] = {
                "rpc_url": ledger.url,
                "friendbot_url": f"{ledger.url}/friendbot",
                "record": recorded.append,
                "pace": PACE,
                "clock": fake_time.clock,
            }
            network = changes.pop("network", ALLOWED["sandbox"])
            adapter = StellarAdapter(network, **(settings | changes))
            stack.callback(adapter.close)
            return adapter

        yield make


@pytest.fixture
def adapter(make_adapter: Callable[..., StellarAdapter]) -> StellarAdapter:
    return make_adapter()


@pytest.fixture
def payer(ledger: LedgerDouble, adapter: StellarAdapter) -> ChainAccount:
    """An account that exists."""
    account = adapter.account("payer")
    ledger.sequences[account.address] = 4_000
    return account
