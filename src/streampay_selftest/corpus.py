"""Every case, by name: the sandbox's own faults, and what the tables beside this module hold."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from streampay_sandbox.fault import Fault, Truth
from streampay_sandbox.faults import FAULTS
from streampay_sandbox.ledger.faults import FAULTS as LEDGER_FAULTS
from streampay_sandbox.service.faults.fleet import OF_FIVE
from streampay_selftest import (
    canaries,
    environment_disturbances,
    network_disturbances,
    proxy_faults,
    region_cases,
    runner_disturbances,
    settings_disturbances,
)
from streampay_selftest.case import BY_SERVICE, Case
from streampay_selftest.conditions import environment_file, setting, stable_without_the_fault

IMPATIENT = environment_file(ready_within_seconds=1, cutover_seconds=1)
"""A release that will not mend is not waited for: no fault is hidden by that, and a disturbance is never hurried."""

ALL_OF_FIVE = setting(SMOKE_REPLICAS=str(OF_FIVE))

PLAYED_WITH: Mapping[str, Mapping[str, object]] = {
    # A user of a signed token is asked for no challenge, and the check of used ones is left out.
    "wallet-challenge-lasts": {"conditions": (IMPATIENT, setting(SMOKE_AUTH_MODE="wallet"))},
    # Without a release to compare it with nobody knows whether it or the setting is wrong: that is a case of its own.
    "contract-id-wrong": {"conditions": (IMPATIENT, stable_without_the_fault)},
    # An environment that says how many writes its service takes at once.
    "sends-from-one-account": {"conditions": (environment_file(writes_at_once=1),)},
    # It tells everybody to wait for a minute, which is longer than this run has.
    "limits-block-everybody": {"conditions": (IMPATIENT, setting(SMOKE_DEADLINE_SECONDS="40"))},
    **{
        fault.name: {"conditions": (*(() if fault.truth is Truth.NONE else (IMPATIENT,)), ALL_OF_FIVE)}
        | ({"features": ("readiness", "records")} if fault.truth is Truth.NONE else {})
        for fault in FAULTS.values()
        if "of-five-" in fault.name
    },
    # Scenarios in turn: beside each other, which of them a restart hits is chance.
    **{name: {"conditions": (IMPATIENT,), "close_seconds": 0.0} for name in FAULTS if name.startswith("restart-loses")},
    # A part that ends before its deadline: the whole smoke is cut off by it, and its streams cannot all be ended.
    "slow": {"tags": "@streams and not @signing-secret and not @second-user"},
}
"""What a fault of the sandbox needs beside it, where it is not caught just as it is: fields of its case."""


def of_the_sandbox(fault: Fault) -> Case:
    """Return the case of a fault that the sandbox plays."""
    fields = {name: getattr(fault, name) for name in Fault.__struct_fields__}
    ledger = fault.name in LEDGER_FAULTS
    case = Case(
        **fields,
        faults=(fault.name,),
        conditions=() if fault.truth is Truth.NONE else (IMPATIENT,),
        features=("chain",) if ledger and not fault.caught_by else (),
    )
    return replace(case, **PLAYED_WITH.get(fault.name, {}))


def _by_name(cases: Iterable[Case]) -> Mapping[str, Case]:
    corpus: dict[str, Case] = {}
    for case in cases:
        if case.name in corpus:
            raise ValueError(f"two cases are named {case.name!r}")
        corpus[case.name] = case
    return corpus


BY_THE_SERVICES_WORD = (
    *("settle-invents-transaction", "settle-invents-two", "settle-failed-but-ended", "settle-receipt-differs"),
    *("failed-settle-ends-stream", "failed-settle-frozen", "key-answers-for-other-stream", "refusal-frozen"),
    *("record-cancelled-as-draft", "record-not-settled", "replicas-keep-streams", "restart-loses-streams"),
)
"""Faults of money that are seen without a ledger, too: played once more where proof is `service`."""


def without_a_ledger(fault: Fault) -> Case:
    """Return the case of a fault of the sandbox with proof `service`."""
    case = of_the_sandbox(fault)
    proof = setting(SMOKE_SETTLEMENT_PROOF="service")
    return replace(case, name=f"{fault.name}{BY_SERVICE}", conditions=(*case.conditions, proof))


NOT_LOOKED_AT: frozenset[str] = frozenset({"reads-slower", "writes-slower", "requests-fail-at-times"})
"""Faults that the sandbox plays and no scenario is about: those that only a comparison tells, in `canaries`."""

CORPUS = _by_name(
    (
        *(of_the_sandbox(fault) for fault in FAULTS.values() if fault.name not in NOT_LOOKED_AT),
        *(without_a_ledger(FAULTS[name]) for name in BY_THE_SERVICES_WORD),
        *canaries.CANARIES,
        *proxy_faults.PROXY_FAULTS,
        *environment_disturbances.ENVIRONMENT_DISTURBANCES,
        *network_disturbances.NETWORK_DISTURBANCES,
        *runner_disturbances.RUNNER_DISTURBANCES,
        *settings_disturbances.SETTINGS_DISTURBANCES,
        *region_cases.REGION_CASES,
    )
)
