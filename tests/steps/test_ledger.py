"""What the ledger promises by itself, on a ledger where a test can write down anything."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from step_parts import (
    CONTRACT,
    FEE_STROOPS,
    FIRST_LEDGER,
    HASH,
    OTHER_CONTRACT,
    OTHER_HASH,
    PAYER,
    RECIPIENT,
    START,
    TOKEN,
    PaperLedger,
    Witness,
    paper_ledger,
)

from streampay_smoke.acceptance.actions import contract_stream
from streampay_smoke.acceptance.checks import ledger as checks
from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.ledger import NetworkUnwell
from streampay_smoke.acceptance.observations.ledger import (
    SIMULATED_AHEAD_SECONDS,
    Ledger,
    network,
    refusal_of_new_stream,
)
from streampay_smoke.acceptance.resources.housekeeping import Housekeeping
from streampay_smoke.chain.adapter import (
    ChainAccount,
    ChainUnavailable,
    ContractFailure,
    ContractInterface,
    ContractMissing,
    InterfaceDrift,
)
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS, MOVES_WITHIN_SECONDS
from streampay_smoke.core.errors import Blame

TOTAL_STROOPS = 1_234_567
TAKER = ChainAccount(name="recipient", address=RECIPIENT, seed="")


def network_is_healthy(ledger: Ledger, expect: Expect, *, now_seconds: Callable[[], float]) -> None:
    checks.network_is_healthy(network(ledger, now_seconds=now_seconds), expect)


def has_expected_interface(ledger: Ledger, expect: Expect) -> None:
    checks.has_expected_interface(ledger.contract.interface_drifts(), ledger.contract.profile.name, expect)


def accepts_new_stream(ledger: Ledger, expect: Expect) -> None:
    checks.accepts_new_stream(refusal_of_new_stream(ledger, PAYER.address, RECIPIENT), expect)


def administrator_role_cannot_be_claimed(ledger: Ledger, expect: Expect) -> None:
    checks.administrator_role_cannot_be_claimed(ledger.contract.may_be_claimed("GSTRANGER"), expect)


def administrator_controls_contract(ledger: Ledger, expect: Expect) -> None:
    checks.administrator_controls_contract(ledger.contract.obeys("GADMIN"), "GADMIN", expect)


def nobody_else_controls_contract(ledger: Ledger, expect: Expect) -> None:
    checks.nobody_else_controls_contract(ledger.contract.obeys("GSTRANGER"), expect)


def test_next_ledger_is_the_one_after_the_newest() -> None:
    paper, ledger = paper_ledger()
    assert ledger.next_ledger() == FIRST_LEDGER

    paper.next_ledger()
    assert ledger.next_ledger() == FIRST_LEDGER + 1


def test_streams_to_finds_the_recipients_streams_of_this_run() -> None:
    paper, ledger = paper_ledger()
    paper.create_stream(1)
    first = ledger.next_ledger()
    paper.create_stream(2)
    paper.create_stream(3, recipient="GSOMEBODY")
    paper.start_stream(2)
    paper.create_stream(4)

    assert [event.stream_id for event in ledger.created_to(RECIPIENT, first)] == [2, 4]
    assert [event.stream_id for event in ledger.created_to(RECIPIENT, FIRST_LEDGER)] == [1, 2, 4]
    assert ledger.created_to("GNOBODY", first) == ()


def test_streams_of_another_contract_do_not_count() -> None:
    paper, ledger = paper_ledger()
    paper.next_ledger()
    data = [9, PAYER.address, RECIPIENT, TOKEN, 1, 0, 60, START]
    paper.tell(("stream", "created"), data, tx_hash=HASH, contract_id=OTHER_CONTRACT)

    assert ledger.created_to(RECIPIENT, FIRST_LEDGER) == ()


def test_starts_to_finds_the_starts_of_those_streams_only() -> None:
    paper, ledger = paper_ledger()
    paper.create_stream(1)
    paper.create_stream(2)
    paper.create_stream(3, recipient="GSOMEBODY")
    for stream_id in (1, 3, 2):
        paper.start_stream(stream_id)

    starts = ledger.starts_to(RECIPIENT, FIRST_LEDGER)

    assert [start.stream_id for start in starts] == [1, 2]
    assert [start.closed_at for start in starts] == [START + 20, START + 30]
    assert [start.stream_id for start in ledger.starts_to(RECIPIENT, FIRST_LEDGER + 1)] == [2]


def test_payments_to_finds_all_money_the_recipient_got_whoever_sent_it() -> None:
    paper, ledger = paper_ledger()
    paper.transact(HASH)
    paper.pay(5, tx_hash=HASH)
    first = ledger.next_ledger()
    paper.transact(OTHER_HASH)
    paper.pay(7, tx_hash=OTHER_HASH)
    paper.pay(8, tx_hash=OTHER_HASH, sender="GOPERATOR")
    paper.pay(9, tx_hash=OTHER_HASH, recipient="GSOMEBODY")

    found = ledger.payments_to(RECIPIENT, first)

    assert [(payment.sender, payment.amount_stroops) for payment in found] == [(CONTRACT, 7), ("GOPERATOR", 8)]


@pytest.mark.parametrize("skew_seconds", [0, CLOCK_SKEW_SECONDS, -CLOCK_SKEW_SECONDS])
def test_network_moves_passes_for_a_healthy_network_in_time_with_ours(skew_seconds: int, witness: Witness) -> None:
    paper, ledger = paper_ledger()

    network_is_healthy(ledger, witness.expect, now_seconds=lambda: paper.closed_at + skew_seconds)

    witness.saw_held("the network is healthy", "the network closes ledgers", "the clock of the ledger is right")
    assert paper.waits == [(START + 1, MOVES_WITHIN_SECONDS)]


@pytest.mark.parametrize("status", ["unhealthy", "", "HEALTHY", "catching up"])
def test_network_moves_fails_when_the_network_is_not_healthy(status: str, witness: Witness) -> None:
    paper, ledger = paper_ledger()
    paper.statuses = itertools.repeat(status)

    with pytest.raises(NetworkUnwell, match="the network is healthy: expected healthy, saw"):
        network_is_healthy(ledger, witness.expect, now_seconds=lambda: START)

    assert [check.held for check in witness.checks] == [False]


def test_network_moves_fails_when_the_ledger_stands_still(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    paper.stands_still = True

    with pytest.raises(NetworkUnwell, match="the network closes ledgers: expected a ledger after 100, saw ledger 100"):
        network_is_healthy(ledger, witness.expect, now_seconds=lambda: START)

    assert [check.held for check in witness.checks] == [True, False]


def test_a_ledger_that_never_closes_is_the_ledgers_fault(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    paper.never_closes = True

    with pytest.raises(ChainUnavailable) as caught:
        network_is_healthy(ledger, witness.expect, now_seconds=lambda: START)

    assert caught.value.blame is Blame.DEPENDENCY


def test_network_moves_lets_a_simulated_ledger_run_ahead_but_not_behind(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    ledger.most_ahead_seconds = SIMULATED_AHEAD_SECONDS

    network_is_healthy(ledger, witness.expect, now_seconds=lambda: paper.closed_at - 3_600)
    with pytest.raises(NetworkUnwell, match="3600 s behind"):
        network_is_healthy(ledger, witness.expect, now_seconds=lambda: paper.closed_at + 3_600)


@pytest.mark.parametrize("skew_seconds", [CLOCK_SKEW_SECONDS + 1, -CLOCK_SKEW_SECONDS - 1, 86_400, -86_400])
def test_network_moves_fails_when_the_clocks_disagree(skew_seconds: int, witness: Witness) -> None:
    paper, ledger = paper_ledger()

    direction = "behind" if skew_seconds > 0 else "ahead"  # of the ledger, seen from a clock that is later or earlier
    with pytest.raises(NetworkUnwell, match=f"clock of the ledger is right: .*saw {abs(skew_seconds)} s {direction}"):
        network_is_healthy(ledger, witness.expect, now_seconds=lambda: paper.closed_at + skew_seconds)

    assert [check.held for check in witness.checks] == [True, True, False]


def test_interface_is_there_passes_for_the_contract_of_the_profile(witness: Witness) -> None:
    _, ledger = paper_ledger()

    has_expected_interface(ledger, witness.expect)

    witness.saw_held("the contract has the expected interface")
    assert witness.checks[0].observed == "the interface of profile streampay-stream"


def test_interface_is_there_fails_when_the_contract_is_missing(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    del paper.contracts[CONTRACT]

    with pytest.raises(ContractMissing, match=CONTRACT) as caught:
        has_expected_interface(ledger, witness.expect)

    assert caught.value.blame is Blame.CONFIG


def test_a_contract_at_work_passes_what_it_is_asked_and_signs_nothing(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    before = paper.ledger

    accepts_new_stream(ledger, witness.expect)
    administrator_role_cannot_be_claimed(ledger, witness.expect)
    administrator_controls_contract(ledger, witness.expect)
    nobody_else_controls_contract(ledger, witness.expect)

    witness.saw_held(
        "the contract accepts new streams",
        "nobody can claim the administrator role of the contract",
        "the administrator controls the contract",
        "nobody else controls the contract",
    )
    assert [function for function, *_ in paper.simulated] == [
        "create_draft_stream",
        "initialize",
        "set_paused",
        "set_paused",
    ]
    assert paper.ledger == before


def test_a_paused_contract_is_called_paused(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    paper.paused = True

    with witness.breaks("the contract accepts new streams", expected="a new stream is accepted", saw="has paused it"):
        accepts_new_stream(ledger, witness.expect)


def test_a_contract_that_refuses_streams_for_another_reason_says_which(witness: Witness) -> None:
    paper, ledger = paper_ledger()

    def refuses(contract_id: str, function: str, *args: Any) -> Any:
        raise ContractFailure("create_draft_stream was refused: TokenNotAllowed", code=9, name="TokenNotAllowed")

    paper.read = refuses  # type: ignore[method-assign]
    with witness.breaks("the contract accepts new streams", saw="TokenNotAllowed"):
        accepts_new_stream(ledger, witness.expect)
    with pytest.raises(ContractFailure):
        administrator_role_cannot_be_claimed(ledger, witness.expect)
    with pytest.raises(ContractFailure):
        administrator_controls_contract(ledger, witness.expect)


def test_a_contract_nobody_has_initialised_is_anybodys(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    paper.admin = ""

    with witness.breaks("nobody can claim the administrator role of the contract", saw="anybody can claim it"):
        administrator_role_cannot_be_claimed(ledger, witness.expect)
    with witness.breaks("the administrator controls the contract", expected="GADMIN", saw="or nobody"):
        administrator_controls_contract(ledger, witness.expect)


def test_a_contract_of_a_stranger_obeys_the_stranger(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    paper.admin = "GSTRANGER"

    with witness.breaks("the administrator controls the contract", expected="GADMIN", saw="somebody else"):
        administrator_controls_contract(ledger, witness.expect)
    with witness.breaks("nobody else controls the contract", expected="a refusal", saw="it accepts anybody"):
        nobody_else_controls_contract(ledger, witness.expect)


def _without_settle(interface: ContractInterface) -> ContractInterface:
    return replace(interface, functions={k: v for k, v in interface.functions.items() if k != "settle"})


def _other_arguments(interface: ContractInterface) -> ContractInterface:
    start = replace(interface.functions["start_stream"], arguments=(("stream", "u64"),))
    return replace(interface, functions={**interface.functions, "start_stream": start})


def _empty(interface: ContractInterface) -> ContractInterface:
    return ContractInterface(functions={}, structs={}, enums={}, errors={})


@pytest.mark.parametrize(
    ("change", "drift"),
    [
        (_without_settle, "function settle is absent"),
        (_other_arguments, r"start_stream takes \(stream\) instead of \(stream_id\)"),
        (_empty, "function create_draft_stream is absent"),
        (lambda interface: replace(interface, errors={**interface.errors, 6: "Other"}), "error 6 is Other"),
        (lambda interface: replace(interface, structs={}), "struct Stream is absent"),
    ],
    ids=["a function is gone", "an argument is renamed", "no function", "an error is renumbered", "no struct"],
)
def test_interface_is_there_fails_when_the_contract_has_drifted(
    change: Callable[[ContractInterface], ContractInterface], drift: str, witness: Witness
) -> None:
    paper, ledger = paper_ledger()
    paper.contracts[CONTRACT] = change(paper.contracts[CONTRACT])

    with pytest.raises(InterfaceDrift, match=drift) as caught:
        has_expected_interface(ledger, witness.expect)

    assert caught.value.blame is Blame.PRODUCT


def _retell(paper: PaperLedger, **changes: Any) -> None:
    paper.told[-1] = replace(paper.told[-1], **changes)


def _split(paper: PaperLedger) -> None:
    last = paper.told.pop()
    paper.told += [replace(last, data=last.data - 1), replace(last, data=1)]


class Played:
    """A stream that was made and settled on the contract itself, and what is expected of it then."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._parties = contract_stream.parties(ledger, PAYER, TAKER)
        self._settled = contract_stream.stream_and_settle(
            ledger, self._parties, Housekeeping(lambda event: None), total_stroops=TOTAL_STROOPS, duration_seconds=3
        )

    def paid_whole_once(self, expect: Expect) -> None:
        checks.paid_whole_once(contract_stream.look_at(self._ledger, self._settled, self._parties), expect)

    def balances_agree(self, expect: Expect) -> None:
        checks.balances_agree(contract_stream.look_at(self._ledger, self._settled, self._parties), expect)


