"""Runs behave in a process of its own and vouches for the answer, even when that process is killed or hangs."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.events import Interrupted, RunFinished, RunRefused
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import Verdict, written_at
from streampay_smoke.run import lifeline
from streampay_smoke.run.folder import RUN_FOLDER, RunFolder
from streampay_smoke.run.progress import Progress
from streampay_smoke.settings import Settings
from streampay_smoke.settings.reading import project_root

GRACE_SECONDS = 0.8
"""How much longer than the deadline behave may take to write its evidence before it is killed."""

LOOK_SECONDS = 0.1
"""How often a run is looked at: a step that holds the interpreter is found out this much later at most."""

RUNNER = "streampay_smoke.runner.runner:GateRunner"
"""The runner by name, for this process has no use for behave: with it a changed `behave.ini` is found."""

_ENDINGS = (RunFinished, RunRefused, Interrupted)


def supervise(settings: Settings, folder: RunFolder, environ: Mapping[str, str], paths: Sequence[str]) -> Verdict:
    """Play the features at `paths` (all by default) with `environ`, and return the verdict on what they left."""
    command = [sys.executable, "-m", "behave", f"--runner={RUNNER}", "--tags", settings.tags]
    command += ["-D", f"{RUN_FOLDER}={folder.path}"]
    with lifeline.held() as end:
        command += ["-D", f"{lifeline.LIFELINE}={end}", *paths]
        with (
            subprocess.Popen(command, cwd=project_root(), env=dict(environ), pass_fds=[end]) as behave,
            _passing_on_signals_to(behave),
        ):
            ending = _ending(behave, settings, folder)
            if ending:
                behave.kill()
                behave.wait()
    return _vouched(folder, settings, exit_code=behave.returncode, ending=ending)


def _ending(behave: "subprocess.Popen[bytes]", settings: Settings, folder: RunFolder) -> str:
    """Wait for behave; return why it has to be killed, "" when it ended by itself."""
    progress = Progress(folder.journal_path)
    limit_at = time.monotonic() + settings.deadline_seconds + GRACE_SECONDS
    while True:
        try:
            behave.wait(min(LOOK_SECONDS, max(limit_at + progress.more_seconds - time.monotonic(), 0.0)))
        except subprocess.TimeoutExpired:
            stuck = progress.step_is_stuck()
            if time.monotonic() >= limit_at + progress.more_seconds:
                return "deadline"
            if stuck:
                return "step_timeout"
        else:
            return ""


def _vouched(folder: RunFolder, settings: Settings, *, exit_code: int, ending: str) -> Verdict:
    """Return the verdict behave wrote, or finish the run in its place when it could not."""
    entries = journals.read(folder.journal_path).entries
    ended = any(isinstance(entry.event, _ENDINGS) for entry in entries)
    written = written_at(folder.verdict_path)
    sealed = written is not None and (not written.signed_by or folder.envelope_path.exists())
    if (
        ended
        and not ending
        and sealed
        and written == folder.judged()
        and written.exit_code == exit_code
        and written.run_id in {"", folder.run_id}
    ):
        return written
    # Imported here: behave's process publishes, and has done so unless it was killed.
    from streampay_smoke.run.finish import finish

    with Journal(folder.journal_path, _redactor(settings)) as journal:
        journal.append(Interrupted(reason=ending or "killed", detail=_how(exit_code, ending)))
    return finish(folder, supervised=True, signing_key=settings.signer())


def _redactor(settings: Settings) -> Redactor:
    redactor = Redactor()
    redactor.learn(*settings.redacted())
    return redactor


def _how(exit_code: int, ending: str) -> str:
    if ending == "step_timeout":
        return "a step went on past its budget, could not be interrupted, and was killed"
    if ending:
        return "behave did not end by itself and was killed"
    if exit_code < 0:
        return f"behave was killed by {signal.Signals(-exit_code).name}"
    return f"behave ended with exit code {exit_code}, which its evidence does not explain"


@contextlib.contextmanager
def _passing_on_signals_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Hand SIGTERM and SIGINT to behave, which writes the verdict; a terminal's Ctrl-C reaches it by itself."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(signal.SIGTERM if number == signal.SIGTERM else signal.SIGINT)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
