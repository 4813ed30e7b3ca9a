"""What killed runs left on the contract itself, on the sandbox ledger: found in journals, and settled by anybody."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from step_parts import Witness, run_context_of, settings_for

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.acceptance.actions.contract_stream import parties, stream_and_settle
from streampay_smoke.acceptance.resources.contract_streams import CONTRACT_STREAM
from streampay_smoke.acceptance.resources.synthetic_streams import FINISHED, LEASE_SECONDS
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.adapter import ChainAccount, ContractFailure
from streampay_smoke.evidence.events import ChainSeen, ResourceCreated, ResourceReleased, RunStarted
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.operations.left_on_contract import Fate, LeftOpen, bring_to_end, fate_of, left_open
from streampay_smoke.operations.sweep import Swept, sweep
from streampay_smoke.settings import Settings

NOW = time.time()
LONG_AGO_MS = int((NOW - LEASE_SECONDS - 1) * 1000)


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    with start_sandbox() as sandbox:
        yield {**sandbox.ready_document()["env"], "SMOKE_AUTH_MODE": "jwt"}


@pytest.fixture
def shared(environ: dict[str, str], tmp_path: Path, witness: Witness) -> Iterator[RunContext]:
    settings = replace(settings_for(environ), artifacts=tmp_path)
    run_context = run_context_of(settings, witness)
    yield run_context
    run_context.close()


def run_of(place: Settings, **changes: Any) -> RunStarted:
    started = RunStarted(
        run_id="gone",
        suite_version="0",
        environment="sandbox",
        region="",
        base_url="",
        release_expected="",
        network=place.network.name,
        contract_id=place.contract_id,
        proof="ledger",
        on_inconclusive="hold",
        service_simulated=True,
        settings={"rpc_url": place.rpc_url},
    )
    return replace(started, **changes)


def journal_of(
    place: Settings,
    *made: int,
    ended: tuple[int, ...] = (),
    at_ms: int = LONG_AGO_MS,
    first_ledger: int | None = None,
    **changes: Any,
) -> Path:
    """Write the journal of a run that made these contract streams and brought some to their end."""
    folder = place.artifacts / f"run-{len(list(place.artifacts.iterdir()))}"
    folder.mkdir()
    with Journal(folder / "journal.jsonl", Redactor(), now_ms=lambda: at_ms) as journal:
        journal.append(run_of(place, **changes))
        if first_ledger is not None:
            seen = ChainSeen(network=place.network.name, simulated=True, ledger=first_ledger, contract_id="")
            journal.append(seen)
        journal.append(ResourceCreated(kind="stream", id="stream-1"))
        for stream_id in made:
            journal.append(ResourceCreated(kind=CONTRACT_STREAM, id=str(stream_id)))
        for stream_id in ended:
            journal.append(ResourceReleased(kind=CONTRACT_STREAM, id=str(stream_id)))
    return folder


def found(shared: RunContext, older_than_seconds: float | None = None) -> list[int]:
    left = left_open(shared, older_than_seconds=older_than_seconds, now_seconds=NOW)
    return [stream.stream_id for stream in left]


def test_a_journal_names_what_it_made_and_did_not_end(shared: RunContext) -> None:
    journal_of(shared.settings, 4, 5, 6, ended=(5,))
    journal_of(shared.settings)
    (shared.settings.artifacts / "latest").symlink_to("run-0")
    assert found(shared) == [4, 6]


def test_a_run_that_may_be_under_way_is_left_alone(shared: RunContext) -> None:
    journal_of(shared.settings, 4, at_ms=int(NOW * 1000) - 1_000)
    assert found(shared) == []
    assert found(shared, older_than_seconds=0) == [4]


@pytest.mark.parametrize(
    "changes", [{"network": "testnet"}, {"contract_id": "CANOTHER"}, {"settings": {"rpc_url": "http://127.0.0.1:9"}}]
)
def test_a_run_on_another_contract_is_none_of_ours(shared: RunContext, changes: dict[str, Any]) -> None:
    journal_of(shared.settings, 4, **changes)
    assert found(shared) == []


def test_what_is_no_journal_of_a_run_is_passed_over(shared: RunContext) -> None:
    folder = journal_of(shared.settings, 4)
    (folder / "journal.jsonl").write_text("no journal\n")
    (shared.settings.artifacts / "empty").mkdir()
    (shared.settings.artifacts / "empty" / "journal.jsonl").mkdir()
    assert found(shared) == []


def opened(shared: RunContext, payer: ChainAccount | None = None, *, seconds: int = 1, start: bool = True) -> int:
    """Open a stream on the contract as a run does that is killed afterwards."""
    ledger = shared.ledger
    dead = payer or ledger.chain.account("somebody else")
    ledger.chain.fund(dead.address)
    recipient = shared.recipient.address
    stream_id = ledger.contract.open_draft(dead, recipient, ledger.token_contract_id, 777, seconds).stream_id
    if start:
        ledger.contract.start(stream_id, dead)
    return stream_id


def left(stream_id: int, run_id: str = "gone") -> LeftOpen:
    return LeftOpen(environment="sandbox", run_id=run_id, stream_id=stream_id)


def test_a_stream_whose_time_is_over_is_settled_by_anybody(shared: RunContext) -> None:
    stream_id = opened(shared)
    shared.ledger.one_ledger_later()
    before = shared.ledger.chain.balance(shared.recipient.address)

    assert fate_of(shared, left(stream_id)) is Fate.SETTLEABLE
    bring_to_end(shared, left(stream_id), Fate.SETTLEABLE)

    assert fate_of(shared, left(stream_id)) is Fate.OVER
    assert shared.ledger.chain.balance(shared.recipient.address) == before + 777


def test_what_somebody_else_opened_cannot_be_ended_yet_or_at_all_and_says_why(shared: RunContext) -> None:
    running, draft = opened(shared, seconds=86_400), opened(shared, start=False)

    assert fate_of(shared, left(running)) is Fate.RUNNING
    assert fate_of(shared, left(draft)) is Fate.LOST
    assert "time is not over" in Fate.RUNNING.because
    assert "not ours" in Fate.LOST.because


@pytest.mark.parametrize("start", [True, False])
def test_what_a_run_opened_is_cancelled_by_whoever_sweeps_and_the_money_goes_back(
    environ: dict[str, str], shared: RunContext, witness: Witness, start: bool
) -> None:
    killed = run_context_of(settings_for(environ), witness, run_id="gone")
    payer = killed.payer
    stream_id = opened(killed, payer, seconds=86_400, start=start)
    killed.close()
    paid_in = shared.ledger.chain.balance(payer.address)

    assert fate_of(shared, left(stream_id, run_id="another")) is (Fate.RUNNING if start else Fate.LOST)
    assert fate_of(shared, left(stream_id)) is Fate.CANCELLABLE
    bring_to_end(shared, left(stream_id), Fate.CANCELLABLE)

    assert shared.ledger.contract.stream(stream_id).status == "cancelled"
    fees_stroops = paid_in + 777 - shared.ledger.chain.balance(payer.address)
    assert 0 < fees_stroops < 1_000_000
    assert fate_of(shared, left(stream_id)) is Fate.OVER


def test_a_stream_that_a_run_was_killed_too_early_to_name_is_found_by_its_payer(
    environ: dict[str, str], shared: RunContext, witness: Witness
) -> None:
    first_ledger = shared.ledger.chain.health().latest_ledger
    killed = run_context_of(settings_for(environ), witness, run_id="early")
    named, unnamed = (opened(killed, killed.payer, start=False) for _ in range(2))
    opened(shared, start=False)
    killed.close()
    journal_of(shared.settings, named, first_ledger=first_ledger, run_id="early")
    journal_of(shared.settings, first_ledger=0, run_id="another")
    journal_of(shared.settings, run_id="a third")

    assert found(shared) == [named, unnamed]
    said: list[str] = []
    assert len(swept(shared, said).ended) == 2
    assert found(shared) == [named, unnamed], "journals are never written again"
    assert swept(shared, said) == Swept()


@pytest.mark.parametrize("kept_seed", [False, True])
def test_a_stream_whose_opening_was_cut_off_is_found_and_cancelled_by_the_run_itself(
    environ: dict[str, str], shared: RunContext, witness: Witness, monkeypatch: pytest.MonkeyPatch, kept_seed: bool
) -> None:
    seed = {"SMOKE_SIGNER_SEED": shared.ledger.chain.account("kept").seed} if kept_seed else {}
    run = run_context_of(settings_for({**environ, **seed}), witness, run_id=f"cut off {kept_seed}")
    between = parties(run.ledger, run.payer, run.recipient)
    streams: list[int] = []

    def cut_off(*given: Any) -> None:
        streams.append(open_draft(*given).stream_id)
        raise KeyboardInterrupt

    open_draft = run.ledger.contract.open_draft
    monkeypatch.setattr(run.ledger.contract, "open_draft", cut_off)
    with pytest.raises(KeyboardInterrupt):
        stream_and_settle(run.ledger, between, run.housekeeping)
    assert run.unfinished == 1
    run.clean_up(under_way_seconds=15.0)

    status = run.ledger.contract.stream(streams[0]).status
    assert status == ("draft" if kept_seed else "cancelled"), "what a shared payer opens may be another run's"
    assert run.unfinished - len(run.housekeeping.unconfirmed) == kept_seed, "it counts as left behind"
    run.close()


def test_a_stream_whose_order_was_cut_off_is_found_and_ended(
    shared: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def cut_off(*given: Any) -> None:
        made.append(create(*given).id)
        raise KeyboardInterrupt

    create = shared.deployment.create
    monkeypatch.setattr(shared.deployment, "create", cut_off)
    with pytest.raises(KeyboardInterrupt):
        _ = shared.draft
    assert shared.unfinished == 1
    shared.clean_up(under_way_seconds=15.0)
    assert shared.deployment.stream(shared.credential, made[0]).status in FINISHED
    assert shared.unfinished == 0


def test_an_opening_that_was_refused_leaves_nothing_to_search_for(
    shared: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any) -> None:
        raise ContractFailure("paused", name="Paused", code=1)

    between = parties(shared.ledger, shared.payer, shared.recipient)
    monkeypatch.setattr(shared.ledger.contract, "open_draft", refuses)
    with pytest.raises(ContractFailure):
        stream_and_settle(shared.ledger, between, shared.housekeeping)
    assert shared.unfinished == 0


def test_streams_of_a_shared_payer_that_no_journal_names_may_be_another_runs(
    environ: dict[str, str], shared: RunContext, witness: Witness, tmp_path: Path
) -> None:
    seed = shared.ledger.chain.account("kept").seed
    settings = replace(settings_for({**environ, "SMOKE_SIGNER_SEED": seed}), artifacts=tmp_path)
    kept = run_context_of(settings, witness)
    first_ledger = kept.ledger.chain.health().latest_ledger
    opened(kept, kept.payer, start=False)
    journal_of(settings, first_ledger=first_ledger)

    assert found(kept) == []
    kept.close()


def test_a_stream_the_network_forgot_is_over_and_any_other_refusal_is_raised(
    shared: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fate_of(shared, left(999_999)) is Fate.OVER

    def refuses(stream_id: int) -> None:
        raise ContractFailure("get_stream was refused", code=10, name="Overflow")

    monkeypatch.setattr(shared.ledger.contract, "stream", refuses)
    with pytest.raises(ContractFailure):
        fate_of(shared, left(1))


def test_a_payer_whose_seed_is_kept_cancels_what_it_opened(
    environ: dict[str, str], shared: RunContext, witness: Witness
) -> None:
    seed = shared.ledger.chain.account("kept").seed
    kept = run_context_of(settings_for({**environ, "SMOKE_SIGNER_SEED": seed}), witness)
    stream_id = opened(kept, kept.payer, start=False)

    assert fate_of(kept, left(stream_id)) is Fate.CANCELLABLE
    bring_to_end(kept, left(stream_id), Fate.CANCELLABLE)

    assert kept.ledger.contract.stream(stream_id).status == "cancelled"
    kept.close()


def swept(shared: RunContext, said: list[str], *, dry_run: bool = False) -> Swept:
    return sweep(shared, older_than_seconds=None, dry_run=dry_run, say=said.append, now_seconds=lambda: NOW)


def test_a_sweep_ends_what_is_due_on_the_contract_and_says_the_rest(shared: RunContext) -> None:
    due, running, draft = opened(shared), opened(shared, seconds=86_400), opened(shared, start=False)
    shared.ledger.one_ledger_later()
    journal_of(shared.settings, due, running, draft, 999_999)
    name = f"contract stream {due} of run gone"

    dry: list[str] = []
    assert swept(shared, dry, dry_run=True).left == (name,)
    said: list[str] = []
    result = swept(shared, said)

    assert (result.ended, result.stuck) == ((name,), ())
    assert result.lost == (f"contract stream {draft} of run gone",)
    assert [line.split()[0] for line in dry] == ["due", "running", "lost"]
    assert [line.split()[0] for line in said] == ["ended", "running", "lost"]
    assert shared.ledger.contract.stream(due).status == "settled"
    assert swept(shared, []).ended == ()


def test_a_contract_stream_that_cannot_be_ended_is_stuck_and_the_rest_goes_on(
    shared: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = opened(shared), opened(shared)
    shared.ledger.one_ledger_later()
    journal_of(shared.settings, first, second)
    settle = shared.ledger.contract.settle

    def refuses_the_first(stream_id: int, signer: ChainAccount) -> Any:
        if stream_id == first:
            raise ContractFailure("settle was refused: ContractPaused", code=3, name="ContractPaused")
        return settle(stream_id, signer)

    monkeypatch.setattr(shared.ledger.contract, "settle", refuses_the_first)
    said: list[str] = []
    result = swept(shared, said)

    assert result.stuck == (f"contract stream {first} of run gone",)
    assert result.ended == (f"contract stream {second} of run gone",)
    assert "ContractPaused" in said[0]
