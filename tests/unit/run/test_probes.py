"""Control probes against a stable release, the clock, and side by side: each both ways, on real sockets."""

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace
from step_parts import CONTRACT, SmallStreamPay, Witness, creation, run_context_of, settings_for, small_environ
from waits import HANG_SECONDS, slowdown

from streampay_sandbox.proxy import (
    DisturbingProxy,
    Forward,
    ProxiedRequest,
    ProxyBehaviour,
    ProxyDecision,
    SubstituteAnswer,
    hang_up,
    pass_through,
)
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.events import Exchanged, Probed, Recorder, ServiceSeen
from streampay_smoke.gate.attribution import (
    CLOCK_PROBE,
    CONTRACT_PROBE,
    CREDENTIAL_PROBE,
    EGRESS_PROBE,
    NAMED_DEPENDENCY_PROBE,
    SHOWN_AGAIN_PROBE,
    STABLE_PROBE,
    STABLE_READY_PROBE,
)
from streampay_smoke.http.ledger_health import ledger_time
from streampay_smoke.run.probes.credentials import SHOWN_AGAIN_TIMES, credential_probe, shown_again_probe
from streampay_smoke.run.probes.deployments import STABLE_PEER, at_candidate
from streampay_smoke.run.probes.ledger import traffic, writes_by_services
from streampay_smoke.run.probes.release import (
    named_dependency_probe,
    stable_readiness_probe,
    stable_ready_probe,
    stable_replay_probe,
)
from streampay_smoke.run.probes.rounds import control_probes, probes_at_start
from streampay_smoke.run.probes.runner import clock_probe
from streampay_smoke.run.probes.side_by_side import side_by_side
from streampay_smoke.service.credentials import metrics_credential

BROKEN = SubstituteAnswer(status=500, text="Internal Server Error", content_type="text/plain")


def streams_are(reply: SubstituteAnswer) -> ProxyBehaviour:
    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        return reply if passing.path.startswith(("/api/streams", "/api/v2/streams")) else Forward()

    return behaviour


class Side:
    """A way to the small StreamPay that a test disturbs."""

    def __init__(self) -> None:
        self.behaviour: ProxyBehaviour = pass_through

    def __call__(self, passing: ProxiedRequest) -> ProxyDecision:
        return self.behaviour(passing)


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def small() -> Iterator[SmallStreamPay]:
    service = SmallStreamPay()
    yield service
    service.close()


@pytest.fixture
def here() -> Side:
    return Side()


@pytest.fixture
def there() -> Side:
    return Side()


@pytest.fixture
def around(small: SmallStreamPay, witness: Witness, here: Side, there: Side) -> Iterator[RunContext]:
    with DisturbingProxy(small.url, behaviour=here) as candidate, DisturbingProxy(small.url, behaviour=there) as stable:
        environ = small_environ(small, SMOKE_BASE_URL=candidate.url, SMOKE_BASELINE_URL=stable.url)
        run_context = run_context_of(settings_for(environ), witness)
        yield run_context
        run_context.close()


@pytest.fixture
def alone(small: SmallStreamPay, witness: Witness) -> Iterator[RunContext]:
    run_context = run_context_of(settings_for(small_environ(small)), witness)
    yield run_context
    run_context.close()


def listed(around: RunContext) -> None:
    try:
        around.deployment.streams(around.credential)
    except SmokeError:
        return


def replayed(around: RunContext, witness: Witness) -> Probed:
    return stable_replay_probe(around, around.last_asked, witness.events.append)


def test_without_a_stable_release_its_probes_do_not_apply(alone: RunContext, witness: Witness) -> None:
    record = witness.events.append
    probes = (
        stable_readiness_probe(alone, record),
        stable_replay_probe(alone, None, record),
        credential_probe(alone, None, record),
    )
    assert [probe.ok for probe in probes] == [None, None, None]


def test_a_read_that_is_red_there_in_the_same_way(
    around: RunContext, witness: Witness, here: Side, there: Side
) -> None:
    here.behaviour = there.behaviour = streams_are(BROKEN)
    listed(around)
    assert replayed(around, witness).ok is False


def test_a_read_that_is_well_there(around: RunContext, witness: Witness, here: Side) -> None:
    here.behaviour = streams_are(BROKEN)
    listed(around)
    probe = replayed(around, witness)
    assert probe.ok is True
    assert "as promised" in probe.detail


def test_a_read_that_is_red_there_in_another_way(around: RunContext, witness: Witness, here: Side, there: Side) -> None:
    here.behaviour, there.behaviour = streams_are(BROKEN), streams_are(hang_up())
    listed(around)
    assert replayed(around, witness).ok is True


