"""The pages as people see them: axe finds nothing on them in Chromium, they load nothing, and they fit a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, Page, browser, chromium
from sample_runs import Sample, judged, ledger_down, on_testnet, refused, write_run

from streampay_smoke.publish.html import html_report
from streampay_smoke.publish.publish import publish
from streampay_smoke.publish.report import ReportKind, build_report

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / "report"

PHONE_WIDTH = 390
PHONE_HEIGHT = 844

RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'], resultTypes: ['violations']}"
"""What axe looks for: WCAG 2.1 A and AA, and what its makers advise."""

FOUND = f"""axe.run(document, {RULES}).then(found => found.violations.flatMap(rule =>
  rule.nodes.map(node => `${{rule.id}}: ${{node.target}}: ${{node.failureSummary}}`)))"""

OPENED = "document.querySelectorAll('details').forEach(each => { each.open = true })"

RUNS = {
    "PASS": lambda: on_testnet(pays=True),
    "FAIL": lambda: on_testnet(pays=False),
    "INCONCLUSIVE": lambda: judged(ledger_down()),
    "SAFETY": lambda: judged(refused()),
}


@pytest.fixture(scope="module", name="shown")
def _shown(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    del node  # its packages are installed: axe is one of them
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed: nobody looks at the pages")
    with browser(program, tmp_path_factory.mktemp("chromium")) as started:
        yield started


def page_of(run: Sample, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_bytes(html_report(run.report))
    return path


def found_by_axe(page: Page) -> list[str]:
    page.answer((HERE / "node_modules" / "axe-core" / "axe.min.js").read_text())
    page.answer(OPENED)
    return [found for how in ("light", "dark") for found in _looked(page, how)]


def _looked(page: Page, how: str) -> list[str]:
    page.look(how)
    return [f"{how}: {found}" for found in page.answer(FOUND)]


@pytest.mark.parametrize("verdict", RUNS)
def test_a_page_is_accessible_fits_a_phone_and_asks_for_nothing(verdict: str, shown: Browser, tmp_path: Path) -> None:
    run = RUNS[verdict]()
    assert run.verdict.verdict == verdict
    page = shown.open(page_of(run, tmp_path))

    page.look("light", PHONE_WIDTH, PHONE_HEIGHT)
    assert page.answer("document.documentElement.scrollWidth") <= PHONE_WIDTH
    assert page.answer("document.querySelector('.banner').offsetHeight") < PHONE_HEIGHT / 3
    assert page.answer("document.querySelector('.money').getBoundingClientRect().bottom") < PHONE_HEIGHT

    assert found_by_axe(page) == []
    assert page.outside == []
    assert page.complaints == []


@pytest.mark.skipif(
    not (REPORT / "node_modules" / ".bin" / "allure").exists() or shutil.which("node") is None,
    reason="Allure 3 is not installed: run `npm ci` in report/",
)
def test_allures_page_shows_no_share_of_passed_checks_for_a_failure_and_no_empty_tab(
    shown: Browser, tmp_path: Path
) -> None:
    run, folder = on_testnet(pays=False), tmp_path / "run"
    write_run(run, folder)
    publish(folder, run.report, environ={})
    built = build_report(folder, node_report_dir=REPORT)
    assert (built.kind, built.note) == (ReportKind.ALLURE, "")

    page = shown.open(built.path)
    page.look("light", PHONE_WIDTH, PHONE_HEIGHT)
    appeared = """new Promise(seen => { const look = () => document.querySelector('[data-testid=report-title]')
      ? seen(true) : setTimeout(look, 20); look() })"""
    assert page.answer(appeared)
    assert page.answer("document.querySelector('.gate').offsetHeight") < PHONE_HEIGHT / 3
    assert _visible(page, "nav-tab-results")
    assert not _visible(page, "nav-tab-qualityGate")
    charts = "[...document.querySelectorAll('article[class*=styles_chart]')].map(each => each.offsetHeight)"
    assert page.answer(charts) == [0], "the ring, and it is not shown"
    first = "[...document.querySelectorAll('[data-testid=metadata-item-key]')].map(each => each.textContent)"
    assert page.answer(first)[:3] == ["Verdict", "Money", "Objectives"]
    assert page.outside == []
    assert page.complaints == []


def _visible(page: Page, name: str) -> Any:
    return page.answer(f"document.querySelector('[data-testid={name}]')?.offsetHeight > 0")
