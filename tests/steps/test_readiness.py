"""What a release promises when it says that it is ready."""

import socket
from collections.abc import Iterator

import pytest
from step_parts import Asked, Honest, Says, SmallStreamPay, Witness, readiness, readyz_says

from streampay_smoke.acceptance.checks import readiness as promises
from streampay_smoke.acceptance.observations import readiness as waiting
from streampay_smoke.acceptance.observations.readiness import NeverReady, become_ready
from streampay_smoke.core.errors import Blame, GuardRefused, PromiseBroken, ServiceUnavailable
from streampay_smoke.core.networks import PUBLIC_NAMES
from streampay_smoke.evidence.events import Retried, ServiceSeen, Waited
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.records import DependencyReport, Readiness
from streampay_smoke.service.transport import HostUnresolved, NoServiceAnswer, Throttled

LIMIT_SECONDS = 0.02


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.001)


@pytest.fixture
def deployment(small: SmallStreamPay, witness: Witness) -> Iterator[Deployment]:
    with _at(small.url, witness) as deployment:
        yield deployment


def _at(url: str, witness: Witness) -> Deployment:
    return Deployment.at(
        url, dialect="app-v1", record=witness.events.append, timeout_seconds=5, learn_secret=lambda secret: None
    )


def _in_turn(*answers: Says) -> Iterator[Says]:
    yield from answers
    while True:
        yield answers[-1]


def test_become_ready_passes_for_a_service_that_is_ready_at_once(
    deployment: Deployment, small: SmallStreamPay, witness: Witness
) -> None:
    found = become_ready(deployment, within_seconds=5, record=witness.events.append)

    assert found.ready
    assert found.network == "private"
    assert len(small.asked) == 1
    (waited,) = witness.of(Waited)
    assert waited.met
    assert waited.attempts == 1
    assert "stellar ok" in waited.last
    assert len(witness.of(ServiceSeen)) == 1


@pytest.mark.parametrize(
    "early",
    [
        pytest.param(readyz_says(503, status="degraded", message="fetch failed"), id="degraded"),
        pytest.param(Says(status=502, text="<html><title>502 Bad Gateway</title></html>"), id="a gateway"),
        pytest.param(Says(status=503), id="an empty 503"),
        pytest.param(Says(status=404, text="<html><title>404</title></html>"), id="not deployed yet"),
        pytest.param(Says(status=200, text="<html><title>Welcome to nginx!</title></html>"), id="a welcome page"),
        pytest.param(Says(status=500), id="a crash on start"),
        pytest.param(Says(status=200, json={}), id="an empty object"),
    ],
)
def test_become_ready_waits_for_a_service_that_starts_late(
    early: Says, deployment: Deployment, small: SmallStreamPay, witness: Witness
) -> None:
    turns = _in_turn(early, early, readyz_says())
    small.lie("GET /api/readyz", lambda asked, honest: next(turns))

    assert become_ready(deployment, within_seconds=5, record=witness.events.append).ready

    (waited,) = witness.of(Waited)
    assert (waited.met, waited.attempts) == (True, 3)


