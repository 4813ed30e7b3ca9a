"""Whose fault it is: each rule with the failure it is for, and with a neighbour it must leave alone."""

import pytest
from msgspec.structs import replace

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.events import Failure, Probed
from streampay_smoke.gate.attribution import (
    CLOCK_PROBE,
    CONTRACT_PROBE,
    CREDENTIAL_PROBE,
    DEPENDENCY_REPORT_PROBE,
    EGRESS_PROBE,
    LEDGER_PROBE,
    NAMED_DEPENDENCY_PROBE,
    NETWORK_AGE_PROBE,
    RULES,
    SHOWN_AGAIN_PROBE,
    STABLE_CONTRACT_PROBE,
    STABLE_PROBE,
    STABLE_READY_PROBE,
    TRAFFIC_PROBE,
    FailedCheck,
    attribute,
)

LEDGER_DOWN = Probed(name=LEDGER_PROBE, ok=False, detail="refused")
LEDGER_UP = Probed(name=LEDGER_PROBE, ok=True, detail="healthy")
NO_WAY_OUT = Probed(name=EGRESS_PROBE, ok=False, detail="does not resolve")
WAY_OUT = Probed(name=EGRESS_PROBE, ok=True, detail="accepts connections")
CONTRACT_GONE = Probed(name=CONTRACT_PROBE, ok=False, detail="not found")
OLD_NETWORK = Probed(name=NETWORK_AGE_PROBE, ok=True, detail="ledger 3730763: about 216 days")
YOUNG_NETWORK = Probed(name=NETWORK_AGE_PROBE, ok=False, detail="ledger 12: about 0 days")
CLOCK_OFF = Probed(name=CLOCK_PROBE, ok=False, detail="ahead by 300 s")
STABLE_WELL = Probed(name=STABLE_PROBE, ok=True, detail="well")
STABLE_RED = Probed(name=STABLE_PROBE, ok=False, detail="5xx here and there")
STABLE_WELL = Probed(name=STABLE_PROBE, ok=True, detail="2xx there")
STABLE_ACCEPTS = Probed(name=CREDENTIAL_PROBE, ok=True, detail="200")
STABLE_REFUSES = Probed(name=CREDENTIAL_PROBE, ok=False, detail="401")
ACCEPTED_AGAIN = Probed(name=SHOWN_AGAIN_PROBE, ok=True, detail="401 and 200")
REFUSED_AGAIN = Probed(name=SHOWN_AGAIN_PROBE, ok=False, detail="401")
NAMED_DOWN = Probed(name=NAMED_DEPENDENCY_PROBE, ok=False, detail="stellar degraded")
NAMED_WELL = Probed(name=NAMED_DEPENDENCY_PROBE, ok=True, detail="all well")
STABLE_READY = Probed(name=STABLE_READY_PROBE, ok=True, detail="ready")
STABLE_NOT_READY = Probed(name=STABLE_READY_PROBE, ok=False, detail="stellar degraded")
STABLE_AS_EXPECTED = Probed(name=STABLE_CONTRACT_PROBE, ok=True, detail="it works with CEXPECTED")
STABLE_AS_RELEASE = Probed(name=STABLE_CONTRACT_PROBE, ok=False, detail="it works with COTHER")
OTHERS_WRITE = Probed(name=TRAFFIC_PROBE, ok=False, detail="9 writes in 3 of 3 ledgers")
NOBODY_WRITES = Probed(name=TRAFFIC_PROBE, ok=True, detail="0 writes in 0 of 3 ledgers")
OTHERS_DOWN = Probed(name=DEPENDENCY_REPORT_PROBE, ok=False, detail="kms: degraded")


def check(blame: Blame, *probes: Probed, kind: str = "k", needs_ledger: bool = True, cause: str = "") -> FailedCheck:
    failure = Failure(kind=kind, blame=blame, message="m", cause=cause)
    return FailedCheck(failure=failure, probes=probes, needs_ledger=needs_ledger)


