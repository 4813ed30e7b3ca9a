"""The check of documentation finds every kind of drift, and nothing where there is none."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from streampay_selftest.case_run import CaseRun
from streampay_selftest.committed import write
from streampay_selftest.corpus import CORPUS
from streampay_selftest.results import collected

SCRIPT = Path(__file__).parents[2] / "scripts/check_docs.py"

PINNED = '{"pinned":"scenario","name":"streams/a-second-user","tags":["smoke"],"steps":2,"assertions":1,"sha256":"00"}'


@pytest.fixture(name="check_docs", scope="module")
def the_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="root")
def documented_project(tmp_path: Path, check_docs: ModuleType) -> Path:
    check_docs.main(["--write"], tmp_path)
    for linked in (
        "rollback",
        "writing-faults",
        *filter(None, (variable.page for variable in check_docs.VARIABLES.values())),
    ):
        (tmp_path / "docs" / f"{linked}.md").touch()
    (tmp_path / "docs/security.md").write_text("## Synthetic credentials\n")
    (tmp_path / "features").mkdir()
    (tmp_path / "features/manifest.jsonl").write_text(f"{PINNED}\n")
    with (tmp_path / "README.md").open("w") as readme:
        readme.write("\n1 plain-language scenarios in 1 features\n")
    (tmp_path / "docs/sample-green-run.log").write_text("\n1 scenarios passed, 0 failed, 0 skipped\n")
    played = [CaseRun(case=name, seed=0, status="PASS") for name in CORPUS]
    write(tmp_path, collected(CORPUS, played, commit="abc", hurried=True))
    return tmp_path


def found(check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    status = check_docs.main([], root)
    lines = capsys.readouterr().out.splitlines()
    assert status == (1 if lines else 0)
    return lines


def test_pages_in_step_are_no_difference(
    check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(check_docs, root, capsys) == []


@pytest.mark.parametrize("name", ["env.example", "docs/modes.md", "docs/tags.md", "docs/schemas/verdict.schema.json"])
def test_a_stale_or_missing_generated_file_is_named(
    check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (root / name).write_text("older\n")
    assert f"{name} is missing or out of date; {check_docs.WRITE}" in found(check_docs, root, capsys)
    (root / name).unlink()
    assert f"{name} is missing or out of date; {check_docs.WRITE}" in found(check_docs, root, capsys)


def test_results_that_are_not_about_the_corpus_are_named(
    check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "docs/selftest/results.json").unlink()
    (line,) = found(check_docs, root, capsys)
    assert line.startswith("docs/selftest/results.json is missing")


@pytest.mark.parametrize(
    "spoil", [("`--base-url`", "`--url`"), ("<!-- the settings", "<!-- settings"), ("| `SMOKE_ENV`", "|")]
)
def test_a_table_of_settings_that_is_not_the_generated_one_is_named(
    check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], spoil: tuple[str, str]
) -> None:
    page = root / "docs/configuration.md"
    assert spoil[0] in page.read_text()
    page.write_text(page.read_text().replace(*spoil, 1))
    assert found(check_docs, root, capsys)[0].startswith("docs/configuration.md is missing or its table")
    page.unlink()
    assert found(check_docs, root, capsys)[0].startswith("docs/configuration.md is missing or its table")


def test_a_variable_that_does_not_exist_is_named_with_its_page(
    check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "docs/runbook.md").write_text("Set SMOKE_BASE_ULR, and look at SMOKE_* for the rest.\n")
    (line,) = found(check_docs, root, capsys)
    assert line == "docs/runbook.md names SMOKE_BASE_ULR, which does not exist; correct the page"


def test_a_link_to_a_page_that_is_not_there_is_named(
    check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "docs/runbook.md").write_text(
        "# Here\nSee [tags](tags.md#tags), [a part](tags.md#money), [this](#here) and [more](nowhere.md#there).\n"
    )
    section, page = found(check_docs, root, capsys)
    assert section == "docs/runbook.md points at tags.md#money, a section it lacks; correct the link"
    assert page == "docs/runbook.md points at nowhere.md, which does not exist; correct the link"


def test_a_reason_code_without_a_section_of_the_runbook_is_named(
    check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = root / "src/streampay_smoke/gate"
    room.mkdir(parents=True)
    (room / "some.py").write_text('class Lost(SmokeError):\n    kind = "lost"\n\nFinding(reason_code="late")\n')
    (root / "docs/runbook.md").write_text("#### lost\nLook for it.\n")
    assert found(check_docs, root, capsys) == ["docs/runbook.md has no section late; write what on-call does about it"]


def test_a_suite_that_was_counted_before_it_grew_is_named(
    check_docs: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grown = PINNED.replace("streams/", "access/")
    (root / "features/manifest.jsonl").write_text(f"{grown}\n{PINNED}\n")
    readme, sample = found(check_docs, root, capsys)
    assert readme == "README.md does not say '2 plain-language scenarios in 2 features'; correct its number"
    assert sample.startswith("docs/sample-green-run.log is not of these 2 scenarios")


def test_no_secret_gets_a_value_in_the_example(check_docs: ModuleType) -> None:
    lines = check_docs.settings_pages.env_example().splitlines()
    assert all(line.startswith("#") or not line for line in lines)
    assert sum(line.endswith("=") for line in lines) == len(check_docs.VARIABLES)
