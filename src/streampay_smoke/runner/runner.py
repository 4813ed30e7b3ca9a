"""The gate's behave runner: plans the evidence, lets behave play, and ends in a verdict whatever happens."""

import contextlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from behave.configuration import Configuration
from behave.model import Feature, Step
from behave.runner import Runner, the_step_registry

from streampay_smoke.core.errors import Blame, SettingsInvalid, SmokeError
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.evidence.events import Failure, RunFinished, RunRefused
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import EXIT_CODES, Verdict, Word
from streampay_smoke.run import lifeline
from streampay_smoke.run.decision import decided
from streampay_smoke.run.failures import failure_of
from streampay_smoke.run.finish import finish
from streampay_smoke.run.folder import RUN_FOLDER, RunFolder, artifacts_folder
from streampay_smoke.run.output import outlasting_output, redacted_output
from streampay_smoke.run.pins import Pins
from streampay_smoke.runner import manifest
from streampay_smoke.runner import plan as plans
from streampay_smoke.runner.budget import budget_seconds, waits_for_ledgers
from streampay_smoke.runner.formatting import redacted
from streampay_smoke.runner.interruption import Interruption
from streampay_smoke.runner.loading import by_the_gate
from streampay_smoke.runner.quarantine import read_quarantine, today
from streampay_smoke.runner.results import redact_results
from streampay_smoke.runner.session import Session, open_session
from streampay_smoke.settings import Settings
from streampay_smoke.settings.reading import project_root

_LOST = Failure(
    kind="journal_lost",
    blame=Blame.HARNESS,
    message="the journal of this run was removed, replaced or cut while it was played",
    next_step="see who writes into the artifacts folder, and run again",
)


