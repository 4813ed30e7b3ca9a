"""The service as a process: real requests, a real run, and what a kill leaves."""

import http.client
import json
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from serve_parts import BEARER, TOKEN
from suite_parts import Project
from waits import HANG_SECONDS, wait_until

from streampay_smoke.history.store import HistoryStore


class Process:
    """A service that was started, and its address."""

    def __init__(self, project: Project, state: Path) -> None:
        self.process = project.start(
            "streampay_smoke",
            "serve",
            "--port=0",
            f"--state-dir={state}",
            SMOKE_SERVE_TOKEN=TOKEN,
            SMOKE_TAGS="@readiness",
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("serving sandbox at http://127.0.0.1:"), line + self.process.stdout.read()
        self.address = urlsplit(line.split()[-1]).netloc

    def call(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection(self.address, timeout=HANG_SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), BEARER)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def until(self, deploy: str, state: str) -> Any:
        wait_until(lambda: bool(self.call("GET", f"/v1/runs/{deploy}")["state"] == state), f"{deploy} is {state}")
        return self.call("GET", f"/v1/runs/{deploy}")

    def end(self, number: signal.Signals) -> str:
        self.process.send_signal(number)
        return self.process.communicate(timeout=HANG_SECONDS)[0]


def test_a_run_outlives_a_service_that_is_killed_and_is_not_repeated(project: Project, tmp_path: Path) -> None:
    state = tmp_path / "state"
    service = Process(project, state)
    asked = service.call("POST", "/v1/runs", {"deploy": "shop/pay/abc"})
    service.until("shop/pay/abc", "running")
    (attempt,) = (state / "attempts").iterdir()
    wait_for_process(attempt / "attempt.json")
    service.end(signal.SIGKILL)

    service = Process(project, state)
    assert service.call("POST", "/v1/runs", {"deploy": "shop/pay/abc"})["id"] == asked["id"]
    answer = service.until("shop/pay/abc", "finished")
    assert (answer["verdict"], answer["reason_code"], answer["attempt"]) == ("INCONCLUSIVE", "part_of_the_suite", 1)
    runs = list((attempt / "artifacts").glob("*Z-*"))
    assert [run.name for run in runs] == [answer["run_id"]]
    with HistoryStore.open(state / "history.sqlite") as history:
        assert history.known() == {answer["run_id"]}, "one history for all attempts"
    output = service.end(signal.SIGTERM)
    assert service.process.returncode == 0, output
    assert TOKEN not in output


def test_a_service_that_is_told_to_end_leaves_a_verdict(project: Project, tmp_path: Path) -> None:
    state = tmp_path / "state"
    service = Process(project, state)
    service.call("POST", "/v1/runs", {"deploy": "d"})
    service.until("d", "running")
    output = service.end(signal.SIGTERM)
    assert service.process.returncode == 0, output
    (record,) = (state / "attempts").glob("*/attempt.json")
    assert json.loads(record.read_text())["outcome"]["verdict"] == "INCONCLUSIVE"


def wait_for_process(record: Path) -> None:
    wait_until(lambda: bool(json.loads(record.read_text())["process"]), f"a process in {record.name}")
