"""A `streampay-smoke` that answers as it is told: what engines start in place of the real one."""

import stat
from pathlib import Path

import msgspec

from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.policy import Circumstances, Decision, VerdictSummary, decide
from streampay_smoke.gate.verdict import EXIT_CODES, Action, Data, Verdict, VerdictStatus, to_json

REASONS = {
    VerdictStatus.PASS: "all_promises_kept",
    VerdictStatus.FAIL: "promise_broken",
    VerdictStatus.INCONCLUSIVE: "network_unwell",
    VerdictStatus.CONFIG: "settings_invalid",
    VerdictStatus.SAFETY: "guard_refused",
}


def verdict_of(
    status: VerdictStatus, *, release: str = "", environment: str = "staging", base_url: str = ""
) -> Verdict:
    """Return a whole verdict with this status, as the gate writes it."""
    empty = judge(journals.JournalRead(entries=(), sha256="0" * 64))
    return msgspec.structs.replace(
        empty,
        run_id="20261123T212214Z-e5f124",
        verdict=status,
        exit_code=EXIT_CODES[status],
        reason_code=REASONS[status],
        message=f"{status}: as the test wants it",
        action={VerdictStatus.PASS: Action.PROMOTE, VerdictStatus.FAIL: Action.ROLLBACK}.get(status, Action.HOLD),
        target=msgspec.structs.replace(
            empty.target, environment=environment, release_expected=release, base_url=base_url
        ),
        data=Data.of(status),
    )


def decision_on(verdict: Verdict) -> Decision:
    """Return the decision on a verdict of the whole suite."""
    return decide(VerdictSummary.of(verdict), Policy(), Circumstances(whole_suite=True), run_id=verdict.run_id)


SCRIPT = """#!/usr/bin/env bash
# argv, one call a line; what a run leaves; then the code it was told. Shell builtins where they do: it starts often.
printf '%s\\n' "$*" >>"$FAKE/calls"
[ ! -f "$FAKE/looks" ] || env >"$FAKE/environ"
if [ "$1 $2" = "rollback --record" ]; then mkdir -p artifacts/rollback && echo recorded >artifacts/rollback/log; fi
if [ "$1 $2" = "history import" ]; then cat >"$FAKE/history"; exit; fi
if [ "$1 $2" = "history export" ]; then cat "$FAKE/history" 2>/dev/null; echo '{"of": "this run"}'; exit; fi
if [ "$1" != run ]; then code=0; [ ! -f "$FAKE/$1.code" ] || read -r code <"$FAKE/$1.code"; exit "$code"; fi
[ ! -f "$FAKE/killed" ] || kill -KILL $$
run=${SMOKE_ARTIFACTS:-artifacts}/20261123T212214Z-e5f124
mkdir -p "$run" && ln -sfn "${run##*/}" "${run%/*}/latest"
if [ -f "$FAKE/waits" ]; then
  trap 'kill $! 2>/dev/null; cp "$FAKE/terminated.json" "$run/verdict.json"; exit 143' TERM
  : >"$FAKE/started"
  while [ -f "$FAKE/waits" ]; do sleep 0.05 & wait $!; done
fi
[ ! -f "$FAKE/verdict.json" ] || cp "$FAKE/verdict.json" "$run/verdict.json"
if [ -n "$GITHUB_OUTPUT" ] && [ -f "$FAKE/outputs" ]; then printf '%s\\n' "$(<"$FAKE/outputs")" >>"$GITHUB_OUTPUT"; fi
read -r code <"$FAKE/run.code"
exit "$code"
"""


class FakeSmoke:
    """A folder with the program and what it is told; put `bin` first on the PATH, and `environ` around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "fake"
        self.bin = self.folder / "bin"
        self.bin.mkdir(parents=True)
        self.program = self.bin / "streampay-smoke"
        self.program.write_text(SCRIPT)
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        self.environ = {"FAKE": str(self.folder)}

    def answers(self, verdict: Verdict, *, exit_code: int | None = None) -> None:
        """Let runs leave this verdict and end with its code, or with another."""
        (self.folder / "verdict.json").write_bytes(to_json(verdict))
        self.ends_with("run", verdict.exit_code if exit_code is None else exit_code)

        (self.folder / "killed").unlink(missing_ok=True)

    def killed(self) -> None:
        """Let runs be killed before they leave anything."""
        (self.folder / "killed").touch()

    def tells_github(self, outputs: str) -> None:
        """Let runs write these step outputs where GitHub asks for them."""
        (self.folder / "outputs").write_text(outputs)

    def ends_with(self, command: str, exit_code: int) -> None:
        """Let a command end with this code."""
        (self.folder / f"{command}.code").write_text(f"{exit_code}\n")

    def waits(self) -> None:
        """Let runs go on until `let_go()`, or until SIGTERM, which they answer as the gate does."""
        terminated = msgspec.structs.replace(
            verdict_of(VerdictStatus.INCONCLUSIVE),
            exit_code=143,
            reason_code="terminated",
            message="INCONCLUSIVE: ended by SIGTERM",
        )
        (self.folder / "terminated.json").write_bytes(to_json(terminated))
        (self.folder / "waits").touch()

    def let_go(self) -> None:
        """Let runs that wait end."""
        (self.folder / "waits").unlink()

    @property
    def started(self) -> Path:
        """A file that is there once a run waits."""
        return self.folder / "started"

    @property
    def calls(self) -> list[str]:
        """The command lines it was started with."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def looks(self) -> None:
        """Have it note the environment it is started in."""
        (self.folder / "looks").touch()

    @property
    def started_in(self) -> Path:
        """The working directory of the last start, where it `looks()`."""
        return Path(self.seen_environ["PWD"])

    @property
    def seen_environ(self) -> dict[str, str]:
        """The environment of the last start, where it `looks()`."""
        lines = (self.folder / "environ").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)