CASES = [
    (
        "contract-of-the-release",
        check(Blame.CONFIG, STABLE_AS_EXPECTED, kind="contract_unexpected"),
        Blame.PRODUCT,
    ),
    ("contract-of-both", check(Blame.CONFIG, STABLE_AS_RELEASE, kind="contract_unexpected"), Blame.CONFIG),
    ("contract-of-either", check(Blame.CONFIG, STABLE_WELL, kind="contract_unexpected"), Blame.CONFIG),
    ("guard", check(Blame.SAFETY, LEDGER_DOWN), Blame.SAFETY),
    (
        "beside-the-guard",
        replace(check(Blame.PRODUCT, LEDGER_UP, kind="write_put_off"), guard_refused_elsewhere=True),
        Blame.DEPENDENCY,
    ),
    ("runner-clock-is-off", check(Blame.PRODUCT, CLOCK_OFF), Blame.HARNESS),
    (
        "credential-accepted-by-stable",
        check(Blame.CONFIG, STABLE_ACCEPTS, kind="credential_refused"),
        Blame.PRODUCT,
    ),
    (
        "credential-accepted-again",
        check(Blame.CONFIG, ACCEPTED_AGAIN, STABLE_REFUSES, kind="credential_refused"),
        Blame.PRODUCT,
    ),
    (
        "contract-never-deployed",
        check(Blame.PRODUCT, LEDGER_UP, CONTRACT_GONE, OLD_NETWORK, kind="stream_not_created"),
        Blame.PRODUCT,
    ),
    (
        "another-application-here-alone",
        check(Blame.CONFIG, STABLE_WELL, kind="another_application"),
        Blame.PRODUCT,
    ),
    ("another-application", replace(check(Blame.PRODUCT), another_application_answers=True), Blame.CONFIG),
    ("release-elsewhere", replace(check(Blame.PRODUCT, cause="refused"), release_is_elsewhere=True), Blame.CONFIG),
    ("settings", check(Blame.CONFIG, LEDGER_DOWN), Blame.CONFIG),
    ("runner-has-no-way-out", check(Blame.PRODUCT, NO_WAY_OUT, kind="service_unavailable"), Blame.HARNESS),
    ("ledger-is-down", check(Blame.PRODUCT, LEDGER_DOWN), Blame.DEPENDENCY),
    (
        "ledger-failed-in-this-run",
        replace(check(Blame.PRODUCT, LEDGER_UP, kind="write_timed_out"), ledger_failed_elsewhere=True),
        Blame.DEPENDENCY,
    ),
    ("others-write", check(Blame.PRODUCT, LEDGER_UP, OTHERS_WRITE, kind="write_timed_out"), Blame.DEPENDENCY),
    ("named-dependency-is-down", check(Blame.PRODUCT, LEDGER_UP, NAMED_DOWN, kind="never_ready"), Blame.DEPENDENCY),
    ("contract-is-gone", check(Blame.PRODUCT, LEDGER_UP, CONTRACT_GONE), Blame.DEPENDENCY),
    ("pre-existing", check(Blame.PRODUCT, LEDGER_UP, STABLE_RED), Blame.DEPENDENCY),
    ("ledger-side", check(Blame.DEPENDENCY, LEDGER_UP), Blame.DEPENDENCY),
    ("release", check(Blame.PRODUCT, LEDGER_UP, WAY_OUT), Blame.PRODUCT),
    ("limit-used-up", check(Blame.HARNESS, LEDGER_UP, kind="throttled"), Blame.HARNESS),
    ("run-was-ended", check(Blame.HARNESS, LEDGER_UP, kind="terminated"), Blame.HARNESS),
    ("harness", check(Blame.HARNESS, LEDGER_UP), Blame.HARNESS),
]