def test_an_answer_that_was_as_promised_is_not_compared(around: RunContext, witness: Witness, there: Side) -> None:
    there.behaviour = streams_are(BROKEN)
    listed(around)
    assert replayed(around, witness).ok is None


def refusing_unaccepted(behaviour: ProxyBehaviour) -> ProxyBehaviour:
    """Refuse whoever shows no credential."""

    def decide(passing: ProxiedRequest) -> ProxyDecision:
        shows = {"authorization", "x-api-key"} & passing.headers.keys()
        return behaviour(passing) if shows else SubstituteAnswer(status=401)

    return decide


def test_nothing_asked_is_not_compared(around: RunContext, witness: Witness) -> None:
    assert replayed(around, witness).ok is None


@pytest.mark.parametrize(("stable", "ok"), [(BROKEN, False), (SubstituteAnswer(status=404), True), (None, True)])
def test_a_write_is_never_repeated_there_only_its_readiness_is_asked_for(
    around: RunContext,
    small: SmallStreamPay,
    witness: Witness,
    here: Side,
    there: Side,
    stable: SubstituteAnswer | None,
    ok: bool,
) -> None:
    here.behaviour = streams_are(BROKEN)
    there.behaviour = (lambda passing: stable) if stable is not None else pass_through
    with pytest.raises(SmokeError):
        around.deployment.settle(around.credential, "stream-1", "key")
    assert replayed(around, witness).ok is ok
    assert small.writes == []


def test_the_stable_release_passes_for_nothing_else(around: RunContext, witness: Witness) -> None:
    assert stable_readiness_probe(around, witness.events.append).ok is True
    assert {event.peer for event in witness.of(Exchanged)} == {STABLE_PEER}
    assert witness.of(ServiceSeen) == []


@pytest.mark.parametrize(
    ("reply", "ok"),
    [
        (None, True),
        (SubstituteAnswer(status=401), False),
        (SubstituteAnswer(status=403), False),
        (SubstituteAnswer(status=404), None),
    ],
)
def test_the_operators_credential_is_shown_to_the_stable_release(
    small: SmallStreamPay, witness: Witness, there: Side, reply: SubstituteAnswer | None, ok: bool | None
) -> None:
    there.behaviour = refusing_unaccepted(streams_are(reply) if reply is not None else pass_through)
    with DisturbingProxy(small.url, behaviour=there) as stable:
        environ = small_environ(
            small, SMOKE_BASELINE_URL=stable.url, SMOKE_AUTH_MODE="api-key", SMOKE_API_KEY="a-long-enough-key"
        )
        assert credential_probe(run_context_of(settings_for(environ), witness), None, witness.events.append).ok is ok


@pytest.mark.parametrize("probe", [credential_probe, shown_again_probe])
def test_a_page_that_is_open_to_everybody_proves_no_credential(
    small: SmallStreamPay, witness: Witness, there: Side, probe: Callable[..., Probed]
) -> None:
    there.behaviour = streams_are(SubstituteAnswer(status=200, text="{}", content_type="application/json"))
    with DisturbingProxy(small.url, behaviour=there) as open_to_all:
        environ = small_environ(
            small,
            SMOKE_BASE_URL=open_to_all.url,
            SMOKE_BASELINE_URL=open_to_all.url,
            SMOKE_AUTH_MODE="api-key",
            SMOKE_API_KEY="a-long-enough-key",
        )
        probed = probe(run_context_of(settings_for(environ), witness), None, witness.events.append)
    assert (probed.ok, probed.detail) == (None, "it is answered 200, and so is no credential: that proves none")


def test_either_credential_slot_may_be_the_one_the_stable_release_accepts(
    small: SmallStreamPay, witness: Witness
) -> None:
    keys = iter(["old", "new"])

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        return SubstituteAnswer(status=401) if next(keys) == "old" else Forward()

    with DisturbingProxy(small.url, behaviour=refusing_unaccepted(behaviour)) as stable:
        environ = small_environ(
            small,
            SMOKE_BASELINE_URL=stable.url,
            SMOKE_AUTH_MODE="api-key",
            SMOKE_API_KEY="a-long-enough-key",
            SMOKE_API_KEY_B="another-long-key",
        )
        probe = credential_probe(run_context_of(settings_for(environ), witness), None, witness.events.append)
    assert (probe.ok, probe.detail) == (True, "it is answered 401 and 200")


def test_a_user_who_signs_in_has_no_credential_to_show(around: RunContext, witness: Witness) -> None:
    assert credential_probe(around, None, witness.events.append).ok is None
    assert shown_again_probe(around, around.last_asked, witness.events.append).ok is None


