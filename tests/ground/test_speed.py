"""The benchmark compares with what was measured beside it, and names the part that grew."""

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from streampay_sandbox.server import LoopbackServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def speed() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("speed", ROOT / "benchmarks" / "speed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


def row(speed: ModuleType, **changes: Any) -> Any:
    fields = {
        "part": "start-up",
        "what": "the runner",
        "seconds": (1.0, 3.0, 2.0),
        "base": "the base",
        "base_seconds": (0.5, 1.0, 40.0),
    }
    return speed.Row(**{**fields, **changes})


def test_a_ratio_is_of_medians(speed: ModuleType) -> None:
    assert row(speed).ratio == 2.0


@pytest.mark.parametrize(("target", "met"), [(None, None), (2.0, True), (1.9, False)])
def test_a_target_is_met_or_missed(target: float | None, met: bool | None, speed: ModuleType) -> None:
    assert row(speed, target=target).met is met


def test_a_page_names_each_target_that_is_missed(speed: ModuleType) -> None:
    found = {"start-up": [row(speed, target=1.5), row(speed, what="behave", target=2.5), row(speed, what="Python")]}

    page = speed._page(found, runs=3, loads=(0.5, 1.0))

    assert "Targets that are missed: 1 of 2.\n- the runner: 2.00 times the base, 1.50 wanted\n" in page
    assert "| the runner | 2.0 s | 3.0 s | 3 | 2.00 | the base | 1.50 | **no** |" in page


@pytest.mark.parametrize(("most", "grew"), [(2.1, False), (1.9, True), (None, False)])
def test_a_regression_fails_and_says_what_grew(
    most: float | None,
    grew: bool,
    speed: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(speed, "CHECKED", {"start-up": lambda runs: iter([row(speed, most=most)])})

    assert speed.main(["--check"]) == int(grew)

    said = "grew: start-up: the runner: 2.00 x the base, and may be 1.9 at most"
    assert (said in capsys.readouterr().out) == grew


def test_other_work_on_the_machine_is_no_regression(speed: ModuleType) -> None:
    measured = row(speed, seconds=(1.0, 30.0, 30.0), base_seconds=(0.5, 0.5, 0.5), most=2.1)

    assert not measured.grew


def test_remarks_stand_below_the_table_and_are_no_rows(speed: ModuleType) -> None:
    page = speed._page({"api": [row(speed, target=1.5), "Left out: k6."]}, runs=1, loads=(0.0, 0.0))

    assert "Targets that are missed: 1 of 1." in page
    assert page.endswith("| **no** |\n\nLeft out: k6.\n")


def test_a_part_that_cannot_be_measured_fails_and_holds_up_no_other(
    speed: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(runs: int) -> Iterator[Any]:
        yield row(speed)
        raise RuntimeError("a run that has to be PASS is FAIL")

    parts = {"memory": ("Memory", breaks), "told": ("Told", lambda runs: iter([row(speed, what="told")]))}
    monkeypatch.setattr(speed, "PARTS", parts)

    assert speed.main(["--runs", "1", "--only", "memory", "told"]) == 1

    said = capsys.readouterr().out
    assert "| the runner |" in said
    assert "The rest was not measured: a run that has to be PASS is FAIL" in said
    assert "| told |" in said


def test_evidence_is_measured_by_scenario(speed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed.evidence, "REPEATS", 1)

    *found, remark = speed.evidence.rows(1, (speed.evidence.BASE, 110))

    assert [each.what for each in found] == [
        f"{cost}, each of {count} scenarios"
        for cost in ("writing the journal", "reading and judging it", "making every report")
        for count in (speed.evidence.BASE, 110)
    ]
    assert all(0 < each.median < 1 for each in found)
    assert "has 17 events" in remark


def test_the_ledger_is_measured_by_what_really_settles(speed: ModuleType) -> None:
    found = speed.only_rows(speed.ledger_throughput.rows(1, 3))

    assert len(found) == 3
    assert all(each.median > 0 for each in found)


TOOLS = ("bash, curl and jq", "plain httpx", "plain fetch in Node", "pytest-bdd", "cucumber-js", "newman")
WRONG: Sequence[Mapping[str, Any]] = ({"status": 201}, {"fields": ("data", "nothing")}, {"with_key": False})


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_tells_right_answers_from_wrong_ones(tool: str, speed: ModuleType, tmp_path: Path) -> None:
    reads, tools = speed.clients.reads, speed.clients.other_tools
    if why := tools.missing(tool, installs=False):
        pytest.skip(f"{tool}: {why}")
    right = reads.Read(path="/here", with_key=True, status=200, fields=("data", "meta"))
    refused = reads.Read(path="/here", with_key=False, status=401, fields=())

    with LoopbackServer(Starlette(routes=[Route("/here", _answer)])) as server:
        variables = {"BASE": server.url, "KEY": "opens"}

        def make(*made: Any) -> None:
            files = reads.write(made, tmp_path, variables)
            tools.copy_scripts(files)
            tools.run(tool, files, variables)

        make(right, refused)
        for changes in WRONG:
            with pytest.raises(RuntimeError, match="ended with"):
                make(refused, msgspec.structs.replace(right, **changes))


def test_a_tool_that_is_not_there_is_named(speed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = speed.clients.other_tools
    monkeypatch.setattr(tools, "CACHE", Path("nowhere"))
    monkeypatch.setattr(tools.shutil, "which", lambda program: None if program == "k6" else program)

    assert tools.missing("k6", installs=True) == "k6 is not installed"
    assert "--with-other-tools" in tools.missing("newman", installs=False)
    assert not tools.missing("plain httpx", installs=False)


def test_a_caller_is_seen_at_an_address_of_its_own(speed: ModuleType) -> None:
    with LoopbackServer(Starlette(routes=[Route("/who", _caller)])) as server:
        for address in ("127.0.0.2", "127.0.0.11"):
            with speed.ten_runs.seen_from(address, server.url) as url, httpx.Client(base_url=url) as client:
                assert [client.get("/who").text for _ in range(2)] == [address] * 2


def test_memory_is_that_of_all_children_at_once(speed: ModuleType) -> None:
    holds = "x = bytearray(b'1' * (32 << 20)); print(flush=True); input()"
    with speed.memory.memory_of_children() as memory, contextlib.ExitStack() as stack:
        for _ in range(2):
            child = subprocess.Popen(
                [sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            stack.callback(child.communicate, "\n")
            assert child.stdout is not None
            child.stdout.readline()
        memory.look()

    assert 64 < memory.pss_mib <= memory.rss_mib


async def _caller(request: Request) -> PlainTextResponse:
    assert request.client is not None
    return PlainTextResponse(request.client.host)


async def _answer(request: Request) -> JSONResponse:
    if request.headers.get("x-api-key") != "opens":
        return JSONResponse({"error": "no"}, status_code=401)
    return JSONResponse({"data": [], "meta": {}})
