"""The sandbox's models of contracts against the host that validators run, where scripts/host.sh has built it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stellar_sdk import scval
from two_engines import PEOPLE, Call, TwoEngines, calls

from streampay_sandbox.ledger.deployed_contract import DeployedContract
from streampay_sandbox.ledger.execution import Invocation, call_of
from streampay_sandbox.ledger.host import LedgerInfo
from streampay_sandbox.ledger.keys import account_key
from streampay_sandbox.ledger.ledger import NETWORK, start_ledger
from streampay_sandbox.ledger.real_host import BUILT, RealHost, RealHostFailed
from streampay_sandbox.ledger.state import Draft
from streampay_smoke.core.errors import SettingsInvalid

pytestmark = pytest.mark.skipif(not BUILT.is_file(), reason="the real host is not built (scripts/host.sh, needs Rust)")


@pytest.fixture(scope="module")
def host() -> Iterator[RealHost]:
    with RealHost(BUILT) as running:
        yield running


def test_generated_calls_of_the_asset_contract_end_alike(host: RealHost) -> None:
    @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(calls(TwoEngines(host).birth), min_size=4, max_size=12))
    def both_agree(sequence: list[Call]) -> None:
        both = TwoEngines(host)
        for call in sequence:
            assert both.play(call) == []

    both_agree()


def test_a_model_that_pays_too_little_is_told_apart(host: RealHost) -> None:
    both = TwoEngines(host)
    both.real, both.model = both.model, both.real  # whoever is right: a difference is seen from both sides
    draft = Draft(both.model.state, both.sequence)
    for person in PEOPLE:
        draft.remove(account_key(person.public_key))
    both.model.state.write(draft.changes)
    transfer = Call(
        function="transfer",
        arguments=(*(scval.to_address(person.public_key) for person in PEOPLE[:2]), scval.to_int128(1)),
        sender=PEOPLE[0],
    )
    assert [difference.what for difference in both.play(transfer)] == ["outcome"]


def test_what_is_no_contract_is_refused(host: RealHost, tmp_path: Path) -> None:
    file = tmp_path / "contract.wasm"
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        DeployedContract.from_file(file)
    file.write_bytes(b"something else")
    with pytest.raises(SettingsInvalid, match="no WebAssembly module"):
        DeployedContract.from_file(file)
    file.write_bytes(b"\0asm\x01\0\0\0")
    contract = DeployedContract.from_file(file)
    with contract.host, pytest.raises(SettingsInvalid, match="cannot be uploaded"):
        start_ledger(contract=contract)


def test_a_host_that_has_ended_is_a_failure_of_the_sandbox() -> None:
    host = RealHost(BUILT)
    host.close()
    both = TwoEngines(host)
    invocation = Invocation(
        function=call_of(both.birth.native_token_id, "decimals", ()),
        source=PEOPLE[0].public_key,
        auth=(),
        draft=Draft(both.real.state, both.sequence),
        ledger=LedgerInfo(sequence=both.sequence, timestamp=0, network_id=NETWORK.network_id()),
    )
    with pytest.raises(RealHostFailed, match="has ended"):
        host.record(invocation, auth_mode="", address_v2=False)