@pytest.mark.parametrize("stable", [SubstituteAnswer(status=401), None])
def test_a_scrapers_token_is_shown_where_metrics_are_read_and_nowhere_else(
    around: RunContext, witness: Witness, here: Side, there: Side, stable: SubstituteAnswer | None
) -> None:
    metrics = SubstituteAnswer(status=200, text="up 1", content_type="text/plain")

    def behaviour(reply: SubstituteAnswer) -> ProxyBehaviour:
        return refusing_unaccepted(
            lambda passing: reply if passing.path == "/api/metrics" else SubstituteAnswer(status=418)
        )

    here.behaviour, there.behaviour = behaviour(SubstituteAnswer(status=401)), behaviour(stable or metrics)
    around.deployment.metrics_answer(metrics_credential(Secret("a-scrapers-token")))
    record = witness.events.append
    assert credential_probe(around, around.last_asked, record).ok is (stable is None)
    assert shown_again_probe(around, around.last_asked, record).ok is False


@pytest.mark.parametrize(
    ("statuses", "ok"),
    [
        ([None], True),
        ([401, 401, 401, None], True),
        ([401] * SHOWN_AGAIN_TIMES, False),
        ([401, 403, 401, 500], None),
    ],
)
def test_a_refused_credential_is_shown_again_until_an_instance_accepts_it(
    small: SmallStreamPay, witness: Witness, here: Side, statuses: list[int | None], ok: bool | None
) -> None:
    decided = iter(statuses)

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        status = next(decided)
        return Forward() if status is None else SubstituteAnswer(status=status)

    here.behaviour = refusing_unaccepted(behaviour)
    with DisturbingProxy(small.url, behaviour=here) as candidate:
        environ = small_environ(
            small, SMOKE_BASE_URL=candidate.url, SMOKE_AUTH_MODE="api-key", SMOKE_API_KEY="a-long-enough-key"
        )
        probe = shown_again_probe(run_context_of(settings_for(environ), witness), None, witness.events.append)
    told = " and ".join(str(status or 200) for status in statuses)
    assert (probe.name, probe.ok, probe.detail) == (SHOWN_AGAIN_PROBE, ok, f"it is answered {told}")
    assert next(decided, "none is left") == "none is left"


@pytest.mark.parametrize(
    ("service_ago", "ledger_ago", "ok"),
    [
        (0, 5, True),
        (CLOCK_SKEW_SECONDS + 5, CLOCK_SKEW_SECONDS + 5, False),
        (-CLOCK_SKEW_SECONDS - 5, -CLOCK_SKEW_SECONDS - 5, False),
        (CLOCK_SKEW_SECONDS + 5, 0, True),
        (0, CLOCK_SKEW_SECONDS + 5, True),
        (CLOCK_SKEW_SECONDS + 5, -CLOCK_SKEW_SECONDS - 5, True),
    ],
)
def test_the_clock_is_off_when_service_and_ledger_agree_that_it_is(
    service_ago: float, ledger_ago: float, ok: bool
) -> None:
    now = time.time()
    assert clock_probe(now - service_ago, now - ledger_ago).ok is ok


TRAFFIC: dict[str, tuple[list[int], int, int, bool]] = {  # ledgers with a write, ledgers looked at, writes at once
    "nobody writes": ([], 3, 1, True),
    "one write of somebody": ([7], 3, 1, True),
    "others write in most ledgers": ([7, 8], 3, 1, False),
    "others write in all ledgers": ([7, 8, 9], 3, 1, False),
    "a few in many ledgers": ([1, 5, 9], 15, 1, True),
    "one in each ledger, whatever the place says": ([7, 8, 9], 3, 8, False),
    "one in most ledgers, and this run may have more": ([7, 9], 3, 8, True),
    "no more than this run itself may": ([7, 7, 8, 8, 9, 9], 3, 3, True),
    "more than this run itself may": ([7, 7, 8, 8, 8, 9, 9], 3, 3, False),
}


@pytest.mark.parametrize(("ledgers", "looked_at", "at_once", "ok"), TRAFFIC.values(), ids=TRAFFIC)
def test_writes_of_others_explain_a_wait_where_they_were_there_all_along(
    ledgers: list[int], looked_at: int, at_once: int, ok: bool
) -> None:
    writes = {(ledger, f"hash-{number}") for number, ledger in enumerate(ledgers)}
    assert traffic(writes, ledgers=looked_at, writes_at_once=at_once).ok is ok


def test_streams_that_the_gate_opens_itself_keep_no_service_waiting() -> None:
    opened = replace(creation(payer="GATE"), stream_id=2, ledger=5, tx_hash="a")
    events = [
        replace(creation(), ledger=3, tx_hash="b"),
        opened,
        replace(opened, name="started", ledger=9, tx_hash="c", fields={}),
        replace(creation(), name="started", ledger=9, tx_hash="d", fields={}),
        replace(creation(), name="settled", ledger=10, tx_hash="e", fields={}),
        replace(creation(), name="withdrawn", ledger=10, tx_hash="e", fields={}),
    ]
    found = writes_by_services(events, since_ledger=8, own_payer="GATE")
    assert found == {(9, "d"), (10, "e")}


