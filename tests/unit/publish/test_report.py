import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sample_runs import write_run
from waits import HANG_SECONDS, slowdown, wait_until

from streampay_smoke.publish.offline import NotOffline, made_offline
from streampay_smoke.publish.publish import publish
from streampay_smoke.publish.report import ReportKind, build_report

REPORT = Path(__file__).parents[3] / "report"

ANALYTICS = """
<script async src="https://www.googletagmanager.com/gtag/js?id=G-X"></script>
<script>
  window.dataLayer = window.dataLayer || [];
  function gtag(){dataLayer.push(arguments);}
  gtag('config', 'G-X');
</script>
"""
PAGE = f"<html><head><title>t</title></head><body><script>keep()</script>{ANALYTICS}<p>made by Allure</p></body></html>"


@pytest.fixture
def run_dir(tmp_path: Path, sample: Callable[[str], Any]) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        run = sample(name)
        folder = tmp_path / "run"
        write_run(run, folder)
        assert publish(folder, run.report, environ={}).notes == ()
        return folder

    return write


class Node:
    """A stand-in for Node and Allure: a shell script that does what a test tells it."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "report"
        self.allure = self.folder / "node_modules" / ".bin" / "allure"
        self.allure.parent.mkdir(parents=True)
        self.bin = place / "bin"
        self.bin.mkdir()
        self.environ = {"PATH": f"{self.bin}:{os.environ['PATH']}", "SMOKE_SIGNER_SEED": "never pass this on"}
        self.install_node()

    def install_node(self) -> None:
        (self.bin / "node").write_text("#!/bin/sh\n")
        (self.bin / "node").chmod(0o755)

    def does(self, script: str) -> None:
        self.allure.write_text(f"#!/bin/sh\n{script}\n")
        self.allure.chmod(0o755)

    def writes(self, page: str) -> None:
        (self.folder / "page").write_text(page)
        self.does(f'while [ "$1" != --output ]; do shift; done; mkdir -p "$2"; cp "{self.folder}/page" "$2/index.html"')


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def build(run: Path, node: Node, timeout_seconds: float = HANG_SECONDS) -> Any:
    return build_report(run, node_report_dir=node.folder, environ=node.environ, timeout_seconds=timeout_seconds)


def test_allures_page_is_used_where_it_can_be_made(run_dir: Callable[[str], Path], node: Node) -> None:
    node.writes(PAGE)
    built = build(run_dir("failing"), node)
    assert (built.kind, built.note) == (ReportKind.ALLURE, "")
    assert built.path.parts[-2:] == ("allure-report", "index.html")
    page = built.path.read_text()
    assert "made by Allure" in page
    assert "keep()" in page
    assert "gtag" not in page
    assert "googletagmanager" not in page


def test_allures_page_gets_the_verdict_on_top_and_a_policy(run_dir: Callable[[str], Path], node: Node) -> None:
    node.writes(PAGE)
    page = build(run_dir("failing"), node).path.read_text()
    assert page.index("Content-Security-Policy") < page.index("<title>")
    assert page.index("The release broke a promise.") < page.index("keep()")


@pytest.mark.parametrize(("name", "ring"), [("passing", True), ("failing", False), ("killed", False)])
def test_a_share_of_passed_checks_is_shown_for_a_pass_only(
    run_dir: Callable[[str], Path], node: Node, name: str, ring: bool
) -> None:
    node.writes(PAGE)
    page = build(run_dir(name), node).path.read_text()
    assert ("styles_chart" not in page) == ring
    assert "nav-tab-qualityGate" in page


APPENDS = 'echo \'{"name": "p", "testResults": {}}\' >>history.jsonl'
"""What Allure does with its history: it is started in the folder with the copy."""


def history(run: Path) -> list[dict[str, Any]]:
    path = run.parent / "allure-history" / "sandbox-eu-1.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_allure_gets_the_runs_before_and_a_report_built_again_is_no_other_run(
    run_dir: Callable[[str], Path], node: Node
) -> None:
    node.writes(PAGE)
    script = node.allure.read_text()
    node.does(f'cat history.jsonl >>"{node.folder}/seen"; {APPENDS}\n{script}')
    run = run_dir("passing")
    build(run, node)
    build(run, node)
    assert [point["streampayRunId"] for point in history(run)] == ["20261123T190000Z-abc123"]
    earlier = {"name": "earlier", "streampayRunId": "another"}
    path = run.parent / "allure-history" / "sandbox-eu-1.jsonl"
    path.write_text(f"{json.dumps(earlier)}\nno json\n")
    build(run, node)
    assert [point["streampayRunId"] for point in history(run)] == ["another", "20261123T190000Z-abc123"]
    assert [json.loads(line) for line in (node.folder / "seen").read_text().splitlines()] == [earlier]


def test_only_the_newest_runs_are_kept(run_dir: Callable[[str], Path], node: Node) -> None:
    node.writes(PAGE)
    node.does(f"{APPENDS}\n{node.allure.read_text()}")
    run = run_dir("passing")
    path = run.parent / "allure-history" / "sandbox-eu-1.jsonl"
    path.parent.mkdir()
    path.write_text("".join(f'{{"streampayRunId": "{number}"}}\n' for number in range(30)))
    build(run, node)
    kept = [point["streampayRunId"] for point in history(run)]
    assert (len(kept), kept[0], kept[-1]) == (20, "11", "20261123T190000Z-abc123")


def test_a_run_that_was_refused_leaves_no_history(run_dir: Callable[[str], Path], node: Node) -> None:
    node.writes(PAGE)
    node.does(f"{APPENDS}\n{node.allure.read_text()}")
    run = run_dir("refused")
    assert build(run, node).kind is ReportKind.ALLURE
    assert history(run) == []


def test_an_earlier_report_never_stays(run_dir: Callable[[str], Path], node: Node) -> None:
    node.writes(PAGE)
    run = run_dir("failing")
    (run / "allure-report" / "awesome").mkdir(parents=True)
    (run / "allure-report" / "index.html").write_text("stale")
    built = build(run, node)
    assert "stale" not in built.path.read_text()
    assert [path.name for path in built.path.parent.iterdir()] == ["index.html"]


def falls_back(run: Path, node: Node, because: str, timeout_seconds: float = HANG_SECONDS) -> None:
    verdict = (run / "verdict.json").read_bytes()
    built = build(run, node, timeout_seconds)
    assert built.kind is ReportKind.BUILT_IN
    assert because in built.note
    assert "StreamPay deploy gate" in built.path.read_text()
    assert (run / "verdict.json").read_bytes() == verdict


def test_without_node_the_built_in_page_is_made(run_dir: Callable[[str], Path], node: Node, tmp_path: Path) -> None:
    node.writes(PAGE)
    node.environ["PATH"] = str(tmp_path / "nothing")
    falls_back(run_dir("failing"), node, "Node is not installed")


def test_without_allure_the_note_says_how_to_get_it(run_dir: Callable[[str], Path], node: Node) -> None:
    falls_back(run_dir("failing"), node, "Allure is not installed; run `npm ci` in report/")


def test_without_results_allure_is_not_asked(run_dir: Callable[[str], Path], node: Node) -> None:
    node.writes(PAGE)
    run = run_dir("failing")
    shutil.rmtree(run / "allure-results")
    falls_back(run, node, "there is no allure-results folder")


def test_an_allure_that_fails_is_quoted_in_the_note(run_dir: Callable[[str], Path], node: Node) -> None:
    node.does("echo something broke >&2; exit 7")
    falls_back(run_dir("failing"), node, "Allure ended with exit code 7: something broke")


def test_an_allure_that_cannot_be_started_is_a_note(run_dir: Callable[[str], Path], node: Node) -> None:
    node.allure.write_text("no program")
    falls_back(run_dir("failing"), node, "Allure could not be started")


def test_an_allure_that_leaves_no_page_is_a_note(run_dir: Callable[[str], Path], node: Node) -> None:
    node.does("exit 0")
    falls_back(run_dir("failing"), node, "Allure left no readable page: FileNotFoundError")


def test_an_allure_that_hangs_is_ended_with_all_its_children(
    run_dir: Callable[[str], Path], node: Node, tmp_path: Path
) -> None:
    node.does(f'sleep 300 & echo $! > "{tmp_path}/child"; wait')
    seconds = round(slowdown())
    falls_back(run_dir("failing"), node, f"Allure took longer than {seconds} s", timeout_seconds=seconds)
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}")
    wait_until(lambda: not child.exists() or "State:\tZ" in (child / "status").read_text(), "the end of the child")


def test_allure_gets_no_secret(run_dir: Callable[[str], Path], node: Node) -> None:
    node.does('[ -z "$SMOKE_SIGNER_SEED" ] && echo clean; env; exit 1')
    note = build(run_dir("failing"), node).note
    assert "SMOKE_SIGNER_SEED" not in note
    assert "never pass this on" not in note


@pytest.mark.parametrize(
    "load",
    [
        '<img alt="" src="https://tracker.example/x.png">',
        "<link rel=stylesheet href=//cdn.example/a.css>",
        '<script>gtagged(); </script><script src="http://cdn.example/a.js"></script>',
        "<!-- google-analytics -->",
    ],
)
def test_a_page_that_would_load_something_is_not_used(run_dir: Callable[[str], Path], node: Node, load: str) -> None:
    node.writes(PAGE.replace("<p>", f"{load}<p>"))
    falls_back(run_dir("failing"), node, "would load something from the network")


@pytest.mark.parametrize("page", ["<html><body></body></html>", "<html><head></head></html>", ""])
def test_a_page_without_an_environment_for_the_policy_is_not_used(page: str, sample: Callable[[str], Any]) -> None:
    with pytest.raises(NotOffline, match="this version of it is not known here"):
        made_offline(page, sample("passing").report)


def test_links_to_be_clicked_are_left_alone(sample: Callable[[str], Any]) -> None:
    page = PAGE.replace("<p>", '<a href="https://allurereport.org">Allure</a><p>')
    assert 'href="https://allurereport.org"' in made_offline(page, sample("passing").report)


def test_a_run_without_a_verdict_has_no_report(run_dir: Callable[[str], Path], node: Node) -> None:
    run = run_dir("failing")
    (run / "verdict.json").write_text("{}")
    with pytest.raises(msgspec.ValidationError):
        build(run, node)


@pytest.mark.skipif(
    not (REPORT / "node_modules" / ".bin" / "allure").exists() or shutil.which("node") is None,
    reason="Allure 3 is not installed: run `npm ci` in report/",
)
@pytest.mark.parametrize("name", ["failing", "refused"])
def test_the_real_allure_makes_a_page_that_loads_nothing(run_dir: Callable[[str], Path], name: str) -> None:
    built = build_report(run_dir(name), node_report_dir=REPORT)
    assert (built.kind, built.note) == (ReportKind.ALLURE, "")
    page = built.path.read_text()
    assert "Content-Security-Policy" in page
    assert "googletagmanager" not in page
    assert "window.allureReportOptions" in page