WHOLE = (
    "the contract paid the whole amount once",
    "the contract holds the stream as settled",
    "everything was released",
)
CONSERVED = ("the recipient's balance grew by the whole amount", "the payer gave the amount and the fees")


def test_a_direct_stream_that_is_settled_passes(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    paper.transact(OTHER_HASH)
    paper.pay(99, tx_hash=OTHER_HASH)

    direct = Played(ledger)
    direct.paid_whole_once(witness.expect)
    direct.balances_agree(witness.expect)

    witness.saw_held(*WHOLE, *CONSERVED)
    assert paper.balances[PAYER.address] == 50_000_000 - TOTAL_STROOPS - 3 * FEE_STROOPS


def test_a_direct_stream_is_settled_only_after_its_time(witness: Witness) -> None:
    paper, ledger = paper_ledger()

    Played(ledger)

    started_at = START + 10
    assert paper.waits == [(started_at + 3, MOVES_WITHIN_SECONDS + 3)]


@pytest.mark.parametrize(
    ("spoil", "saw"),
    [
        pytest.param(lambda paper: paper.told.clear(), "nothing", id="never"),
        pytest.param(
            lambda paper: paper.pay(1, tx_hash=OTHER_HASH),
            f"1 stroops in transaction {OTHER_HASH}",
            id="a bit more later",
        ),
        pytest.param(
            lambda paper: paper.pay(TOTAL_STROOPS, tx_hash=OTHER_HASH),
            f"{TOTAL_STROOPS} stroops in transaction {OTHER_HASH}",
            id="the whole amount twice",
        ),
        pytest.param(
            lambda paper: _retell(paper, data=TOTAL_STROOPS - 1), str(TOTAL_STROOPS - 1), id="one stroop too little"
        ),
        pytest.param(
            lambda paper: _retell(paper, data=TOTAL_STROOPS + 1), str(TOTAL_STROOPS + 1), id="one stroop too much"
        ),
        pytest.param(lambda paper: _retell(paper, tx_hash=OTHER_HASH), OTHER_HASH, id="in another transaction"),
        pytest.param(
            lambda paper: _retell(paper, topics=("transfer", CONTRACT, "GSOMEBODY")), "nothing", id="to somebody else"
        ),
        pytest.param(_split, f"{TOTAL_STROOPS - 1} stroops in ", id="split in two"),
    ],
)
def test_a_direct_stream_fails_when_the_payment_is_another(
    spoil: Callable[[PaperLedger], None], saw: str, witness: Witness
) -> None:
    paper, ledger = paper_ledger()
    direct = Played(ledger)
    spoil(paper)

    with witness.breaks(WHOLE[0], expected=TOTAL_STROOPS, saw=saw):
        direct.paid_whole_once(witness.expect)


@pytest.mark.parametrize(
    ("state", "promise", "saw"),
    [
        pytest.param({"status": ["Active"]}, WHOLE[1], "active", id="still running"),
        pytest.param({"status": ["Ended"]}, WHOLE[1], "ended", id="ended, not settled"),
        pytest.param({"status": ["Cancelled"]}, WHOLE[1], "cancelled", id="cancelled"),
        pytest.param({"released_amount": 0}, WHOLE[2], "0", id="nothing released"),
        pytest.param({"released_amount": TOTAL_STROOPS - 1}, WHOLE[2], str(TOTAL_STROOPS - 1), id="one stroop kept"),
    ],
)
def test_a_direct_stream_fails_when_the_contract_remembers_otherwise(
    state: Mapping[str, Any], promise: str, saw: str, witness: Witness
) -> None:
    paper, ledger = paper_ledger()
    direct = Played(ledger)
    paper.streams[7].update(state)

    with witness.breaks(promise, saw=saw):
        direct.paid_whole_once(witness.expect)


@pytest.mark.parametrize(
    ("address", "stroops", "promise", "saw"),
    [
        pytest.param(RECIPIENT, -1, CONSERVED[0], TOTAL_STROOPS - 1, id="one stroop was lost on the way"),
        pytest.param(RECIPIENT, 1, CONSERVED[0], TOTAL_STROOPS + 1, id="one stroop came from nowhere"),
        pytest.param(RECIPIENT, -TOTAL_STROOPS, CONSERVED[0], 0, id="all of it was lost"),
        pytest.param(
            PAYER.address, -1, CONSERVED[1], TOTAL_STROOPS + 3 * FEE_STROOPS + 1, id="the payer gave one stroop more"
        ),
        pytest.param(
            PAYER.address, 1, CONSERVED[1], TOTAL_STROOPS + 3 * FEE_STROOPS - 1, id="the payer gave one stroop less"
        ),
        pytest.param(PAYER.address, TOTAL_STROOPS, CONSERVED[1], 3 * FEE_STROOPS, id="the payer got it all back"),
    ],
)
def test_a_direct_stream_fails_when_money_is_lost_or_made(
    address: str, stroops: int, promise: str, saw: int, witness: Witness
) -> None:
    paper, ledger = paper_ledger()
    direct = Played(ledger)
    paper.balances[address] += stroops

    with witness.breaks(promise, saw=saw):
        direct.balances_agree(witness.expect)


def test_a_direct_stream_that_never_becomes_due_is_the_ledgers_fault() -> None:
    paper, ledger = paper_ledger()
    paper.never_closes = True

    with pytest.raises(ChainUnavailable):
        Played(ledger)

    assert not [event for event in paper.told if event.topics[0] == "transfer"]
