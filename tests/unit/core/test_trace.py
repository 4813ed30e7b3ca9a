"""One trace for a run, its own or the one its CI system names."""

import re

import pytest

from streampay_smoke.core.trace import Trace

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def test_a_runs_trace_follows_from_its_id() -> None:
    one, again, other = (Trace.of_run(name, {}) for name in ("r1", "r1", "r2"))
    assert one == again != other
    assert re.fullmatch(r"[0-9a-f]{32}", one.id)


def test_every_request_is_a_span_of_its_own() -> None:
    trace = Trace.of_run("r1", {})
    spans = [trace.headers()["traceparent"] for _ in range(2)]
    assert all(re.fullmatch(rf"00-{trace.id}-[0-9a-f]{{16}}-01", span) for span in spans)
    assert spans[0] != spans[1]


def test_the_trace_of_the_ci_system_is_joined_with_its_flags_and_state() -> None:
    trace = Trace.of_run("r1", {"TRACEPARENT": GIVEN, "TRACESTATE": "vendor=1"})
    assert trace == Trace(id="4bf92f3577b34da6a3ce929d0e0e4736", flags="00", state="vendor=1")
    headers = trace.headers()
    assert headers["tracestate"] == "vendor=1"
    assert headers["traceparent"].startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    assert "00f067aa0ba902b7" not in headers["traceparent"]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        GIVEN.upper(),
        GIVEN.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        GIVEN.replace("00f067aa0ba902b7", "0" * 16),
        f"ff{GIVEN[2:]}",
        f"{GIVEN}-more",
        f"{GIVEN}\r\nx-header: injected",
    ],
)
def test_a_malformed_traceparent_is_passed_over(given: str) -> None:
    assert Trace.of_run("r1", {"TRACEPARENT": given, "TRACESTATE": "a=b"}) == Trace.of_run("r1", {})


def test_a_later_version_may_say_more_and_a_bad_state_is_left_out() -> None:
    trace = Trace.of_run("r1", {"TRACEPARENT": f"01{GIVEN[2:]}-more", "TRACESTATE": "a=b\nc"})
    assert trace == Trace(id="4bf92f3577b34da6a3ce929d0e0e4736", flags="00")


def test_requests_of_no_run_have_a_trace_of_their_own() -> None:
    assert Trace.fresh().id != Trace.fresh().id
