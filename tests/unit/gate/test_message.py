"""One line for engines, one paragraph for people: the limit never costs the status or the blame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampay_smoke.core.errors import Blame
from streampay_smoke.gate.message import NEXT, Beside, line, paragraph
from streampay_smoke.gate.verdict import MESSAGE_LIMIT, MESSAGE_LONG_LIMIT, Action, VerdictStatus

SIMULATED = ("", "simulated", "simulated service", "simulated ledger")
UNHAPPY = sorted(set(VerdictStatus) - {VerdictStatus.PASS})


ACTIONS = dict.fromkeys(VerdictStatus, Action.HOLD) | {
    VerdictStatus.PASS: Action.PROMOTE,
    VerdictStatus.FAIL: Action.ROLLBACK,
}


@given(
    status=st.sampled_from(UNHAPPY),
    blame=st.sampled_from(Blame),
    simulated=st.sampled_from(SIMULATED),
    scenario=st.text(max_size=200),
    essence=st.text(max_size=2000),
)
def test_whatever_happened_the_line_says_the_word_the_blame_and_the_next_step_in_140_characters(
    status: VerdictStatus, blame: Blame, simulated: str, scenario: str, essence: str
) -> None:
    action = ACTIONS[status]
    message = line(status, blame, action, simulated, scenario=scenario, text=f"{scenario}: {essence}")
    assert len(message) <= MESSAGE_LIMIT
    assert message.startswith(f"{status} [{blame}]")
    assert simulated in message
    assert message.endswith(f" -> {NEXT[status]}")
    assert "\n" not in message


@given(status=st.sampled_from(VerdictStatus), blame=st.sampled_from([*Blame, "none"]), text=st.text(max_size=3000))
def test_the_paragraph_has_its_limit_too(status: VerdictStatus, blame: str, text: str) -> None:
    message = paragraph(status, blame, ACTIONS[status], text=text)
    assert len(message) <= MESSAGE_LONG_LIMIT


def test_a_long_scenario_leaves_room_for_what_happened() -> None:
    scenario = "A signed-in user sees their streams page by page, and nobody else's"
    message = line(
        VerdictStatus.INCONCLUSIVE,
        Blame.DEPENDENCY,
        Action.HOLD,
        "simulated ledger",
        scenario=scenario,
        text=f"{scenario}: the ledger's RPC at rpc.example gave no usable answer to getHealth: status 503",
    )
    assert message == (
        "INCONCLUSIVE [dependency] (simulated ledger): A signed-in user sees their streams…: "
        "the ledger's RPC at rpc.example gave… -> hold, run again"
    )


def test_what_fits_is_told_whole() -> None:
    message = line(
        VerdictStatus.FAIL, Blame.PRODUCT, Action.ROLLBACK, "", scenario="Paid once", text="Paid once: saw 2 payments"
    )
    assert message == "FAIL [product]: Paid once: saw 2 payments -> roll back"


def test_a_pass_is_praise_and_blames_nobody() -> None:
    assert line(VerdictStatus.PASS, "none", Action.PROMOTE, "", scenario="", text="2 scenarios") == "PASS: 2 scenarios"
    assert paragraph(VerdictStatus.PASS, "none", Action.PROMOTE, text="2 scenarios") == "2 scenarios"


def test_a_failure_that_only_holds_asks_for_no_rollback() -> None:
    message = line(VerdictStatus.FAIL, Blame.PRODUCT, Action.HOLD, "", scenario="", text="too slow")
    assert message == "FAIL [product]: too slow -> hold"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("it broke", "it broke. Attributed to the release. Next: roll back."),
        ("it broke. Next: look there.", "it broke. Next: look there. Attributed to the release."),
    ],
)
def test_the_paragraph_ends_with_the_blame_and_a_next_step(text: str, message: str) -> None:
    assert paragraph(VerdictStatus.FAIL, Blame.PRODUCT, Action.ROLLBACK, text=text) == message


def test_what_is_beside_the_headline_is_told_in_sentences_and_in_short() -> None:
    one = Beside(more=1, blocked=1)
    assert one.description() == " 1 check is blocked by it. 1 more check is red."
    assert one.in_short() == " (+1 red; 1 blocked)"
    several = Beside(more=3, more_about_money=1, blocked=27, blocked_about_money=2)
    assert several.description() == " 27 checks are blocked by it, 2 about money. 3 more checks are red, 1 about money."
    assert several.in_short() == " (+3 red, 1 of money; 27 blocked, 2 of money)"
    assert (Beside().description(), Beside().in_short()) == ("", "")


@pytest.mark.parametrize("named", ["request id smoke-77dcdc85c21c1982", "request smoke-77dcdc85c21c1982"])
def test_the_line_leaves_the_id_of_a_request_to_the_paragraph(named: str) -> None:
    text = f"POST /api/auth/wallet answered 401, not 200: UNAUTHORIZED ({named})"
    message = line(VerdictStatus.FAIL, Blame.PRODUCT, Action.ROLLBACK, "", scenario="", text=text)
    assert message == "FAIL [product]: POST /api/auth/wallet answered 401, not 200: UNAUTHORIZED -> roll back"
    assert named in paragraph(VerdictStatus.FAIL, Blame.PRODUCT, Action.ROLLBACK, text=text)
