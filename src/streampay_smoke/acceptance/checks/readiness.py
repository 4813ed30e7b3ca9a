"""What a release promises when it says that it is ready."""

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.core.errors import GuardRefused, PromiseBroken
from streampay_smoke.core.networks import PUBLIC_NAMES
from streampay_smoke.service.records import Readiness


def reports_ready(readiness: Readiness, expect: Expect) -> None:
    """The answer is StreamPay's own, not a proxy's page or a login form."""
    expect(
        "the readiness answer is the service's own",
        readiness.genuine,
        expected="StreamPay's report of its dependencies",
        observed=readiness.not_genuine_because or "StreamPay's report of its dependencies",
    )
    expect("the service says that it is ready", readiness.ready, expected="ready", observed=readiness.description)


def dependencies_are_healthy(readiness: Readiness, expect: Expect) -> None:
    """Every dependency the service names is ok; naming none is no report."""
    reports = readiness.dependencies
    names = ", ".join(reports)
    expect("the service names its dependencies", bool(reports), expected="its dependencies", observed=names or "none")
    failing = [f"{name} is {each.status} {each.message}".strip() for name, each in reports.items() if not each.ok]
    expect(
        "every dependency is healthy", not failing, expected=f"{names} ok", observed="; ".join(failing) or f"{names} ok"
    )


def names_network(readiness: Readiness, expected: str, expect: Expect) -> None:
    """The service works on the network this environment is for."""
    expect(
        "the service names the network of this environment",
        readiness.network == expected,
        expected=expected,
        observed=readiness.network or "no network",
    )


def release_answers(readiness: Readiness, expected: str, expect: Expect) -> None:
    """The expected release is deployed on every replica."""
    observed = readiness.release or "a release that does not name itself"
    expect("the expected release answers", readiness.release == expected, expected=expected, observed=observed)


def refuse_real_money(readiness: Readiness) -> None:
    """Raise unless the service declares a test network: nothing is ever settled on the public one."""
    if readiness.network in PUBLIC_NAMES:
        raise GuardRefused(
            "the service declares itself on the public network: it is not asked to move money",
            next_step="point the gate at a deployment on a test network, or mark this environment read-only",
        )
    if not readiness.network:
        raise PromiseBroken(
            "the service does not say which network it works on: it is not asked to move money",
            next_step="see what the service's readiness says of its ledger",
        )
