"""The gate's behave runner: plans the evidence, lets behave play, and ends in a verdict whatever happens."""

import contextlib
import gc
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from behave.configuration import Configuration
from behave.model import Feature, Scenario, Step
from behave.runner import Context, Runner, the_step_registry

from streampay_smoke.core.errors import Blame, SettingsInvalid, SmokeError
from streampay_smoke.core.live_line import live_line
from streampay_smoke.core.progress_line import ProgressLine
from streampay_smoke.core.standard_streams import open_standard_streams
from streampay_smoke.core.system_facts import variables
from streampay_smoke.evidence.events import Failure, RunFinished
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import EXIT_CODES, VerdictStatus
from streampay_smoke.run.conclude import NOTHING_ASKED, conclude, evidence_lost, refusal
from streampay_smoke.run.decision import prepared
from streampay_smoke.run.failures import failure_of
from streampay_smoke.run.folder import COMPARISON_ONLY, RUN_FOLDER, RunFolder
from streampay_smoke.run.heartbeat import text_of
from streampay_smoke.run.output import outlasting_output, redacted_output
from streampay_smoke.run.parent_death import PARENT_DEATH_PIPE, watch_parent
from streampay_smoke.run.pins import Pins
from streampay_smoke.run.progress import RunProgress
from streampay_smoke.run.whole_suite import is_whole, smoke_of
from streampay_smoke.runner import manifest
from streampay_smoke.runner import plan as plans
from streampay_smoke.runner.budget import budget_seconds, waits_for_ledgers
from streampay_smoke.runner.formatting import redacted, summarize_on_standard_output
from streampay_smoke.runner.interruption import Interruption
from streampay_smoke.runner.laned_run import LanedRun
from streampay_smoke.runner.loading import by_the_gate
from streampay_smoke.runner.quarantine import read_quarantine, today
from streampay_smoke.runner.results import redact_results
from streampay_smoke.runner.selection import refuse_unknown_tags, tag_expression
from streampay_smoke.runner.session import Session, open_session
from streampay_smoke.settings import load_evidence
from streampay_smoke.settings.folders import FEATURES, folders_description, project_root, read_from, suite_root

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
    _journal: Journal

    def __init__(self, config: Configuration) -> None:
        open_standard_streams()
        super().__init__(config)
        self._redactor = Redactor()
        self._interruption = Interruption(self._doing)
        self._progress: RunProgress | None = None
        self._told = ProgressLine(text_of(lambda: self._progress), live=live_line(sys.stderr, variables()))
        self._lanes = LanedRun(self, self._interruption, self._redactor, self._told.paused)
        self._cleaned_up = False
        self._to_compare = False

    def run(self) -> bool:
        """Play the run; never returns, for behave itself knows two answers only."""
        with outlasting_output():
            exit_code = self._exit_code()
        sys.exit(exit_code)

    def _exit_code(self) -> int:
        """Play the run and return its verdict's exit code; what breaks the gate itself is no fault of the release."""
        try:
            return self._answer()
        except SettingsInvalid as error:
            print(f"CONFIG: {error}\nNext: {error.next_step}", file=sys.stderr)
            return EXIT_CODES[VerdictStatus.CONFIG]
        except OSError as error:  # e.g. a full disk: Python would exit with 1, which blames the release
            return evidence_lost(error)
        except Exception as error:  # noqa: BLE001 - the same for whatever breaks the gate itself
            print(self._redactor.text(traceback.format_exc()), file=sys.stderr)
            return evidence_lost(error)

    def load_hooks(self, filename: str | None = None) -> None:
        """Load the hooks of the suite that was accepted: what differs from it is not even imported."""
        self.pins = manifest.accepted(Path(self.base_dir), Path(manifest.INI))
        with by_the_gate():
            super().load_hooks(filename)
        of_the_suite = self.hooks.get("before_feature", lambda context, feature: None)

        def before_feature(context: Context, feature: Feature) -> None:
            of_the_suite(context, feature)
            self._lanes.begin_feature(feature)

        self.hooks["before_feature"] = before_feature

    def load_step_definitions(self, extra_step_paths: Sequence[str] | None = None) -> None:
        """Load the steps; only a step's own function is interrupted when its budget is over."""
        super().load_step_definitions(extra_step_paths)
        for matchers in the_step_registry.steps.values():
            for matcher in matchers:
                matcher.func = self._lanes.playable(self._interruption.interruptible(matcher.func))

    def run_model(self, features: list[Feature] | None = None) -> bool:
        """Write the manifest down, then let behave play it."""
        comparison_only = COMPARISON_ONLY in self.config.userdata
        self.session.refuse_impossible_canary(comparison_only=comparison_only)
        played = self.features if features is None else features
        features = plans.readiness_first([] if comparison_only else played)
        planned = plans.plan(features, self.config)
        manifest.refuse_unaccepted(self.pins, planned)
        planned = manifest.with_least_assertions(planned, self.pins, proof=self.session.settings.settlement_proof)
        self.session.expect(planned)
        quarantine = read_quarantine(project_root(), lambda: plans.all_scenarios(Path(self.base_dir)), today=today())
        if quarantine is not None:
            self.session.record(quarantine)
        whole_suite = is_whole((item.expected.id for item in planned), smoke_of(self.pins))
        if not whole_suite:
            self.session.reuse_sign_ins()
        self.session.record(
            plans.announced(
                planned,
                Path(self.base_dir),
                self.session.settings,
                str(self.config.tag_expression),
                whole_suite=whole_suite,
                by_path=self.config.paths != ["features"],
                comparison_only=comparison_only,
            )
        )
        self.session.look_around()
        steps = sum(len(item.expected.steps) for item in planned)
        self._interruption.allow(self.session.extend_deadline(plans.ledger_steps(planned), steps))
        redact_results(self, self._redactor)
        self._lanes.plan(features, planned, self.session, self._journal, clean_up=self.clean_up)
        self._to_compare = bool(self.session.canary_seconds)
        gc.freeze()  # what is loaded stays
        gc.enable()
        try:
            failed = super().run_model(features)
            self._compare(failed=bool(failed))
        finally:  # an alarm may come where behave catches none
            self._to_compare = False
            self.clean_up()
        failed = failed or self._lanes.failed
        if not comparison_only:
            self.session.measure(failed=bool(failed))
        self._interruption.allow(self.session.settings.bake_seconds)
        self.session.bake(failed=bool(failed))
        self.session.look_for_streams()
        self.session.record(
            RunFinished(
                failed=bool(failed),
                hook_failures=self.hook_failures + self._lanes.hook_failures,
                statuses={item.expected.id: item.scenario.status.name for item in planned} | self._lanes.statuses,
                cleanup_errors=self.context._root["cleanup_errors"] + self._lanes.cleanup_errors,
                clock_moved_seconds=self.session.clock_moved_seconds,
            )
        )
        return bool(failed)

    def _compare(self, *, failed: bool) -> None:
        """Compare candidate and stable release, beside the deadline; what that makes is ended with the rest."""
        if self._to_compare and not self._interruption.reason:
            self._interruption.allow(self.session.canary_seconds)
            self.session.compare(failed=failed or self._lanes.failed)

    def begin_scenario(self, scenario: Scenario) -> object:
        """Open a scenario's evidence and return its scenario context; None for one that a lane plays."""
        self._lanes.begin_scenario(scenario)
        return None if self._lanes.plays(scenario) else self.session.begin(scenario)

    def end_scenario(self, scenario: Scenario) -> None:
        """Close a scenario's evidence."""
        if not self._lanes.plays(scenario):
            self.session.end(scenario)
        self._lanes.end_scenario(scenario)

    def begin_step(self, step: Step) -> None:
        """Open a step's evidence and give it its budget."""
        if self._lanes.plays(self.context.scenario):
            return
        match = self.step_registry.find_match(step)
        seconds = budget_seconds(match.func, self.session.settings.facts)
        self.session.time_left.ledger_steps -= waits_for_ledgers(match.func)
        self.session.begin_step(step, seconds)
        self._interruption.begin_step(seconds, self.session.overrun)

    def end_step(self, step: Step) -> None:
        """Take a step's budget back and close its evidence."""
        if self._lanes.plays(self.context.scenario):
            self._lanes.end_step(step)
            return
        self._interruption.end_step()
        self.session.end_step(step)

    def clean_up(self) -> None:
        """Bring what the run, or this lane, made to an end, once, in a time of its own.

        Where the run goes on to compare two releases, the hook behind its last scenario comes too early.
        """
        if self._cleaned_up or (self._to_compare and not self._lanes.is_lane):
            return
        with self._interruption.cleaning_up(whole_run=not self._lanes.is_lane):
            self._cleaned_up = True
            cut_off = bool(self._interruption.reason)
            seconds = self.session.clean_up_seconds(cut_off=cut_off)
            self._interruption.reserve(seconds)
            try:
                self._lanes.begin_clean_up(seconds)
                self._lanes.end()
            finally:
                self.session.clean_up(cut_off=cut_off)

    def _answer(self) -> int:
        """Play the run, and conclude it unless its supervisor will; return the exit code of its verdict."""
        folder = self._folder()
        # The supervisor says how far a run is, and where there is none, this process does.
        with contextlib.nullcontext() if self._supervised else self._told, redacted_output(self._redactor):
            self.config.outputs = redacted(self.config.outputs, self._redactor)
            summarize_on_standard_output(self.config.reporters)
            if not self._supervised:
                print(f"reads: {folders_description(read_from())}", flush=True)
            with self._opened(folder) as journal, self._interruption.watching():
                if PARENT_DEATH_PIPE in self.config.userdata:
                    watch_parent(int(self.config.userdata[PARENT_DEATH_PIPE]), self._interruption.abandon)
                self._play(folder, journal)
            if not journal.is_intact():
                with Journal(folder.journal_path, self._redactor) as found:
                    found.append(refusal(folder, _LOST, load_evidence()))
        if self._supervised and not self._interruption.is_abandoned:
            return folder.judged().exit_code
        settings = self.session.settings if hasattr(self, "session") else None
        return conclude(
            folder,
            redactor=self._redactor,
            signing_key=settings.signer() if settings else None,
            asked=prepared(settings, acts_here=False) if settings else NOTHING_ASKED,
            evidence=load_evidence(),
        )

    def _opened(self, folder: RunFolder) -> Journal:
        return Journal(folder.journal_path, self._redactor, uninterrupted=self._interruption.uninterrupted)

    def _allow(self, step_seconds: float, run_seconds: float) -> None:
        self._interruption.allow(run_seconds)
        self._interruption.allow_step(step_seconds)

    def _doing(self) -> str:
        return self.session.pending.described() if hasattr(self, "session") else ""

    @property
    def _supervised(self) -> bool:
        return RUN_FOLDER in self.config.userdata

    def _folder(self) -> RunFolder:
        if self._supervised:
            return RunFolder.existing(Path(self.config.userdata[RUN_FOLDER]))
        return RunFolder.create(load_evidence().artifacts)

    def _play(self, folder: RunFolder, journal: Journal) -> None:
        with self._refusals_in(folder, journal):
            self.config.tag_expression = tag_expression(self.config.tags)
            refuse_unknown_tags(self.config.tags, lambda: plans.tags_below(suite_root(project_root()) / FEATURES))
            _refuse_dry_run(self.config)
            with open_session(folder, journal, self._redactor) as session:
                self.session, self._journal = session, journal
                self._progress = RunProgress(folder.journal_path, deadline_seconds=session.settings.deadline_seconds)
                session.allow = self._allow
                self._interruption.limit(session.settings.deadline_seconds)
                try:
                    super().run()
                finally:
                    self._lanes.kill()

    @contextlib.contextmanager
    def _refusals_in(self, folder: RunFolder, journal: Journal) -> Iterator[None]:
        """Write down whatever kept the run from its end."""
        failure: Failure | None = None
        try:
            yield
        except SmokeError as error:
            failure = failure_of(error)
        except KeyboardInterrupt:
            pass  # told below, together with the interruptions that behave unwound
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken suite raises anything, even SystemExit(0)
            failure = _defective(error)
        if failure is not None:
            journal.append(refusal(folder, failure, load_evidence()))
        if self._interruption.reason:
            journal.append(self._interruption.event())


def _refuse_dry_run(config: Configuration) -> None:
    if config.dry_run:
        raise SettingsInvalid(
            "a dry run judges nothing",
            next_step="leave --dry-run out; python -m streampay_smoke.runner.feature_lint looks at the features alone",
        )


def _defective(error: BaseException) -> Failure:
    if isinstance(error, FileNotFoundError):  # behave names a path of the command line that is not there
        return Failure(
            kind="settings_invalid",
            blame=Blame.CONFIG,
            message=f"there is no feature file {error}",
            next_step="name files of this project's features/, or none for all of them",
        )
    return Failure(
        kind="suite_defective",
        blame=Blame.CONFIG,
        message=f"behave could not play the features: {type(error).__name__}: {error}",
        next_step="mend the suite; nothing was judged",
    )
