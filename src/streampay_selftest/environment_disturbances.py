"""Undisturbed runs in environments as they are: paces of ledgers, latencies, sign-ins, environment files as shipped."""

import signal

from streampay_sandbox.fault import Severity, Truth
from streampay_sandbox.proxy import Forward, hang_up
from streampay_sandbox.wire_versions import WIRE_VERSIONS
from streampay_selftest.case import Case
from streampay_selftest.conditions import (
    NewBehaviour,
    another_ledger,
    beside_other_runs,
    environment_file,
    proxy,
    rpc_proxy,
    setting,
    shipped,
    signed_in_by_token,
    stopped_by,
    without,
)
from streampay_selftest.proxy_behaviours import answering, called, chunked, everywhere, for_seconds, until_closed

DISTURBANCE = Severity.DISTURBANCE
NONE, HARNESS, CONFIG = Truth.NONE, Truth.HARNESS, Truth.CONFIG
DERIVED_DEADLINE = without("SMOKE_DEADLINE_SECONDS")
"""As a run has it that is told nothing: what its waits for ledgers add up to."""

PACES_SECONDS = (0.0, 1.0, 5.0, 6.0)
"""Testnet and the public network close a ledger every five to six seconds, a local network every second."""

LATENCIES_MS = (50, 100, 400)

SIGN_INS = {
    "a token of the signing secret": (setting(SMOKE_AUTH_MODE="jwt"),),
    "a token that an operator made": (signed_in_by_token,),
    "an API key": (setting(SMOKE_AUTH_MODE="api-key"),),
}

SHIPPED = {
    "staging": (shipped("staging", service_network="testnet"),),
    "local": (shipped("local", service_network="private"),),
    "production": (shipped("production", service_network="public"), signed_in_by_token),
}

RESTART_AFTER_REQUESTS = (10, 60, 200)


def _away(seconds: float) -> NewBehaviour:
    return lambda: everywhere(Forward(seconds=seconds))


def _restarting(after: int) -> NewBehaviour:
    return lambda: for_seconds(2.0, hang_up(), after=after)


