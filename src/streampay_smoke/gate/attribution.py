"""Whose fault a failed check is: named rules over the failure and the control probes made beside it.

The first rule that applies decides. Only `product` can roll a release back.
"""

from collections.abc import Callable

import msgspec

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.events import INTERRUPTED, Failure, Probed

LEDGER_PROBE = "ledger"
"""Asks the ledger directly, past the service."""

EGRESS_PROBE = "egress"
"""Whether this runner can look up and reach the deployment's host at all."""

PACE_PROBE = "way to the deployment"
"""How long a round trip of this runner's way takes, timed beside answers that were slow."""

STABLE_PACE_PROBE = "pace of the stable release"
"""How long a read takes on the stable release, timed beside answers that were slow."""

DEPENDENCY_REPORT_PROBE = "dependency report"
"""Whether the dependencies the service itself names are ok, the ledger left out."""

NAMED_DEPENDENCY_PROBE = "dependency named by the service"
"""Whether nothing that the service stands on is named as down by the service itself; not ok: that, and nothing else."""

STABLE_READY_PROBE = "readiness of the stable release"
"""Whether the stable release is ready at the same time."""

CONTRACT_PROBE = "contract"
"""Whether the expected contract is on the ledger, asked past the service."""

NETWORK_AGE_PROBE = "network age"
"""Whether the network is older than any reset that could explain a missing contract."""

STABLE_PROBE = "stable release"
"""Whether the stable release, asked the same, is well; not ok: it is red in the same way."""

CREDENTIAL_PROBE = "credential on the stable release"
"""Whether the stable release accepts the credential the operator supplied."""

SHOWN_AGAIN_PROBE = "credential shown again"
"""Whether the deployment itself accepts the refused credential when it is shown again."""

CLOCK_PROBE = "clock"
"""Whether this runner's clock agrees with the service's or the ledger's; not ok: it is off against both."""

STABLE_CONTRACT_PROBE = "contract of the stable release"
"""Whether the stable release works with the expected contract; not ok: with the one that this release works with."""

CONTRACT_UNEXPECTED = "contract_unexpected"
"""The service works with another contract than the gate was told of."""

TRAFFIC_PROBE = "writes of others"
"""Whether the contract was quiet while a write of this run waited; not ok: others wrote there in most ledgers."""

ANOTHER_APPLICATION = "another_application"
"""Nothing at the address answers as StreamPay does."""

RELEASE_ELSEWHERE = "release_elsewhere"
"""Nothing listens at the address, and the expected release is ready at another one of the same host."""

NOTHING_LISTENS = "refused"
"""The cause of a silence where the host is there and nothing listens at the port."""

STREAM_NOT_CREATED = "stream_not_created"
"""The service did not create a stream it was asked for."""

CONTRACT_MISSING = "contract_missing"
"""The expected contract is not on the ledger."""

WRITE_TIMED_OUT = "write_timed_out"
"""The service took a write and did not answer in time; its writes wait for the ledger."""

WRITE_PUT_OFF = "write_put_off"
"""The service itself said of a write: not now."""

CREATION_KINDS = frozenset({STREAM_NOT_CREATED, WRITE_PUT_OFF})
"""Failures of a service that cannot create a stream, or puts a write off as one that cannot."""

UNANSWERED = frozenset({"service_unavailable", "step_timeout", WRITE_TIMED_OUT})
"""Failures in which the service said nothing."""

THROTTLED = "throttled"
"""A rate limit asked for more patience than a run has."""

NEVER_READY = "never_ready"
"""The service did not say in time that it is ready."""

NO_WAY_OUT = frozenset({"host_unresolved", "proxy_failed"})
"""Failures of this runner's own way to the deployment."""

WAITING_WRITES = frozenset({WRITE_TIMED_OUT, WRITE_PUT_OFF, "step_timeout"})
"""Failures of a write that others' writes can keep waiting: a service sends them one after the other."""

LEDGER_FAILURES = frozenset({NEVER_READY, WRITE_TIMED_OUT, *CREATION_KINDS})
"""Failures a broken ledger can cause in any scenario: the service is not ready, or cannot make or move a stream."""


RUN_ENDED = "run-was-ended"
"""The rule for what was cut off: it did not come to its end, and is no failure."""


class FailedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What attribution looks at.

    `needs_ledger`: a broken ledger can fail the scenario by itself. `ledger_failed_elsewhere`: this run itself got no
    usable answer of the ledger. `creation_failed_elsewhere`: the service could not create a stream in another scenario.
    `another_application_answers`: another scenario found that nothing at the address answers as StreamPay does.
    `guard_refused_elsewhere`: another scenario met the guard of real money. `release_is_elsewhere`: another scenario
    found the expected release at another port.
    """

    failure: Failure
    probes: tuple[Probed, ...]
    needs_ledger: bool
    ledger_failed_elsewhere: bool = False
    creation_failed_elsewhere: bool = False
    another_application_answers: bool = False
    guard_refused_elsewhere: bool = False
    release_is_elsewhere: bool = False

    @property
    def explained_by_ledger(self) -> bool:
        """Return whether a broken ledger is enough to explain the failure."""
        return self.needs_ledger or self.failure.kind in LEDGER_FAILURES

    @property
    def lacks_contract(self) -> bool:
        """Return whether the contract's absence is the failure, or enough to explain it."""
        explained = self.failure.blame == Blame.PRODUCT and self.explained_by_ledger
        return self.failure.kind == CONTRACT_MISSING or (explained and self.probe_failed(CONTRACT_PROBE))

    @property
    def service_cannot_create(self) -> bool:
        """Return whether the service itself failed to create a stream, here or in another scenario."""
        return self.failure.kind in CREATION_KINDS or self.creation_failed_elsewhere

    def probe_held(self, name: str) -> bool:
        """Return whether a probe of this name was made and was ok."""
        return any(probe.name == name and probe.ok is True for probe in self.probes)

    def probe_failed(self, name: str) -> bool:
        """Return whether a probe of this name was made and was not ok."""
        return any(probe.name == name and probe.ok is False for probe in self.probes)


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """A blame, the rule that gave it, and the reason in words."""

    blame: Blame
    rule: str
    reason: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One named rule of the table below. `reason_code` replaces that of the failure, "" leaves it."""

    name: str
    applies: Callable[[FailedCheck], bool]
    blame: Blame
    reason: str
    reason_code: str = ""


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
        name="beside-the-guard",
        applies=lambda check: (
            check.failure.blame == Blame.PRODUCT
            and check.failure.kind in LEDGER_FAILURES
            and check.guard_refused_elsewhere
        ),
        blame=Blame.DEPENDENCY,
        reason="the guard of real money refused this ledger: what the service cannot do on it is not its fault",
    ),
    Rule(
        name="runner-clock-is-off",
        applies=lambda check: (
            check.probe_failed(CLOCK_PROBE)
            and (check.failure.blame == Blame.PRODUCT or check.failure.kind == "credential_refused")
        ),
        blame=Blame.HARNESS,
        reason="this runner's clock disagrees with both the service's and the ledger's: tokens and times mislead it",
        reason_code="runner_clock_off",
    ),
    Rule(
        name="credential-accepted-by-stable",
        applies=lambda check: check.failure.kind == "credential_refused" and check.probe_held(CREDENTIAL_PROBE),
        blame=Blame.PRODUCT,
        reason="the stable release accepts the same credential at the same moment",
        reason_code="credential_refused_by_release",
    ),
    Rule(
        name="credential-accepted-again",
        applies=lambda check: check.failure.kind == "credential_refused" and check.probe_held(SHOWN_AGAIN_PROBE),
        blame=Blame.PRODUCT,
        reason="the release accepts the same credential when it is shown again: its instances disagree",
        reason_code="credential_refused_by_release",
    ),
    Rule(
        name="contract-never-deployed",
        applies=lambda check: (
            check.lacks_contract
            and check.service_cannot_create
            and check.probe_held(NETWORK_AGE_PROBE)
            and not check.probe_failed(LEDGER_PROBE)
            and not check.probe_failed(STABLE_PROBE)
        ),
        blame=Blame.PRODUCT,
        reason="the contract is not on a ledger that was not reset, and the service cannot create a stream either",
        reason_code="contract_undeployed",
    ),
    Rule(
        name="another-application-here-alone",
        applies=lambda check: check.failure.kind == ANOTHER_APPLICATION and check.probe_held(STABLE_PROBE),
        blame=Blame.PRODUCT,
        reason="the stable release answers as StreamPay does at the same moment, and this address as something else",
    ),
    Rule(
        name="another-application",
        applies=lambda check: (
            check.failure.blame == Blame.PRODUCT
            and check.another_application_answers
            and not check.probe_held(STABLE_PROBE)
        ),
        blame=Blame.CONFIG,
        reason="nothing at this address answers as StreamPay does: that breaks no promise of the release",
        reason_code=ANOTHER_APPLICATION,
    ),
    Rule(
        name="release-elsewhere",
        applies=lambda check: check.release_is_elsewhere and check.failure.cause == NOTHING_LISTENS,
        blame=Blame.CONFIG,
        reason="nothing listens at this address, and the expected release is ready at another one of the same host",
        reason_code=RELEASE_ELSEWHERE,
    ),
    Rule(
        name="contract-of-the-release",
        applies=lambda check: check.failure.kind == CONTRACT_UNEXPECTED and check.probe_held(STABLE_CONTRACT_PROBE),
        blame=Blame.PRODUCT,
        reason="the stable release works with the expected contract: this one was deployed with another",
        reason_code="contract_of_the_release",
    ),
    Rule(
        name="contract-of-both",
        applies=lambda check: check.failure.kind == CONTRACT_UNEXPECTED and check.probe_failed(STABLE_CONTRACT_PROBE),
        blame=Blame.CONFIG,
        reason="the stable release works with another contract than SMOKE_CONTRACT_ID, too: the setting is wrong",
    ),
    Rule(
        name="contract-of-either",
        applies=lambda check: check.failure.kind == CONTRACT_UNEXPECTED,
        blame=Blame.CONFIG,
        reason="no stable release tells which of the two is wrong: that holds, and rolls nothing back",
    ),
    Rule(
        name="settings",
        applies=_blamed(Blame.CONFIG),
        blame=Blame.CONFIG,
        reason="the settings or the credential given to this run are wrong",
    ),
    Rule(
        name="runner-has-no-way-out",
        applies=lambda check: (
            check.failure.kind in NO_WAY_OUT
            or (check.failure.kind in {NEVER_READY, *UNANSWERED} and check.probe_failed(EGRESS_PROBE))
        ),
        blame=Blame.HARNESS,
        reason="this runner cannot reach the deployment's host: no evidence against the release",
    ),
    Rule(
        name="ledger-is-down",
        applies=lambda check: (
            check.failure.blame == Blame.PRODUCT
            and check.explained_by_ledger
            and check.probe_failed(LEDGER_PROBE)
            and not check.probe_failed(DEPENDENCY_REPORT_PROBE)
        ),
        blame=Blame.DEPENDENCY,
        reason="the ledger, asked directly at the same moment, was not healthy",
    ),
    Rule(
        name="ledger-failed-in-this-run",
        applies=lambda check: check.failure.kind in {WRITE_TIMED_OUT, WRITE_PUT_OFF} and check.ledger_failed_elsewhere,
        blame=Blame.DEPENDENCY,
        reason="the service could not write, and this run, asking the ledger directly, got no usable answer either",
    ),
    Rule(
        name="others-write",
        applies=lambda check: (
            check.failure.blame == Blame.PRODUCT
            and check.failure.kind in WAITING_WRITES
            and check.probe_failed(TRAFFIC_PROBE)
        ),
        blame=Blame.DEPENDENCY,
        reason="others wrote to the same contract while it waited, more than this run did: writes there go in turn",
        reason_code="contract_busy",
    ),
    Rule(
        name="named-dependency-is-down",
        applies=lambda check: (
            check.failure.kind in LEDGER_FAILURES
            and check.probe_failed(NAMED_DEPENDENCY_PROBE)
            and not check.probe_held(STABLE_READY_PROBE)
        ),
        blame=Blame.DEPENDENCY,
        reason="the service itself names what it stands on as down, and all else as well",
        reason_code="dependency_down",
    ),
    Rule(
        name="contract-is-gone",
        applies=lambda check: check.lacks_contract,
        blame=Blame.DEPENDENCY,
        reason="the expected contract is not on the ledger: the network was reset, or its id is wrong",
    ),
    Rule(
        name="pre-existing",
        applies=lambda check: check.failure.blame == Blame.PRODUCT and check.probe_failed(STABLE_PROBE),
        blame=Blame.DEPENDENCY,
        reason="the stable release is red in the same way: rolling back to it would mend nothing",
        reason_code="pre_existing",
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
    Rule(
        name="limit-used-up",
        applies=lambda check: check.failure.kind == THROTTLED,
        blame=Blame.HARNESS,
        reason="a limit that is used up says nothing of what was asked",
    ),
    Rule(
        name=RUN_ENDED,
        applies=lambda check: check.failure.kind == INTERRUPTED,
        blame=Blame.HARNESS,
        reason="it says nothing of the release",
    ),
)

REASON_CODES = {rule.name: rule.reason_code for rule in RULES if rule.reason_code}
"""Reason codes of rules that know better than the failure what it is."""

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