@pytest.mark.parametrize(
    ("says", "last"),
    [
        pytest.param(readyz_says(503, status="degraded", message="fetch failed"), "stellar degraded", id="degraded"),
        pytest.param(readyz_says(200, status="degraded"), "stellar degraded", id="degraded, but 200"),
        pytest.param(Says(text="<html><title>StreamPay</title></html>"), "titled 'StreamPay'", id="the app's page"),
        pytest.param(Says(text="<html><title>Log in</title></html>"), "titled 'Log in'", id="a login page"),
        pytest.param(Says(json={}), "body.status is missing", id="an empty object"),
        pytest.param(Says(json={"status": "ok", "checks": {}}), "checks.config is missing", id="no dependency"),
        pytest.param(Says(status=204), "status 204", id="no content"),
        pytest.param(Says(status=302, headers={"location": "/login"}), "status 302", id="a redirect"),
        pytest.param(Says(status=500, text="oops"), "status 500", id="a crash"),
        pytest.param(Says(status=502, text="<html>bad</html>"), "status 502", id="a gateway"),
    ],
)
def test_become_ready_fails_when_the_service_never_says_so(
    says: Says, last: str, deployment: Deployment, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/readyz", says)

    with pytest.raises(NeverReady) as caught:
        become_ready(deployment, within_seconds=LIMIT_SECONDS, record=witness.events.append)

    assert caught.value.blame is Blame.PRODUCT
    assert caught.value.kind == "never_ready"
    assert caught.value.next_step
    assert "for the service to say that it is ready" in str(caught.value)
    assert f"limit {LIMIT_SECONDS:g} s" in str(caught.value)
    assert last in str(caught.value)
    waited = witness.of(Waited)[-1]
    assert not waited.met
    assert waited.last in str(caught.value)


def test_a_limit_on_the_readiness_blames_nobody(
    deployment: Deployment, small: SmallStreamPay, witness: Witness
) -> None:
    # A 429 is waited out for as long as it asks; this one asks for more than anybody has.
    small.lie("GET /api/readyz", Says(status=429, headers={"retry-after": "999"}))

    with pytest.raises(Throttled, match="status 429") as caught:
        become_ready(deployment, within_seconds=LIMIT_SECONDS, record=witness.events.append)

    assert caught.value.blame is Blame.HARNESS


def test_become_ready_fails_when_nobody_listens(witness: Witness) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with (
            _at(f"http://127.0.0.1:{unused.getsockname()[1]}", witness) as deployment,
            pytest.raises(NoServiceAnswer) as caught,
        ):
            become_ready(deployment, within_seconds=LIMIT_SECONDS, record=witness.events.append)

    assert caught.value.cause == "refused"
    assert isinstance(caught.value, ServiceUnavailable)
    (waited,) = witness.of(Waited)
    assert not waited.met
    assert waited.attempts > 1


class Turns(Deployment):
    """A deployment whose readiness is one thing after the other, the last one for good."""

    def __init__(self, *turns: Readiness | Exception) -> None:
        self.turns = list(turns)
        self.looks = 0

    def readiness(self) -> Readiness:
        self.looks += 1
        turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        if isinstance(turn, Exception):
            raise turn
        return turn


REFUSED = NoServiceAnswer("nobody listens", cause="refused")
NOT_YET = readiness(ready=False, status_code=503, dependencies={"kms": DependencyReport(status="down")})


@pytest.mark.parametrize("early", [[REFUSED], [REFUSED, NOT_YET], [NOT_YET, REFUSED], [REFUSED] * 5])
def test_become_ready_waits_out_silence_and_start_up_alike(
    early: list[Readiness | Exception], witness: Witness
) -> None:
    deployment = Turns(*early, readiness())

    assert become_ready(deployment, within_seconds=5, record=witness.events.append) == readiness()
    assert deployment.looks == len(early) + 1


def test_become_ready_blames_silence_when_silence_came_last(witness: Witness) -> None:
    with pytest.raises(NoServiceAnswer, match="nobody listens"):
        become_ready(Turns(NOT_YET, REFUSED), within_seconds=LIMIT_SECONDS, record=witness.events.append)


def test_become_ready_blames_the_last_answer_when_silence_came_first(witness: Witness) -> None:
    with pytest.raises(NeverReady, match="kms down"):
        become_ready(Turns(REFUSED, NOT_YET), within_seconds=LIMIT_SECONDS, record=witness.events.append)


def test_a_host_that_does_not_resolve_is_not_waited_for(witness: Witness) -> None:
    deployment = Turns(HostUnresolved("no such host", cause="dns"), readiness())

    with pytest.raises(HostUnresolved) as caught:
        become_ready(deployment, within_seconds=600, record=witness.events.append)

    assert caught.value.blame is Blame.HARNESS
    assert deployment.looks == 1
    (waited,) = witness.of(Waited)
    assert not waited.met


def test_a_trouble_of_the_suite_is_not_waited_for(witness: Witness) -> None:
    deployment = Turns(RuntimeError("a defect"), readiness())

    with pytest.raises(RuntimeError):
        become_ready(deployment, within_seconds=600, record=witness.events.append)

    assert deployment.looks == 1


def test_answers_for_itself_passes_for_the_services_own_answer(witness: Witness) -> None:
    promises.reports_ready(readiness(), witness.expect)

    witness.saw_held("the readiness answer is the service's own", "the service says that it is ready")


@pytest.mark.parametrize(
    ("change", "promise", "saw"),
    [
        pytest.param(
            {"genuine": False, "not_genuine_because": "this is an HTML page titled 'Welcome to nginx!'"},
            "the readiness answer is the service's own",
            "Welcome to nginx",
            id="a proxy's page",
        ),
        pytest.param(
            {"ready": False, "dependencies": {"kms": DependencyReport(status="down", message="timeout")}},
            "the service says that it is ready",
            "kms down (timeout)",
            id="not ready",
        ),
    ],
)
def test_answers_for_itself_fails_when_another_answers_or_it_is_not_ready(
    change: dict[str, object], promise: str, saw: str, witness: Witness
) -> None:
    with witness.breaks(promise, saw=saw):
        promises.reports_ready(readiness(**change), witness.expect)


def test_dependencies_are_ok_passes_and_says_which_there_are(witness: Witness) -> None:
    promises.dependencies_are_healthy(readiness(), witness.expect)

    witness.saw_held("the service names its dependencies", "every dependency is healthy")
    assert witness.checks[-1].observed == "config, stellar, kms ok"


def test_dependencies_are_ok_fails_when_none_is_named(witness: Witness) -> None:
    with witness.breaks("the service names its dependencies", saw="none"):
        promises.dependencies_are_healthy(readiness(dependencies={}), witness.expect)


@pytest.mark.parametrize("status", ["degraded", "down", "OK", "okay", "", "unknown"])
@pytest.mark.parametrize("name", ["config", "kms", "a new one"])
def test_dependencies_are_ok_fails_when_one_is_not(name: str, status: str, witness: Witness) -> None:
    dependencies = {**readiness().dependencies, name: DependencyReport(status=status, message="fetch failed")}

    with witness.breaks("every dependency is healthy", expected="ok", saw=f"{name} is {status} fetch failed"):
        promises.dependencies_are_healthy(readiness(dependencies=dependencies), witness.expect)


@pytest.mark.parametrize("network", ["testnet", "futurenet", "private", "public"])
def test_names_network_passes_for_the_one_of_this_environment(network: str, witness: Witness) -> None:
    promises.names_network(readiness(network=network), network, witness.expect)

    witness.saw_held("the service names the network of this environment")


@pytest.mark.parametrize(("network", "saw"), [("public", "public"), ("futurenet", "futurenet"), ("", "no network")])
def test_names_network_fails_when_it_is_another_or_none(network: str, saw: str, witness: Witness) -> None:
    with witness.breaks("the service names the network of this environment", expected="testnet", saw=saw):
        promises.names_network(readiness(network=network), "testnet", witness.expect)


def test_release_answers_passes_for_the_expected_one(witness: Witness) -> None:
    promises.release_answers(readiness(release="release-2"), "release-2", witness.expect)

    witness.saw_held("the expected release answers")


@pytest.mark.parametrize(
    ("release", "saw"),
    [
        ("release-1", "release-1"),
        ("release-20", "release-20"),
        ("RELEASE-2", "RELEASE-2"),
        ("", "a release that does not name itself"),
    ],
)
def test_release_answers_fails_when_another_answers(release: str, saw: str, witness: Witness) -> None:
    with witness.breaks("the expected release answers", expected="release-2", saw=saw):
        promises.release_answers(readiness(release=release), "release-2", witness.expect)


@pytest.mark.parametrize("network", ["testnet", "futurenet", "private"])
def test_refuse_real_money_lets_test_networks_through(network: str) -> None:
    promises.refuse_real_money(readiness(network=network))


@pytest.mark.parametrize("network", sorted(PUBLIC_NAMES))
def test_refuse_real_money_is_a_matter_of_safety_on_the_public_network(network: str) -> None:
    with pytest.raises(GuardRefused, match="declares itself on the public network") as caught:
        promises.refuse_real_money(readiness(network=network))

    assert caught.value.blame is Blame.SAFETY
    assert "read-only" in caught.value.next_step


def test_refuse_real_money_fails_when_no_network_is_named() -> None:
    with pytest.raises(PromiseBroken, match="does not say which network") as caught:
        promises.refuse_real_money(readiness(network=""))

    assert caught.type is PromiseBroken
    assert "readiness" in caught.value.next_step


@pytest.mark.parametrize(
    ("message", "network"),
    [
        ("reachable: https://horizon.stellar.org", "public"),
        ("reachable: https://horizon-testnet.stellar.org and https://horizon.stellar.org", "public"),
        ("reachable: https://mainnet.example.org", "public"),
        ("reachable", ""),
        ("reachable: https://horizon-testnet.stellar.org and https://horizon-futurenet.stellar.org", ""),
    ],
)
def test_what_the_service_says_on_the_wire_decides_whether_money_may_move(
    message: str, network: str, deployment: Deployment, small: SmallStreamPay, witness: Witness
) -> None:
    small.lie("GET /api/readyz", readyz_says(message=message))
    found = become_ready(deployment, within_seconds=5, record=witness.events.append)

    assert found.network == network
    with pytest.raises((GuardRefused, PromiseBroken)) as caught:
        promises.refuse_real_money(found)
    assert caught.type is (GuardRefused if network else PromiseBroken)


def test_asking_for_readiness_changes_nothing(deployment: Deployment, small: SmallStreamPay, witness: Witness) -> None:
    def lie(asked: Asked, honest: Honest) -> Says:
        assert asked.method == "GET"
        return honest(asked)

    small.lie("GET /api/readyz", lie)
    become_ready(deployment, within_seconds=5, record=witness.events.append)

    assert not small.writes


def test_an_old_release_is_waited_out_while_the_expected_one_is_rolled_out(witness: Witness) -> None:
    turns = Turns(readiness(release="release-1"), readiness(release=""), readiness(release="release-2"))
    found = become_ready(turns, within_seconds=5, record=witness.events.append, release_expected="release-2")
    assert found.release == "release-2"
    (waited,) = witness.of(Waited)
    assert (waited.met, waited.attempts) == (True, 3)
    assert witness.of(Retried) == []


def test_an_old_release_that_stays_is_returned_for_a_check_to_judge(witness: Witness) -> None:
    turns = Turns(readiness(release="release-1"))
    found = become_ready(
        turns, within_seconds=LIMIT_SECONDS, record=witness.events.append, release_expected="release-2"
    )
    assert found.release == "release-1"
    (waited,) = witness.of(Waited)
    assert not waited.met
    assert "release-1 is ready, not release-2" in waited.last


def test_silence_before_ready_is_labelled_and_a_slow_start_is_not(witness: Witness) -> None:
    become_ready(Turns(REFUSED, readiness()), within_seconds=5, record=witness.events.append)
    (retried,) = witness.of(Retried)
    assert (retried.attempt, retried.because) == (2, REFUSED.cause)
    witness.events.clear()
    become_ready(Turns(NOT_YET, readiness()), within_seconds=5, record=witness.events.append)
    assert witness.of(Retried) == []
