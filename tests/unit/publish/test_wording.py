from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streampay_smoke.gate.verdict import Action, Override, VerdictStatus
from streampay_smoke.publish import wording


@pytest.mark.parametrize("status", list(VerdictStatus))
def test_every_verdict_has_its_meaning_and_its_next_step(sample: Callable[[str], Any], status: VerdictStatus) -> None:
    verdict = msgspec.structs.replace(sample("passing").verdict, verdict=status)
    assert wording.MEANING[status]
    assert wording.next_step(verdict)


def test_a_missing_answer_that_counts_as_a_failure_still_holds(sample: Callable[[str], Any]) -> None:
    verdict = msgspec.structs.replace(sample("killed").verdict, exit_code=1)
    assert wording.next_step(verdict).startswith("Hold: promote nothing, roll nothing back.")
    assert wording.next_step(verdict).endswith(
        "Its exit code is that of a failure, as this run was told (--on-inconclusive fail)."
    )


@pytest.mark.parametrize("name", ["passing", "failing"])
def test_what_only_holds_asks_for_nothing_else(sample: Callable[[str], Any], name: str) -> None:
    verdict = msgspec.structs.replace(sample(name).verdict, action=Action.HOLD)
    assert wording.next_step(verdict).startswith("Hold: ")


@pytest.mark.parametrize(
    ("to", "action", "said"),
    [
        (VerdictStatus.PASS, Action.PROMOTE, "Promote on the word"),
        (
            VerdictStatus.PASS,
            Action.HOLD,
            "Hold: the word of the person named stands for a run that did not play the whole",
        ),
        (VerdictStatus.INCONCLUSIVE, Action.HOLD, "Hold on the word"),
    ],
)
def test_an_override_says_what_the_word_of_a_person_is_for(
    sample: Callable[[str], Any], to: VerdictStatus, action: Action, said: str
) -> None:
    override = Override(who="ana", why="drill", until="2027-01-01T00:00:00Z", from_="CONFIG", to=to)
    verdict = msgspec.structs.replace(sample("passing").verdict, verdict=to, action=action, overrides=(override,))
    assert wording.next_step(verdict).startswith(said)
    assert "The evidence says CONFIG: see to its cause" in wording.next_step(verdict)


def test_only_a_run_that_nobody_pointed_at_a_deployment_is_a_rehearsal(sample: Callable[[str], Any]) -> None:
    verdict = sample("passing").verdict
    simulated = msgspec.structs.replace(verdict.target, simulated=True)
    named = msgspec.structs.replace(verdict, target=simulated, action=Action.PROMOTE)
    assert wording.next_step(named) == "Promote the release. What was judged is a simulation."
    rehearsed = msgspec.structs.replace(named, target=msgspec.structs.replace(simulated, rehearsal=True))
    assert wording.next_step(rehearsed).startswith("This was a rehearsal")


def test_a_release_is_named_with_the_expected_one_where_they_differ(sample: Callable[[str], Any]) -> None:
    verdict = sample("passing").verdict
    assert wording.release(verdict) == "r-42"
    other = msgspec.structs.replace(verdict.target, release_expected="r-43")
    assert wording.release(msgspec.structs.replace(verdict, target=other)) == "r-42 (expected r-43)"
    none = msgspec.structs.replace(verdict.target, release_expected="", releases_observed=())
    assert wording.release(msgspec.structs.replace(verdict, target=none)) == "not stated"


@pytest.mark.parametrize(
    ("duration_ms", "text"), [(0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (59_900, "59.9 s"), (65_000, "1 min 5 s")]
)
def test_durations_are_for_people(duration_ms: int, text: str) -> None:
    assert wording.seconds(duration_ms) == text


@pytest.mark.parametrize(
    ("proof", "ledger", "text"),
    [
        ("ledger", 7, "Proved on the ledger: transaction t in ledger 7."),
        ("ledger", None, "Proved on the ledger: transaction t."),
        ("service", None, "Claimed by the service only, the ledger was not asked: transaction t."),
    ],
)
def test_a_settlement_is_told_with_its_proof(
    sample: Callable[[str], Any], proof: str, ledger: int | None, text: str
) -> None:
    verdict = sample("passing").verdict
    proved = msgspec.structs.replace(verdict.settlement, tx_hash="t", ledger=ledger, proof=proof)
    assert wording.settlement(msgspec.structs.replace(verdict, settlement=proved)) == text


def test_a_real_ledger_that_answered_is_real(sample: Callable[[str], Any]) -> None:
    verdict = sample("passing").verdict
    chain = msgspec.structs.replace(verdict.chain, simulated=False, network="testnet")
    assert wording.ledger(msgspec.structs.replace(verdict, chain=chain)) == "real"


def test_attributions_are_worded_plainly() -> None:
    assert wording.who("dependency") == "a dependency"
    assert wording.who("none") == ""
    assert wording.who("a word of tomorrow") == "a word of tomorrow"


def test_a_verdict_of_before_the_paragraph_gives_its_line_as_the_reason(sample: Callable[[str], Any]) -> None:
    verdict = msgspec.structs.replace(sample("passing").verdict, message="only a line", message_long="")
    assert wording.reason(verdict) == "only a line"


def test_nothing_is_said_twice_of_what_to_do_next(any_run: Any) -> None:
    text = wording.reason(any_run.verdict)
    assert not text.endswith(("Next: roll back.", "Next: hold, run again.", "Next: mend, run again.", "hold, page."))
