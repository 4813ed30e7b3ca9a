"""A case: one thing that is wrong while the gate runs, and the answers that are right."""

from collections.abc import Callable

from streampay_sandbox.fault import Fault, Truth
from streampay_selftest.run_setup import RunSetup
from streampay_smoke.gate.verdict import VerdictStatus

Condition = Callable[[RunSetup], None]
"""Changes what the gate will meet, before it starts."""

STATUS_OF_TRUTH = {
    Truth.PRODUCT: VerdictStatus.FAIL,
    Truth.SAFETY: VerdictStatus.SAFETY,
    Truth.CONFIG: VerdictStatus.CONFIG,
    Truth.DEPENDENCY: VerdictStatus.INCONCLUSIVE,
    Truth.HARNESS: VerdictStatus.INCONCLUSIVE,
    Truth.NONE: VerdictStatus.PASS,
}
"""The status that goes with each attribution."""

CAUGHT = frozenset({VerdictStatus.FAIL, VerdictStatus.SAFETY})
"""Words that keep a release from its users, or money from moving."""

SMOKE = "@smoke"


_TAGS = {"ledger": "chain"}
"""Features whose tag is not their file's name."""

BY_SERVICE = ", with proof service"
"""How the name of a case ends that is a fault played once more, where proof is `service`."""


class Case(Fault, frozen=True, kw_only=True):
    """A fault that must be caught, or a disturbance that must not be called one.

    `truth` is the right attribution, and `or_else` names others that are right too: some disturbances can be ridden out
    or held, as its moment decides. `caught_by` is as for any fault, or the reason code of a finding about the whole
    run. `faults` are the sandbox's own; `conditions` change the rest of the setup. `features` are what is played in a
    hurry; `tags`, where given, select the scenarios at any time. `close_seconds` is the pace of the ledger and
    `rpc_version` what it plays, None where the run variation draws them.
    """

    or_else: tuple[Truth, ...] = ()
    faults: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    features: tuple[str, ...] = ()
    tags: str = ""
    close_seconds: float | None = None
    rpc_version: str | None = None

    @property
    def truths(self) -> tuple[Truth, ...]:
        """Every attribution that is right."""
        return (self.truth, *self.or_else)

    @property
    def is_fault(self) -> bool:
        """Whether the gate must catch it; else it must never call it the release's fault."""
        return STATUS_OF_TRUTH[self.truth] in CAUGHT

    def selection(self, *, hurried: bool) -> str:
        """Return the tag expression to play: all of the smoke, or in a hurry only what this case is about."""
        if self.tags:
            return self.tags
        feature, slash, _ = self.caught_by.partition("/")
        features = self.features or ((feature,) if slash else ())
        if not hurried or not features:
            return SMOKE
        return " or ".join(f"@{_TAGS.get(feature, feature.replace('_', '-'))}" for feature in features)