class GateRunner(Runner):
    """Exits with the verdict's code: 0 only when every promise was proved."""

    session: Session
    pins: Pins

    def __init__(self, config: Configuration) -> None:
        super().__init__(config)
        self._redactor = Redactor()
        self._interruption = Interruption(self._doing)

    def run(self) -> bool:
        """Play the run; never returns, for behave itself knows two answers only."""
        with outlasting_output():
            exit_code = self._exit_code()
        sys.exit(exit_code)

    def _exit_code(self) -> int:
        """Play the run and return its verdict's exit code; what breaks the gate itself is no fault of the release."""
        try:
            with redacted_output(self._redactor):
                return self._answer().exit_code
        except SettingsInvalid as error:
            print(f"CONFIG: {error}\nNext: {error.next_step}", file=sys.stderr)
            return EXIT_CODES[Word.CONFIG]
        except Exception as error:  # noqa: BLE001 - e.g. a full disk: Python would exit with 1, which blames the release
            print(self._redactor.text(traceback.format_exc()), file=sys.stderr)
            print(f"INCONCLUSIVE: the evidence was lost: {type(error).__name__}", file=sys.stderr)
            print("Next: see to the disk and the artifacts folder, then run again", file=sys.stderr)
            return EXIT_CODES[Word.INCONCLUSIVE]

    def load_hooks(self, filename: str | None = None) -> None:
        """Load the hooks of the suite that was accepted: what differs from it is not even imported."""
        self.pins = manifest.accepted(Path(self.base_dir), Path(manifest.INI))
        with by_the_gate():
            super().load_hooks(filename)

    def run_model(self, features: list[Feature] | None = None) -> bool:
        """Write the manifest down, then let behave play it."""
        features = self.features if features is None else features
        planned = plans.plan(features, self.config)
        manifest.refuse_strangers(self.pins, planned)
        planned = manifest.with_least_assertions(planned, self.pins, proof=self.session.settings.settlement_proof)
        self.session.expect(planned)
        quarantine = read_quarantine(project_root(), plans.all_scenarios(Path(self.base_dir)), today=today())
        if quarantine is not None:
            self.session.record(quarantine)
        self.session.record(
            plans.announced(planned, Path(self.base_dir), self.session.settings, tags=str(self.config.tag_expression))
        )
        self.session.look_around()
        self._interruption.allow(self.session.extend_deadline(ledger_steps(planned)))
        redact_results(self, self._redactor)
        failed = super().run_model(features)
        self.session.measure(failed=bool(failed))
        self._interruption.allow(self.session.settings.bake_seconds)
        self.session.bake(failed=bool(failed))
        self.session.record(
            RunFinished(
                failed=bool(failed),
                hook_failures=self.hook_failures,
                statuses={item.expected.id: item.scenario.status.name for item in planned},
                cleanup_errors=self.context._root["cleanup_errors"],
                clock_moved_seconds=self.session.clock_moved_seconds,
            )
        )
        return bool(failed)

    def begin_step(self, step: Step) -> None:
        """Open a step's evidence and give it its budget."""
        match = self.step_registry.find_match(step)
        seconds = budget_seconds(match.func, self.session.settings.place)
        self.session.begin_step(step, seconds)
        self._interruption.begin_step(seconds, self.session.overrun)

    def end_step(self, step: Step) -> None:
        """Take a step's budget back and close its evidence."""
        self._interruption.end_step()
        self.session.end_step(step)

    def _answer(self) -> Verdict:
        self.config.outputs = redacted(self.config.outputs, self._redactor)
        folder = self._folder()
        with Journal(folder.journal_path, self._redactor) as journal, self._interruption.watching():
            if lifeline.LIFELINE in self.config.userdata:
                lifeline.follow(int(self.config.userdata[lifeline.LIFELINE]), self._interruption.abandon)
            self._play(folder, journal)
        if not journal.stands():
            with Journal(folder.journal_path, self._redactor) as found:
                found.append(RunRefused(failure=_LOST))
        verdict = finish(folder, supervised=self._supervised, signing_key=self._signing_key)
        if not self._supervised:  # behave judges, and never acts: without a recorded target nothing is rolled back
            decided(folder, verdict, self._settings, paths=(), target_release="")
        return verdict

    @property
    def _settings(self) -> Settings | None:
        return self.session.settings if hasattr(self, "session") else None

    @property
    def _signing_key(self) -> SigningKey | None:
        return self._settings.signer() if self._settings else None

    def _doing(self) -> str:
        return self.session.pending.told() if hasattr(self, "session") else ""

    @property
    def _supervised(self) -> bool:
        return RUN_FOLDER in self.config.userdata

    def _folder(self) -> RunFolder:
        if self._supervised:
            return RunFolder.existing(Path(self.config.userdata[RUN_FOLDER]))
        return RunFolder.create(artifacts_folder())

    def _play(self, folder: RunFolder, journal: Journal) -> None:
        with self._refusals_in(journal), open_session(folder, journal, self._redactor) as session:
            self.session = session
            self._interruption.limit(session.settings.deadline_seconds)
            _refuse_dry_run(self.config)
            super().run()

    @contextlib.contextmanager
    def _refusals_in(self, journal: Journal) -> Iterator[None]:
        """Write down whatever kept the run from its end."""
        try:
            yield
        except SmokeError as error:
            journal.append(RunRefused(failure=failure_of(error)))
        except KeyboardInterrupt:
            pass  # told below, together with the interruptions that behave unwound
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken suite raises anything, even SystemExit(0)
            journal.append(RunRefused(failure=_defective(error)))
        if self._interruption.reason:
            journal.append(self._interruption.event())


def ledger_steps(planned: Sequence[plans.PlannedScenario]) -> int:
    """Return how many steps of the plan wait for the ledger.

    behave's `step_registry.registry` is another one by then: it resets that after it has bound this one.
    """
    matches = (the_step_registry.find_match(step) for item in planned for step in item.scenario.all_steps)
    return sum(match is not None and waits_for_ledgers(match.func) for match in matches)


def _refuse_dry_run(config: Configuration) -> None:
    if config.dry_run:
        raise SettingsInvalid(
            "a dry run judges nothing",
            next_step="leave --dry-run out; python -m streampay_smoke.runner.feature_lint looks at the features alone",
        )


def _defective(error: BaseException) -> Failure:
    return Failure(
        kind="suite_defective",
        blame=Blame.CONFIG,
        message=f"behave could not play the features: {type(error).__name__}: {error}",
        next_step="mend the suite; nothing was judged",
    )
