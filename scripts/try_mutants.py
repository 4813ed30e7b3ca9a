"""Tries the mutants of the judge that mutmut made: `try_mutants.py [--again] [PATTERN...]`; scripts/mutate.sh runs it.

mutmut starts pytest anew for each mutant; here the tests are collected once, and a process forked for each mutant runs
those that call its function, the quickest first. What comes of it is kept where and as mutmut keeps it. `--again`
leaves out the mutants that are known to be found; patterns choose among their names, all without one.
"""

import fnmatch
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from mutation import KILLED, RESULTS, ROOT
from mutmut.mutation.trampoline import set_mutant_under_test

CPU_SECONDS = 25
"""A mutant that takes longer never comes to an end."""

NO_TESTS = 33
"""What mutmut notes for a mutant whose function no test calls."""


class TryMutants:
    """A plugin of pytest: instead of the tests it runs them once for each mutant."""

    def __init__(self, patterns: Sequence[str], *, again: bool) -> None:
        stats = json.loads((ROOT / "mutants" / "mutmut-stats.json").read_text(encoding="utf-8"))
        self._tests: dict[str, list[str]] = stats["tests_by_mangled_function_name"]
        self._seconds: dict[str, float] = stats["duration_by_test"]
        self._notes = {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.meta"))}
        self._chosen = [
            (path, name)
            for path, notes in self._notes.items()
            for name, code in notes["exit_code_by_key"].items()
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns) and not (again and code in KILLED)
        ]
        self._running: dict[int, tuple[Path, str]] = {}
        self._failed = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember that a test failed."""
        self._failed = self._failed or report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try each mutant in a process of its own, as many at once as there are processors."""
        if session.testsfailed:
            raise session.Interrupted("the tests of the judge could not be collected")
        items = {item.nodeid: item for item in session.items}
        told_at = time.monotonic()
        for number, (path, name) in enumerate(self._chosen, 1):
            tests = self._tests.get(name.partition("__mutmut_")[0], ())
            own = sorted((items[test] for test in tests), key=lambda item: self._seconds[item.nodeid])
            while len(self._running) >= (os.cpu_count() or 1):
                self._note_one()
            if not own:
                self._notes[path]["exit_code_by_key"][name] = NO_TESTS
            elif child := os.fork():
                self._running[child] = (path, name)
            else:
                self._try(name, own)
            if time.monotonic() > told_at + 5:
                told_at = time.monotonic()
                print(f"{number} of {len(self._chosen)} mutants", file=sys.stderr)
        while self._running:
            self._note_one()
        for path, notes in self._notes.items():
            path.write_text(json.dumps(notes, indent=4), encoding="utf-8")
        return True

    def _try(self, name: str, tests: Sequence[pytest.Item]) -> None:
        """Run tests on a mutant and end the process: 1 where one failed, 0 where the mutant survived."""
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
            tests[0].config.pluginmanager.unregister(name="terminalreporter")
            set_mutant_under_test(name)
            for item in tests:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                if self._failed:
                    break
        except BaseException:  # noqa: BLE001 - whatever it is, a test has ended by it
            self._failed = True
        os._exit(int(self._failed))

    def _note_one(self) -> None:
        child, status = os.wait()
        path, name = self._running.pop(child)
        self._notes[path]["exit_code_by_key"][name] = os.waitstatus_to_exitcode(status)


def main(arguments: Sequence[str]) -> int:
    """Do what the module's docstring says."""
    patterns = [argument for argument in arguments if argument != "--again"] or ["*"]
    plugin = TryMutants(patterns, again="--again" in arguments)
    os.chdir(ROOT / "mutants")
    sys.path.insert(0, str(ROOT / "mutants" / "src"))
    set_mutant_under_test("")
    return int(pytest.main(["--rootdir=.", "-q", "-p", "no:cacheprovider", "tests/unit/gate"], plugins=[plugin]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
