"""The one way to assert: every check leaves evidence, whether it holds or not."""

from collections.abc import Callable
from typing import Any

from streampay_smoke.core.errors import PromiseBroken, SmokeError, UnfitAnswer
from streampay_smoke.evidence.events import Checked, Recorder, Settled
from streampay_smoke.evidence.values import in_words
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.shape import outcome_description, unfit_answer


class Expect:
    """Records a check and raises PromiseBroken, or another error, when it does not hold."""

    def __init__(self, record: Recorder, error: Callable[[str], SmokeError] = PromiseBroken) -> None:
        self._record = record
        self._error = error

    def raising(self, error: Callable[[str], SmokeError]) -> "Expect":
        """Return the same for promises that are not the release's to keep; `error` makes an error of a message."""
        return Expect(self._record, error)

    def __call__(
        self, promise: str, held: bool, *, expected: Any, observed: Any, unfit: UnfitAnswer | None = None
    ) -> None:
        """Check one promise; `expected` and `observed` are shown in words. `unfit` is the answer that breaks it."""
        wanted, seen = in_words(expected), in_words(observed)
        self._record(Checked(promise=promise, held=held, expected=wanted, observed=seen))
        if not held:
            raise self._error(f"{promise}: expected {wanted}, saw {seen}").about(unfit)

    def refused(self, promise: str, answer: Answer, held: bool) -> None:
        """Check that an answer refuses who asked, as `held` says; what it is otherwise is shown."""
        self(
            promise,
            held,
            expected="a refusal",
            observed=outcome_description(answer),
            unfit=unfit_answer(answer, entitled=False),
        )

    def equal(self, promise: str, observed: Any, expected: Any) -> None:
        """Check that two values are the same."""
        self(promise, observed == expected, expected=expected, observed=observed)

    def settled(self, settlement: Settled) -> None:
        """Record that a settlement was proved: everything that was expected of it held."""
        self._record(settlement)