@pytest.mark.parametrize(("service", "ledger"), [(None, 1.0), (1.0, None)])
def test_without_both_times_the_clock_is_not_judged(service: float | None, ledger: float | None) -> None:
    assert clock_probe(service, ledger).ok is None


def test_a_ledger_that_is_down_tells_no_time(small: SmallStreamPay) -> None:
    assert ledger_time("http://127.0.0.1:9", timeout_seconds=1) is None
    assert ledger_time(small.url, timeout_seconds=1) is None


def readiness_says(status: int, **reports: str) -> ProxyBehaviour:
    checks = {name: {"status": said} for name, said in reports.items()}
    overall = "ok" if set(reports.values()) == {"ok"} else "degraded"
    body = json.dumps({"status": overall, "checks": checks})
    answer = SubstituteAnswer(status=status, text=body, content_type="application/json")
    return lambda passing: answer if passing.path.startswith("/api/readyz") else Forward()


@pytest.mark.parametrize(
    ("behaviour", "ok"),
    [
        (readiness_says(200, config="ok", stellar="ok", kms="ok"), None),
        (readiness_says(503, config="ok", stellar="degraded", kms="ok"), False),
        (readiness_says(503, config="ok", stellar="ok", kms="degraded"), False),
        (readiness_says(503, config="degraded", stellar="degraded", kms="ok"), None),
        (readiness_says(200, config="ok", stellar="degraded", kms="ok"), None),
        (lambda passing: BROKEN, None),
        (lambda passing: hang_up(), None),
    ],
    ids=["ready", "Horizon", "key store", "its own settings too", "with 200", "an error", "silence"],
)
def test_a_dependency_is_named_by_a_service_that_is_not_ready(
    around: RunContext, witness: Witness, here: Side, behaviour: ProxyBehaviour, ok: bool | None
) -> None:
    here.behaviour = behaviour
    with at_candidate(around, witness.events.append) as deployment:
        assert named_dependency_probe(deployment).ok is ok


def test_whether_the_stable_release_is_ready_is_its_own_word(
    around: RunContext, alone: RunContext, witness: Witness, there: Side
) -> None:
    assert stable_ready_probe(around, witness.events.append).ok is True
    there.behaviour = readiness_says(503, config="ok", stellar="degraded", kms="ok")
    assert stable_ready_probe(around, witness.events.append).ok is False
    assert stable_ready_probe(alone, witness.events.append).ok is None


def test_probes_at_the_start_and_beside_a_failure(around: RunContext) -> None:
    start = [event for event in probes_at_start(around) if isinstance(event, Probed)]
    beside = [event for event in control_probes(around, around.last_asked) if isinstance(event, Probed)]
    assert {STABLE_PROBE, CREDENTIAL_PROBE, CLOCK_PROBE} <= {probe.name for probe in start}
    # The contract costs the ledger's library, and before a failure no credential was refused.
    assert {probe.name for probe in beside} - {probe.name for probe in start} == {
        CONTRACT_PROBE,
        SHOWN_AGAIN_PROBE,
        NAMED_DEPENDENCY_PROBE,
        STABLE_READY_PROBE,
    }
    assert len(beside) == len(start) + 4
    assert all(probe.took_ms is not None for probe in beside if probe.name == EGRESS_PROBE)
    assert around.settings.contract_id == CONTRACT


def test_probes_are_made_side_by_side_and_keep_their_evidence_together(witness: Witness) -> None:
    both = threading.Barrier(2, timeout=HANG_SECONDS)

    def quiet(record: Recorder) -> Probed:
        both.wait()
        return Probed(name="a", ok=True, detail="")

    def telling(record: Recorder) -> Probed:
        record(ServiceSeen())
        both.wait()
        return Probed(name="b", ok=True, detail="")

    found = side_by_side({"a": quiet, "b": telling}, within_seconds=HANG_SECONDS)
    assert [type(event) for event in found] == [Probed, ServiceSeen, Probed]


def test_a_probe_that_hangs_or_raises_does_not_apply() -> None:
    released = threading.Event()

    def hang(record: object) -> Probed:
        released.wait(HANG_SECONDS)
        return Probed(name="hangs", ok=False, detail="too late")

    def fail(record: object) -> Probed:
        raise RuntimeError("oops")

    found = side_by_side({"hangs": hang, "fails": fail}, within_seconds=slowdown() * 0.1)
    released.set()
    assert [(event.name, event.ok) for event in found if isinstance(event, Probed)] == [
        ("hangs", None),
        ("fails", None),
    ]