@pytest.mark.parametrize(
    ("probes", "kind", "blame"),
    [
        ((NAMED_DOWN, STABLE_NOT_READY), "never_ready", Blame.DEPENDENCY),
        ((OTHERS_WRITE,), "write_put_off", Blame.DEPENDENCY),
        ((OTHERS_WRITE,), "step_timeout", Blame.DEPENDENCY),
        ((OTHERS_WRITE,), "promise_broken", Blame.PRODUCT),
        ((NOBODY_WRITES,), "write_timed_out", Blame.PRODUCT),
        ((NAMED_DOWN, STABLE_READY), "never_ready", Blame.PRODUCT),
        ((NAMED_DOWN,), "write_put_off", Blame.DEPENDENCY),
        ((NAMED_DOWN,), "promise_broken", Blame.PRODUCT),
        ((NAMED_WELL,), "never_ready", Blame.PRODUCT),
        ((), "never_ready", Blame.PRODUCT),
    ],
)
def test_a_dependency_the_service_names_explains_what_waits_for_it(
    probes: tuple[Probed, ...], kind: str, blame: Blame
) -> None:
    assert attribute(check(Blame.PRODUCT, LEDGER_UP, *probes, kind=kind)).blame is blame


@pytest.mark.parametrize(("rule", "failed", "blame"), CASES, ids=[rule for rule, _, _ in CASES])
def test_each_rule_has_its_case(rule: str, failed: FailedCheck, blame: Blame) -> None:
    found = attribute(failed)
    assert (found.rule, found.blame) == (rule, blame)
    assert found.reason


def test_what_answers_otherwise_than_the_stable_release_at_the_same_moment_is_the_release() -> None:
    failed = replace(check(Blame.PRODUCT, STABLE_WELL), another_application_answers=True)
    assert attribute(failed).blame is Blame.PRODUCT


def test_no_rule_is_without_a_case() -> None:
    assert {rule.name for rule in RULES} | {"harness"} == {rule for rule, _, _ in CASES}


def test_a_silent_service_with_a_working_way_out_is_the_release() -> None:
    assert attribute(check(Blame.PRODUCT, WAY_OUT, kind="service_unavailable")).blame is Blame.PRODUCT


def test_no_way_out_does_not_excuse_a_broken_promise() -> None:
    assert attribute(check(Blame.PRODUCT, NO_WAY_OUT, kind="promise_broken")).blame is Blame.PRODUCT


def test_a_broken_ledger_does_not_excuse_an_open_list() -> None:
    assert attribute(check(Blame.PRODUCT, LEDGER_DOWN, needs_ledger=False)).blame is Blame.PRODUCT


@pytest.mark.parametrize("kind", ["never_ready", "stream_not_created", "write_put_off"])
@pytest.mark.parametrize("probe", [LEDGER_DOWN, CONTRACT_GONE])
def test_a_broken_ledger_explains_what_needs_it_in_any_scenario(kind: str, probe: Probed) -> None:
    assert attribute(check(Blame.PRODUCT, probe, kind=kind, needs_ledger=False)).blame is Blame.DEPENDENCY
    assert attribute(check(Blame.PRODUCT, LEDGER_UP, kind=kind, needs_ledger=False)).blame is Blame.PRODUCT


def test_a_broken_ledger_does_not_excuse_a_service_whose_other_dependencies_are_down() -> None:
    assert attribute(check(Blame.PRODUCT, LEDGER_DOWN, OTHERS_DOWN)).blame is Blame.PRODUCT


def test_without_probes_nothing_is_excused() -> None:
    assert attribute(check(Blame.PRODUCT)).blame is Blame.PRODUCT


def test_a_probe_that_does_not_apply_excuses_nothing() -> None:
    not_applicable = Probed(name=LEDGER_PROBE, ok=None, detail="no RPC is configured")
    assert attribute(check(Blame.PRODUCT, not_applicable)).blame is Blame.PRODUCT


def test_a_credential_both_refuse_is_the_operators() -> None:
    refused = check(Blame.CONFIG, STABLE_REFUSES, kind="credential_refused")
    assert attribute(refused).blame is Blame.CONFIG


def test_a_credential_that_stays_refused_without_a_stable_release_is_the_operators() -> None:
    assert attribute(check(Blame.CONFIG, kind="credential_refused")).blame is Blame.CONFIG
    assert attribute(check(Blame.CONFIG, REFUSED_AGAIN, kind="credential_refused")).blame is Blame.CONFIG


