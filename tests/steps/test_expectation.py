"""The one way to assert."""

import pytest
from step_parts import Witness

from streampay_smoke.core.errors import Blame, PromiseBroken
from streampay_smoke.evidence.events import Checked


def test_a_promise_that_is_kept_leaves_evidence_and_raises_nothing(witness: Witness) -> None:
    witness.expect("it rains", True, expected="rain", observed="rain")

    assert witness.events == [Checked(promise="it rains", held=True, expected="rain", observed="rain")]


def test_a_promise_that_is_broken_leaves_evidence_and_names_expected_and_observed(witness: Witness) -> None:
    with pytest.raises(PromiseBroken, match=r"^it rains: expected rain, saw sun$") as caught:
        witness.expect("it rains", False, expected="rain", observed="sun")

    assert caught.value.blame is Blame.PRODUCT
    assert witness.events == [Checked(promise="it rains", held=False, expected="rain", observed="sun")]


def test_values_of_any_kind_are_shown_description(witness: Witness) -> None:
    witness.expect("there are two", True, expected=2, observed=["a", "b"])

    assert witness.checks[0].expected == "2"
    assert witness.checks[0].observed == "a, b"


@pytest.mark.parametrize(("observed", "expected"), [(1, 1), ("a", "a"), ((1, "a"), (1, "a")), ([], [])])
def test_equal_passes_for_equal_values(observed: object, expected: object, witness: Witness) -> None:
    witness.expect.equal("they are the same", observed, expected)

    witness.saw_held("they are the same")


@pytest.mark.parametrize(("observed", "expected"), [(1, 2), ("a", "A"), ("", "a"), (None, "a"), ([], ["a"])])
def test_equal_fails_when_values_differ(observed: object, expected: object, witness: Witness) -> None:
    with witness.breaks("they are the same", expected=expected, saw=observed):
        witness.expect.equal("they are the same", observed, expected)


def test_a_check_after_a_broken_one_is_recorded_too(witness: Witness) -> None:
    with witness.breaks("first"):
        witness.expect.equal("first", 1, 2)
    witness.expect.equal("second", 1, 1)

    assert [check.held for check in witness.checks] == [False, True]
