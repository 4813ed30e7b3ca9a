"""Whose fault a failed check is: named rules over the failure and the control probes made beside it.

The first rule that applies decides. Only `product` can roll a release back.
"""

from collections.abc import Callable

import msgspec

from streampay_smoke.errors import Blame
from streampay_smoke.evidence.events import Failure, Probed

LEDGER_PROBE = "ledger"
"""Asks the ledger directly, past the service."""

EGRESS_PROBE = "egress"
"""Whether this runner can look up and reach the deployment's host at all."""

DEPENDENCY_REPORT_PROBE = "dependency report"
"""Whether the dependencies the service itself names are ok, the ledger left out."""

CONTRACT_PROBE = "contract"
"""Whether the expected contract is on the ledger, asked past the service."""

LEDGER_TAGS = frozenset({"chain", "settlement", "readiness"})
"""Scenarios a broken ledger can turn red by itself."""

LEDGER_KINDS = frozenset({"never_ready", "stream_not_created"})
"""Failures a broken ledger can cause in any scenario: the service is not ready, or cannot make a stream."""


class FailedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What attribution looks at."""

    failure: Failure
    tags: frozenset[str]
    probes: tuple[Probed, ...]

    @property
    def needs_ledger(self) -> bool:
        """Return whether a broken ledger is enough to explain the failure."""
        return bool(self.tags & LEDGER_TAGS) or self.failure.kind in LEDGER_KINDS

    def probe_failed(self, name: str) -> bool:
        """Return whether a probe of this name was made and was not ok."""
        return any(probe.name == name and probe.ok is False for probe in self.probes)


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """A blame, the rule that gave it, and the reason in words."""

    blame: Blame
    rule: str
    reason: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One named rule of the table below."""

    name: str
    applies: Callable[[FailedCheck], bool]
    blame: Blame
    reason: str


def _blamed(blame: Blame) -> Callable[[FailedCheck], bool]:
    return lambda check: check.failure.blame == blame


RULES = (
    Rule(
        name="guard",
        applies=_blamed(Blame.SAFETY),
        blame=Blame.SAFETY,
        reason="a guard of real money refused",
    ),
    Rule(
        name="settings",
        applies=_blamed(Blame.CONFIG),
        blame=Blame.CONFIG,
        reason="the settings or the credential given to this run are wrong",
    ),
    Rule(
        name="runner-has-no-way-out",
        applies=lambda check: check.failure.kind == "service_unavailable" and check.probe_failed(EGRESS_PROBE),
        blame=Blame.HARNESS,
        reason="this runner cannot reach the deployment's host: no evidence against the release",
    ),
    Rule(
        name="ledger-is-down",
        applies=lambda check: (
            check.failure.blame == Blame.PRODUCT
            and check.needs_ledger
            and check.probe_failed(LEDGER_PROBE)
            and not check.probe_failed(DEPENDENCY_REPORT_PROBE)
        ),
        blame=Blame.DEPENDENCY,
        reason="the ledger, asked directly at the same moment, was not healthy",
    ),
    Rule(
        name="contract-is-gone",
        applies=lambda check: (
            check.failure.blame == Blame.PRODUCT and check.needs_ledger and check.probe_failed(CONTRACT_PROBE)
        ),
        blame=Blame.DEPENDENCY,
        reason="the expected contract is not on the ledger: the network was reset, or its id is wrong",
    ),
    Rule(
        name="ledger-side",
        applies=_blamed(Blame.DEPENDENCY),
        blame=Blame.DEPENDENCY,
        reason="the ledger side gave no usable answer",
    ),
    Rule(
        name="release",
        applies=_blamed(Blame.PRODUCT),
        blame=Blame.PRODUCT,
        reason="the release did not keep its promise, and no control probe explains it otherwise",
    ),
)

_UNEXPLAINED = Rule(
    name="harness",
    applies=lambda check: True,
    blame=Blame.HARNESS,
    reason="the suite itself failed",
)


def attribute(check: FailedCheck) -> Attribution:
    """Return whose fault a failed check is."""
    rule = next((rule for rule in RULES if rule.applies(check)), _UNEXPLAINED)
    return Attribution(blame=rule.blame, rule=rule.name, reason=rule.reason)