ENVIRONMENT_DISTURBANCES = (
    *(
        Case(
            name=f"nothing is wrong, and a ledger closes {f'every {seconds:g} s' if seconds else 'at once'}",
            story="operations: the whole smoke at the pace of a network",
            severity=DISTURBANCE,
            truth=NONE,
            close_seconds=seconds,
            conditions=(DERIVED_DEADLINE,),
        )
        for seconds in PACES_SECONDS
    ),
    *(
        Case(
            name=f"nothing is wrong, and the RPC is {version.rpc} on protocol {version.protocol}",
            story="operations: networks and RPC providers upgrade at times of their own",
            severity=DISTURBANCE,
            truth=NONE,
            rpc_version=name,
            tags="@smoke",
        )
        for name, version in WIRE_VERSIONS.items()
    ),
    Case(
        name="nothing is wrong, and two ledgers share each second",
        story="CAP-88: ledgers may close in the same second since protocol 30",
        severity=DISTURBANCE,
        truth=NONE,
        close_seconds=0.5,
        rpc_version="30",
        conditions=(DERIVED_DEADLINE,),
        tags="@smoke",
    ),
    *(
        Case(
            name=f"a service and a ledger that are {latency_ms} ms away",
            story="operations: the runner stands on another continent",
            severity=DISTURBANCE,
            truth=NONE,
            conditions=(
                DERIVED_DEADLINE,
                proxy(_away(latency_ms / 1000)),
                rpc_proxy(_away(latency_ms / 1000)),
            ),
        )
        for latency_ms in LATENCIES_MS
    ),
    *(
        Case(
            name=f"the whole smoke, signed in by {how}",
            story="operations: another kind of credential",
            severity=DISTURBANCE,
            truth=NONE,
            conditions=conditions,
            tags="@smoke",
        )
        for how, conditions in SIGN_INS.items()
    ),
    *(
        Case(
            name=f"the whole smoke of {name}.toml",
            story="operations: the environment file as it is shipped",
            severity=DISTURBANCE,
            truth=NONE,
            conditions=conditions,
        )
        for name, conditions in SHIPPED.items()
    ),
    *(
        Case(
            name=f"the service restarts for two seconds after {requests} requests",
            story="operations: a process is replaced, at any moment, and forgets nothing",
            severity=DISTURBANCE,
            truth=NONE,
            conditions=(proxy(_restarting(requests)),),
            tags="@smoke",
        )
        for requests in RESTART_AFTER_REQUESTS
    ),
    Case(
        name="two runs at once on a ledger of 5 s",
        story="operations: two pipelines deploy the same service on a test network",
        severity=DISTURBANCE,
        truth=NONE,
        close_seconds=5.0,
        conditions=(DERIVED_DEADLINE, beside_other_runs("@settlement or @readiness")),
        tags="@settlement or @readiness",
    ),
    Case(
        name="three runs at once, and a service with one account",
        story="operations: pipelines share a service that sends one write for each ledger of 5 s",
        severity=DISTURBANCE,
        truth=NONE,
        or_else=(Truth.DEPENDENCY, HARNESS),
        faults=("sends-from-one-account",),
        close_seconds=5.0,
        conditions=(
            DERIVED_DEADLINE,
            environment_file(writes_at_once=1),
            beside_other_runs("@settlement or @settlement-keys or @records", runs=2),
        ),
        tags="@settlement or @readiness",
    ),
    Case(
        name="a deadline that is shorter than the ledgers of the run",
        story="operations: a job's limit was made for the sandbox, and the ledger closes every 5 s",
        severity=DISTURBANCE,
        truth=HARNESS,
        close_seconds=5.0,
        conditions=(setting(SMOKE_DEADLINE_SECONDS="15"),),
        tags="@smoke",
    ),
    Case(
        name="stopped by SIGTERM on a ledger of 5 s",
        story="operations: the pipeline was cancelled while a stream was running",
        severity=DISTURBANCE,
        truth=HARNESS,
        close_seconds=5.0,
        conditions=(DERIVED_DEADLINE, stopped_by(signal.SIGTERM, at='"resource_created"')),
        features=("settlement",),
    ),
    Case(
        name="a signal while a part of the run ends its streams",
        story="operations: a pipeline is cancelled; one lane has played its share and is cleaning up",
        severity=DISTURBANCE,
        truth=HARNESS,
        close_seconds=5.0,
        conditions=(DERIVED_DEADLINE, stopped_by(signal.SIGTERM, at='/stop"')),
    ),
    Case(
        name="a private ledger that is not the service's",
        story="operations: SMOKE_STELLAR_RPC_URL was copied from another private network",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(another_ledger,),
        tags="@smoke",
    ),
    Case(
        name="everything this runner asks is slow",
        story="operations: the runner's own way out takes 1.3 s, to the service and to the ledger",
        severity=DISTURBANCE,
        truth=HARNESS,
        conditions=(
            setting(SMOKE_AUTH_MODE="jwt"),
            proxy(_away(1.3)),
            rpc_proxy(_away(1.3)),
        ),
        tags="(@streams and not @signing-secret and not @second-user) or @chain",
    ),
    # HTTP as it may be, and seldom is.
    Case(
        name="answers in chunks",
        story="operations: a gateway that knows no length sends each answer in chunks",
        severity=DISTURBANCE,
        truth=NONE,
        conditions=(proxy(lambda: answering(chunked)),),
        features=("readiness", "streams", "settlement"),
    ),
    Case(
        name="answers that end with their connection",
        story="operations: an old proxy tells no length and closes the connection",
        severity=DISTURBANCE,
        truth=NONE,
        conditions=(proxy(lambda: answering(until_closed)),),
        features=("readiness", "streams", "settlement"),
    ),
    Case(
        name="a content type with capitals and parameters",
        story="operations: RFC 9110 lets a content type be written so",
        severity=DISTURBANCE,
        truth=NONE,
        conditions=(proxy(lambda: answering(called('Application/JSON ; Charset="UTF-8"'), "/api/streams")),),
        features=("readiness", "streams", "settlement"),
    ),
)
