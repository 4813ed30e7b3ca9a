"""scripts/smoke.sh and scripts/test.sh on a copy of the scripts, with an interpreter and an npm that only take notes.

The real installation is proved by CI, which starts from a fresh clone.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waits import HANG_SECONDS, wait_until

ROOT = Path(__file__).parents[2]

PYTHON = r"""#!/bin/bash
# An interpreter that takes notes: makes folders instead of virtual environments, installs nothing.
echo "python $*" >>"$NOTES"
case "$*" in
  *ensurepip*) [ -z "${NO_ENSUREPIP:-}" ]; exit ;;
  *version_info*"< (3, 11)"*) [ -z "${TOO_OLD:-}" ]; exit ;;
  *version_info*) echo 3.11 ;;
  "-m venv --clear "*)
    rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; echo version = 3.11.0 >"$4/pyvenv.cfg" ;;
  *"install --require-hashes"*)
    touch "$BUSY"
    while [ -e "${WAIT_FOR:-/nonexistent}" ]; do sleep 0.02; done
    exit "${PIP_STATUS:-0}" ;;
  *"install --no-deps"*)
    printf '#!/bin/bash\necho "ran in $PWD: $*"\nexit "${RUN_STATUS:-0}"\n' >"$(dirname "$0")/streampay-smoke"
    chmod +x "$(dirname "$0")/streampay-smoke" ;;
  "-c import fcntl"*) exec "$REAL_PYTHON" "$@" ;;
  "-m pytest"*) echo "1 passed" ;;
  "-m coverage run"*) printf 'some test\n==== %s ====\n' "${PYTEST_SAYS:-1 passed}"; exit "${PYTEST_STATUS:-0}" ;;
  "-m coverage report"*) echo "TOTAL 100%"; exit "${COVERAGE_STATUS:-0}" ;;
