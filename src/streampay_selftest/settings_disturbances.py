"""Settings that contradict what answers: the gate is set up wrongly, and that says nothing of the release."""

from streampay_sandbox.fault import Severity, Truth
from streampay_sandbox.proxy import SubstituteAnswer
from streampay_selftest.case import Case
from streampay_selftest.conditions import environment_text, proxy, setting
from streampay_selftest.proxy_behaviours import everywhere, old_release
from streampay_selftest.proxy_faults import IMPATIENT, LOGIN, SPA

DISTURBANCE = Severity.DISTURBANCE
CONFIG = Truth.CONFIG

ELSEWHERE = SubstituteAnswer(status=301, headers={"location": "http://127.0.0.1:9/api"})
ANOTHER_SERVICE = SubstituteAnswer(
    status=200, text='{"status": "UP", "service": "billing"}', content_type="application/json"
)
BACKEND = SubstituteAnswer(status=404, text='{"error": "Not found"}', content_type="application/json")
LOGIN_PAGE = SubstituteAnswer(status=200, text="<!doctype html><html><title>Sign in</title></html>")

SETTINGS_DISTURBANCES = (
    Case(
        name="a redirect to a login page",
        story="operations: an access proxy stands before the release",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(LOGIN))),
    ),
    Case(
        name="a redirect to another host",
        story="operations: the old name forwards to a new one",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(ELSEWHERE))),
    ),
    Case(
        name="the application's index answers everywhere",
        story="incident X26: an application that never reached its backend",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(SubstituteAnswer(status=200, text=SPA)))),
    ),
    Case(
        name="another service behind the name",
        story="operations: the name leads to another team's service",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(ANOTHER_SERVICE))),
    ),
    Case(
        name="the old release for ever",
        story="incident X10: the deploy never happened, and the smoke was green for every push",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(old_release()))),
    ),
    Case(
        name="a login page on every path",
        story="operations: the address is behind a single sign-on that lets the runner see nothing",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(LOGIN_PAGE))),
    ),
    Case(
        name="a StreamPay backend where the web app is expected",
        story="measured: the Express backend answers 404 as JSON wherever the app-v1 dialect asks",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, proxy(lambda: everywhere(BACKEND))),
    ),
    Case(
        name="an expected release whose id is of another kind",
        story="operations: --expect-release is a commit, the deployment tells a build id",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(IMPATIENT, setting(SMOKE_EXPECT_RELEASE="4b07bac0f6e34f0ab5a8c1a4a6b7de0f0d6f7a10")),
    ),
    Case(
        name="an environment file that names another network than the service",
        story="operations: service.network was copied from another environment",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(environment_text('network = "private"', 'network = "testnet"'),),
    ),
)
