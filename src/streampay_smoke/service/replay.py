"""The same request, put to another deployment: are its answers red in the same way?

Compared is what can be told from afar: whether there was an answer, its status class, and whether it was the
service's own. What a well-formed answer says is not compared: it belongs to each deployment.
"""

from collections.abc import Callable

import msgspec

from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.dialects import Call
from streampay_smoke.service.exchange import Answer

NO_ANSWER = 0


class AnswerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How one answer looks: `status_class` 2-5, or 0 for none; `genuine` when it is the service's own and well-formed.

    `kept` says that it is what was promised; `trouble` is what the service calls its trouble, where it names it.
    """

    status_class: int
    genuine: bool
    kept: bool
    trouble: str = ""

    @property
    def description(self) -> str:
        """A few words for a probe's detail."""
        if self.status_class == NO_ANSWER:
            return "no answer"
        kind = "as promised" if self.kept else "the service's own" if self.genuine else "not the service's own"
        return f"{self.status_class}xx, {kind}{f' ({self.trouble})' if self.trouble else ''}"

    def is_red_like(self, other: "AnswerSummary") -> bool:
        """Return whether both broke the promise, and in the same way."""
        return not self.kept and self == other


Look = Callable[[Answer], AnswerSummary]
"""Forms the answer_summary of an answer to one kind of request."""

SILENCE = AnswerSummary(status_class=NO_ANSWER, genuine=False, kept=False)


class ObservedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the deployment under test, and how its answer looked there."""

    call: Call
    credential: Credential | None
    look: Look
    answer_summary: AnswerSummary = SILENCE