esac
"""
NPM = r"""#!/bin/bash
echo "npm $* in $(basename "$PWD")" >>"$NOTES"
mkdir -p node_modules
exit "${NPM_STATUS:-0}"
"""


class Clone:
    """A fresh clone whose tools take notes."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a clone"  # with a space: every path must be quoted
        self.notes = folder / "notes"
        self.busy = folder / "busy"
        self.tools = folder / "tools"
        self.home = folder / "home"
        for path in (self.root / "requirements", self.root / "src", self.tools, self.home):
            path.mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        for name in ("requirements/runtime.txt", "requirements/dev.txt", "pyproject.toml"):
            (self.root / name).write_text(f"# {name}\n")
        for tool in ("bash", "cat", "cmp", "mv", "rm", "cp", "mkdir", "mktemp", "tail", "tee", "touch", "dirname",
                     "basename", "sleep", "chmod"):  # fmt: skip
            (self.tools / tool).symlink_to(str(shutil.which(tool)))
        self.add_tool("python3", PYTHON)

    def add_tool(self, name: str, text: str) -> None:
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    def environment(self, extra: dict[str, str]) -> dict[str, str]:
        return {
            "PATH": str(self.tools),
            "HOME": str(self.home),
            "NOTES": str(self.notes),
            "BUSY": str(self.busy),
            "REAL_PYTHON": sys.executable,
            **extra,
        }

    def start(self, script: str, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "scripts" / script), *arguments],
            cwd="/",
            env=self.environment(extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, script: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        process = self.start(script, *arguments, **extra)
        out, err = process.communicate(timeout=HANG_SECONDS)
        return subprocess.CompletedProcess(script, process.returncode, out, err)

    def noted(self, words: str) -> int:
        """How often a tool was called with these words."""
        return self.notes.read_text().count(words) if self.notes.exists() else 0

    def wait_until_busy(self) -> None:
        wait_until(self.busy.exists, "the start of pip")


@pytest.fixture(name="clone")
def a_fresh_clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_the_first_start_makes_the_environment_from_the_lock_and_runs_in_the_root(clone: Clone) -> None:
    done = clone.run("smoke.sh", "--env", "staging", "a b")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran in {clone.root}: run --env staging a b\n"
    assert clone.noted("install --require-hashes --only-binary :all: -r requirements/runtime.txt") == 1
    assert clone.noted("install --no-deps --no-build-isolation -e .") == 1
    assert clone.noted("-m compileall -q src") == 1
    steps = ["preparing", "Python makes", "pip installs", "pip installs", "Python compiles"]
    told = [line.removeprefix("streampay-smoke: ") for line in done.stderr.splitlines()]
    said = [line for line in told if not line.startswith("...")]  # how long a step takes, on a machine that is busy
    assert [" ".join(line.split()[: len(step.split())]) for line, step in zip(said, steps, strict=True)] == steps


def test_the_second_start_calls_no_interpreter_and_says_nothing(clone: Clone) -> None:
    clone.run("smoke.sh")
    clone.notes.unlink()
    done = clone.run("smoke.sh", TOO_OLD="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert not clone.notes.exists()


def test_the_answer_of_the_run_is_the_answer_of_the_script(clone: Clone) -> None:
    assert clone.run("smoke.sh", RUN_STATUS="3").returncode == 3


def test_a_changed_lock_makes_a_new_environment(clone: Clone) -> None:
    clone.run("smoke.sh")
    (clone.root / "requirements/runtime.txt").write_text("# newer\n")
    clone.run("smoke.sh")
    assert clone.noted("-m venv --clear") == 2


def test_a_changed_project_file_reinstalls_only_the_project(clone: Clone) -> None:
    clone.run("smoke.sh")
    (clone.root / "pyproject.toml").write_text("# newer\n")
    clone.run("smoke.sh")
    assert clone.noted("-m venv --clear") == 1
    assert clone.noted("install --no-deps") == 2


def test_an_environment_that_was_moved_is_made_again(clone: Clone) -> None:
    clone.run("smoke.sh")
    clone.root = clone.root.rename(clone.root.parent / "moved")
    assert clone.run("smoke.sh").returncode == 0
    assert clone.noted("-m venv --clear") == 2


def test_an_interpreter_that_is_gone_makes_a_new_environment(clone: Clone) -> None:
    clone.run("smoke.sh")
    (clone.root / ".venv/bin/python").unlink()
    assert clone.run("smoke.sh").returncode == 0
    assert clone.noted("-m venv --clear") == 2


def test_a_start_killed_half_way_is_taken_up_by_the_next(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "hold").touch()
    first = clone.start("smoke.sh", WAIT_FOR=str(tmp_path / "hold"))
    clone.wait_until_busy()
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=HANG_SECONDS)
    done = clone.run("smoke.sh")
    assert done.returncode == 0, done.stderr
    assert clone.noted("install --require-hashes") == 2


def test_two_starts_at_once_install_once(clone: Clone, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    first = clone.start("smoke.sh", WAIT_FOR=str(hold))
    clone.wait_until_busy()
    second = clone.start("smoke.sh")
    assert second.stderr is not None
    assert second.stderr.readline() == "streampay-smoke: another start is preparing .venv; waiting for it\n"
    hold.unlink()
    assert [process.communicate(timeout=HANG_SECONDS)[0][:6] for process in (first, second)] == ["ran in", "ran in"]
    assert clone.noted("install --require-hashes") == 1


def test_an_install_that_fails_is_an_error_and_is_tried_again(clone: Clone) -> None:
    failed = clone.run("smoke.sh", PIP_STATUS="1")
    assert failed.returncode == 2
    assert "could not be installed" in failed.stderr
    assert clone.run("smoke.sh").returncode == 0


def test_any_other_trouble_before_the_run_is_never_the_fault_of_the_release(clone: Clone) -> None:
    (clone.root / ".venv.lock").mkdir()
    assert clone.run("smoke.sh").returncode == 2


def test_a_command_that_cannot_be_started_is_never_the_fault_of_the_release(clone: Clone) -> None:
    clone.run("smoke.sh")
    (clone.root / ".venv/bin/streampay-smoke").write_text("#!/nowhere/python\n")
    assert clone.run("smoke.sh").returncode == 2


def test_an_old_python_is_named_with_the_next_step(clone: Clone) -> None:
    done = clone.run("smoke.sh", TOO_OLD="1")
    assert done.returncode == 2
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "PYTHON=/path/to/python3" in done.stderr


def test_a_python_that_does_not_start_is_passed_over(clone: Clone) -> None:
    (clone.tools / "python3").rename(clone.tools / "python3.12")
    clone.add_tool("python3", "#!/bin/bash\nexit 127\n")
    assert clone.run("smoke.sh").returncode == 0


def test_a_missing_ensurepip_names_the_package(clone: Clone) -> None:
    done = clone.run("smoke.sh", NO_ENSUREPIP="1")
    assert done.returncode == 2
    assert "apt-get install python3.11-venv" in done.stderr


def with_reporter(clone: Clone) -> Clone:
    clone.add_tool("npm", NPM)
    (clone.root / "report").mkdir()
    (clone.root / "report/package-lock.json").write_text("{}\n")
    return clone


def test_the_reporter_is_installed_once(clone: Clone) -> None:
    with_reporter(clone).run("smoke.sh")
    clone.run("smoke.sh")
    assert clone.noted("npm ci") == 1
    assert clone.noted("--ignore-scripts") == 1


@pytest.mark.parametrize(("arguments", "environment"), [(["--no-report"], {}), ([], {"SMOKE_REPORT": "0"})])
def test_a_run_without_report_needs_no_reporter(
    clone: Clone, arguments: list[str], environment: dict[str, str]
) -> None:
    with_reporter(clone).run("smoke.sh", *arguments, **environment)
    assert clone.noted("npm") == 0


def test_a_reporter_that_cannot_be_installed_is_one_line_and_not_tried_at_every_start(clone: Clone) -> None:
    done = with_reporter(clone).run("smoke.sh", NPM_STATUS="1")
    assert done.returncode == 0
    assert done.stderr.count("could not be installed") == 1
    again = clone.run("smoke.sh", NPM_STATUS="1")
    assert (again.returncode, again.stderr) == (0, "")
    assert clone.noted("npm ci") == 1


def test_without_node_the_run_goes_on(clone: Clone) -> None:
    with_reporter(clone)
    (clone.tools / "npm").unlink()
    assert clone.run("smoke.sh").returncode == 0


def test_the_tests_end_with_the_runners_own_line(clone: Clone) -> None:
    done = clone.run("test.sh")
    assert done.returncode == 0, done.stderr
    assert "TOTAL 100%" in done.stdout
    assert done.stdout.splitlines()[-1] == "==== 1 passed ===="


@pytest.mark.parametrize("failing", ["PYTEST_STATUS", "COVERAGE_STATUS"])
def test_a_failed_test_or_too_little_coverage_fails(clone: Clone, failing: str) -> None:
    done = clone.run("test.sh", PYTEST_SAYS="1 failed", **{failing: "1"})
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "==== 1 failed ===="


def test_a_selection_is_run_without_coverage(clone: Clone) -> None:
    done = clone.run("test.sh", "-k", "one thing")
    assert done.returncode == 0
    assert clone.noted("-m pytest -k one thing") == 1
    assert clone.noted("coverage") == 0


def with_interop(clone: Clone) -> Clone:
    (clone.root / "tests/interop").mkdir(parents=True)
    (clone.root / "tests/interop/package-lock.json").write_text("{}\n")
    return clone


def test_without_node_it_is_said_that_interop_was_left_out(clone: Clone) -> None:
    done = with_interop(clone).run("test.sh")
    assert done.returncode == 0
    assert "JavaScript interop is LEFT OUT" in done.stderr


def test_interop_that_cannot_be_prepared_is_an_error(clone: Clone) -> None:
    clone.add_tool("npm", NPM)
    done = with_interop(clone).run("test.sh", NPM_STATUS="1")
    assert done.returncode == 1
    assert "npm ci failed" in done.stderr