@pytest.mark.parametrize("accepted", [STABLE_ACCEPTS, ACCEPTED_AGAIN])
def test_a_credential_that_is_accepted_excuses_no_other_setting(accepted: Probed) -> None:
    assert attribute(check(Blame.CONFIG, accepted, kind="contract_missing")).blame is Blame.CONFIG


def test_a_stable_release_that_is_well_excuses_nothing() -> None:
    assert attribute(check(Blame.PRODUCT, STABLE_WELL)).blame is Blame.PRODUCT


def test_a_stable_release_that_is_red_does_not_hide_the_guard() -> None:
    assert attribute(check(Blame.SAFETY, STABLE_RED, CLOCK_OFF)).blame is Blame.SAFETY


@pytest.mark.parametrize(
    ("failed", "blame"),
    [
        (check(Blame.CONFIG, CLOCK_OFF, kind="credential_refused"), Blame.HARNESS),
        (check(Blame.CONFIG, CLOCK_OFF, kind="settings_invalid"), Blame.CONFIG),
        (check(Blame.DEPENDENCY, CLOCK_OFF), Blame.DEPENDENCY),
    ],
)
def test_a_clock_that_is_off_explains_what_time_can_explain(failed: FailedCheck, blame: Blame) -> None:
    assert attribute(failed).blame is blame


@pytest.mark.parametrize("kind", ["write_timed_out", "write_put_off"])
def test_a_write_that_is_not_done_is_the_ledgers_only_where_that_failed_this_run_too(kind: str) -> None:
    not_done = check(Blame.PRODUCT, LEDGER_UP, kind=kind, needs_ledger=False)
    assert attribute(not_done).blame is Blame.PRODUCT
    found = attribute(replace(not_done, ledger_failed_elsewhere=True))
    assert (found.blame, found.rule) == (Blame.DEPENDENCY, "ledger-failed-in-this-run")


def test_a_write_put_off_beside_a_contract_that_was_never_there_is_the_release() -> None:
    put_off = check(Blame.PRODUCT, LEDGER_UP, CONTRACT_GONE, OLD_NETWORK, kind="write_put_off")
    assert attribute(put_off).rule == "contract-never-deployed"


MISSING = check(Blame.CONFIG, LEDGER_UP, CONTRACT_GONE, OLD_NETWORK, kind="contract_missing")


def test_a_missing_contract_is_a_setting_as_long_as_the_service_works() -> None:
    assert attribute(MISSING).blame is Blame.CONFIG


def test_a_missing_contract_on_an_old_network_is_the_releases_when_its_service_cannot_work_either() -> None:
    found = attribute(replace(MISSING, creation_failed_elsewhere=True))
    assert (found.blame, found.rule) == (Blame.PRODUCT, "contract-never-deployed")


@pytest.mark.parametrize(
    "probes",
    [
        (LEDGER_UP, CONTRACT_GONE, YOUNG_NETWORK),
        (LEDGER_UP, CONTRACT_GONE, replace(OLD_NETWORK, ok=None)),
        (LEDGER_UP, CONTRACT_GONE),
        (LEDGER_DOWN, CONTRACT_GONE, OLD_NETWORK),
        (LEDGER_UP, CONTRACT_GONE, OLD_NETWORK, STABLE_RED),
    ],
    ids=["reset just now", "of unknown age", "nobody asked", "beside a broken ledger", "missing for the stable too"],
)
def test_a_missing_contract_that_something_else_explains_is_never_the_releases(probes: tuple[Probed, ...]) -> None:
    missing = replace(MISSING, probes=probes, creation_failed_elsewhere=True)
    assert attribute(missing).blame is Blame.CONFIG
    for kind in ("stream_not_created", "write_put_off"):
        assert attribute(check(Blame.PRODUCT, *probes, kind=kind, needs_ledger=False)).blame is Blame.DEPENDENCY


@pytest.mark.parametrize("kind", ["promise_broken", "stream_not_created", "service_unavailable"])
def test_a_ledger_that_failed_elsewhere_excuses_no_answer_of_the_service(kind: str) -> None:
    failed = replace(check(Blame.PRODUCT, LEDGER_UP, kind=kind), ledger_failed_elsewhere=True)
    assert attribute(failed).blame is Blame.PRODUCT
