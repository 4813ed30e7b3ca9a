"""The actuator: puts one previous release back, once, and proves it.

Everything is written to the intent log before it is done, so that a process that is killed at any moment is taken up
by the next one: the log says what may have been asked, the wire says what came of it. The engine is asked again only
where the failed release is still seen to be live, and with the same key. A target is always a release by name, never
"the one before": a second time changes nothing.
"""

import hashlib
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.polling import PollResult, eventually
from streampay_smoke.rollback import log as logs
from streampay_smoke.rollback.configuration import known_id
from streampay_smoke.rollback.hook import Hook, HookFailed, Intent
from streampay_smoke.rollback.log import DeployHistory, IntentLog
from streampay_smoke.rollback.outcome import Fact, NoPreviousRelease, RollbackEnding, RollbackOutcome, RollbackRefused
from streampay_smoke.rollback.verification import Verification, failure_description
from streampay_smoke.rollback.wire import ObservedReleases, RollbackSituation, rollback_situation

MOST_ASKED = 3
"""How often an engine that refuses, or is away, is asked in one go."""

SETTLE_SECONDS = 5.0
"""How long the effect of an earlier request is waited for before the engine is asked again."""

PEEK_SECONDS = 0.25

_ASK_IN = (RollbackSituation.FAILED_LIVE, RollbackSituation.UNKNOWN)
"""Where things may stand for the engine to be asked; silence is fenced before it comes to that."""


class Observes(Protocol):
    """What is live on the wire; see `streampay_smoke.rollback.wire.Wire`."""

    def look(self) -> ObservedReleases:
        """Look at the whole fleet."""

    def peek(self) -> ObservedReleases:
        """Look once."""


class Verifies(Protocol):
    """The proof of a rollback; see `streampay_smoke.rollback.verification.ReleaseVerifier`."""

    def verify(self, target: str, *, within_seconds: float) -> Verification:
        """Return the proof, or raise what is in its way."""


class Actuator:
    """One environment's actuator, as long as it holds the log. `where` is the environment as people call it."""

    def __init__(
        self,
        *,
        environment: str,
        where: str,
        log: IntentLog,
        hook: Hook,
        wire: Observes,
        verifier: Verifies,
        within_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._environment = environment
        self._where = where
        self._log = log
        self._hook = hook
        self._wire = wire
        self._verifier = verifier
        self._within_seconds = within_seconds
        self._clock = clock
        self._sleep = sleep
        self._began = clock()
        self.acted = False
        """Whether the engine was, or was about to be, asked: from then on nobody may say that nothing was done."""

    def record(self, deploy: str) -> RollbackOutcome:
        """Before a deploy: write down the release that is live as the one to put back.

        A deploy that is recorded again keeps its first target: by then the new release may be the live one. Raises
        RollbackRefused where the wire and the engine name different releases.
        """
        before = self._log.read().of(deploy).recorded
        if before is not None and before.release:
            return RollbackOutcome(
                ending=RollbackEnding.VERIFIED,
                headline=f"ALREADY RECORDED  {self._where}: {before.release} is the rollback target of {deploy}",
            )
        seen, engine_release, trouble = self._wire.look(), *self._engine_release()
        releases = tuple(dict.fromkeys([*seen.releases, *([engine_release] if engine_release else [])]))
        if len(releases) > 1:
            raise RollbackRefused(
                f"nothing is recorded: {self._described(seen, engine_release)}; nobody could say which one to put back",
                next_step="wait for the roll-out that is under way, or correct service.release_told_by or the engine's "
                "live release, then record again",
            )
        target = known_id(releases[0], "the live release") if releases else ""
        because = "" if target else self._described(seen, engine_release)
        self._log.append(
            logs.TargetRecorded(
                deploy=deploy, release=target, engine_release=engine_release, looks=seen.looks, because=because
            )
        )
        facts = [("Seen", self._described(seen, engine_release)), *([("Engine", trouble)] if trouble else [])]
        if not target:
            return RollbackOutcome(
                ending=RollbackEnding.NO_PREVIOUS,
                headline=f"NOTHING TO RECORD  {self._where}: no release is live, so {deploy} could not be rolled back",
                facts=tuple(facts),
                next_step="go on if this is the first deploy; else find out why nothing answers, and record again",
            )
        return RollbackOutcome(
            ending=RollbackEnding.VERIFIED,
            headline=f"RECORDED  {self._where}: {target} is the rollback target of {deploy}",
            facts=tuple(facts),
        )

    def roll_back(self, deploy: str, failed: str = "") -> RollbackOutcome:
        """Put the release back that was live before `deploy`, and verify it. `failed` is the release to remove.

        Raises NoPreviousRelease or RollbackRefused where nothing may be done, and SettingsInvalid.
        """
        history = self._log.read().of(deploy)
        try:
            return self._rolled_back(history, failed)
        except (NoPreviousRelease, RollbackRefused) as refusal:
            if history.lines:
                self._log.append(logs.RollbackDeclined(deploy=deploy, why=str(refusal)))
            raise

    def _rolled_back(self, history: DeployHistory, failed: str) -> RollbackOutcome:
        target = _target_of(history)
        seen, engine_release, _ = self._wire.look(), *self._engine_release()
        if history.proved is not None:
            return self._already(history, seen, engine_release)
        failed = self._failed_of(history, failed, {*seen.releases, engine_release} - {target, ""})
        if failed == target:
            raise NoPreviousRelease(
                f"{target} was live before {history.deploy} too: there is no other release to put back",
                next_step="look in the log (--status) for an older release, and deploy it by hand",
            )
        stands = rollback_situation(seen, engine_release, failed=failed, target=target)
        observed = self._described(seen, engine_release)
        self._refuse_to_guess(stands, history, failed=failed, target=target, observed=observed)
        intended = history.intended
        if intended is None:
            if stands is RollbackSituation.TARGET_LIVE and not failed:
                return self._nothing_to_do(target, observed)
            intended = logs.RollbackIntended(
                deploy=history.deploy,
                failed_release=failed,
                target_release=target,
                key=self._key(history, failed, target),
                seen=observed,
                hidden=stands is RollbackSituation.TARGET_LIVE,
            )
            self._log.append(intended)
        self.acted = bool(history.asked)
        if history.asked and stands is not RollbackSituation.TARGET_LIVE:
            stands = self._settled(intended)
            self._refuse_to_guess(stands, history, failed=failed, target=target, observed="after the earlier request")
        return self._carried_out(intended, stands, history)

    def _carried_out(
        self, intended: logs.RollbackIntended, stands: RollbackSituation, history: DeployHistory
    ) -> RollbackOutcome:
        """Ask until the engine accepts or the target is live, then verify; never raises for what the engine does."""
        hidden = intended.hidden and not history.accepted
        engine, asked, accepted = "", 0, False
        while asked < MOST_ASKED and self._left_seconds > 0 and not accepted:
            if stands not in _ASK_IN and not (hidden and stands is RollbackSituation.TARGET_LIVE):
                break
            asked += 1
            self.acted = True
            self._log.append(logs.EngineAsked(deploy=intended.deploy, attempt=history.asked + asked))
            accepted, engine = self._ask(intended)
            stands = stands if accepted else self._settled(intended)
        facts = [
            ("Deploy", f"{intended.deploy}: {intended.failed_release} failed, before it was {intended.target_release}")
        ]
        if history.asked + asked:
            facts.append(("Engine", f"{engine or 'not asked again'} (asked {_times(history.asked + asked)})"))
        if hidden and not accepted:
            return self._not_proved(
                intended, facts, "the engine did not accept, and users met the previous release before it was asked too"
            )
        # An engine that refuses and a fleet that does not change: waiting for it would only keep people waiting.
        patient = accepted or stands is RollbackSituation.TARGET_LIVE
        return self._ended(intended, facts, within_seconds=self._left_seconds if patient else 0.0)

    def _ask(self, intended: logs.RollbackIntended) -> tuple[bool, str]:
        """Ask the engine once; return whether it accepted, and what was said."""
        intent = Intent(
            deploy=intended.deploy,
            environment=self._environment,
            failed_release=intended.failed_release,
            target_release=intended.target_release,
            key=intended.key,
            deadline_seconds=max(1.0, self._left_seconds),
        )
        try:
            answer = self._hook.roll_back(intent)
        except HookFailed as problem:
            why = failure_description(problem)
        except Exception as problem:  # noqa: BLE001 - whatever a hook does wrong, what became of it is on the wire
            why = f"the hook is defective: {type(problem).__name__}: {problem}"
        else:
            self._log.append(logs.EngineAccepted(deploy=intended.deploy, said=answer))
            return True, f"accepted{f': {answer}' if answer else ''}"
        self._log.append(logs.EngineNotAccepted(deploy=intended.deploy, why=why))
        return False, why

    def _ended(
        self, intended: logs.RollbackIntended, facts: Sequence[Fact], *, within_seconds: float
    ) -> RollbackOutcome:
        """Prove the rollback, write down what came of it, and say it."""
        target, deploy = intended.target_release, intended.deploy
        try:
            proof = self._verifier.verify(target, within_seconds=within_seconds)
        except SmokeError as problem:
            return self._not_proved(intended, facts, failure_description(problem))
        self._log.append(logs.RollbackProved(deploy=deploy, release=target, promises=proof.promises, notes=proof.notes))
        took_seconds = self._clock() - self._began
        return RollbackOutcome(
            ending=RollbackEnding.VERIFIED,
            headline=f"ROLLED BACK  {self._where}: {target} is live again and healthy ({took_seconds:.1f} s)",
            facts=(*facts, *_proved(proof)),
            next_step=f"see why {intended.failed_release} failed; its next deploy needs an id of its own",
        )

    def _not_proved(self, intended: logs.RollbackIntended, facts: Sequence[Fact], why: str) -> RollbackOutcome:
        target = intended.target_release
        self._log.append(logs.RollbackNotProved(deploy=intended.deploy, why=why))
        return RollbackOutcome(
            ending=RollbackEnding.NOT_VERIFIED,
            headline=f"NOT VERIFIED  {self._where}: {target} was to be put back, and that could not be shown",
            facts=(*facts, ("Why", why)),
            next_step=f"look at the engine now, make {target} live by hand if it is not, then run this again: it "
            "asks with the same key, or only proves",
        )

    def _nothing_to_do(self, target: str, observed: str) -> RollbackOutcome:
        """Prove a target that is live although nobody was asked; the deploy's rollback stays to be made."""
        try:
            proof = self._verifier.verify(target, within_seconds=self._left_seconds)
        except SmokeError as problem:
            return RollbackOutcome(
                ending=RollbackEnding.NOT_VERIFIED,
                headline=f"NOT VERIFIED  {self._where}: {target} is live already, and not healthy",
                facts=(("Seen", observed), ("Why", failure_description(problem))),
                next_step="a rollback to it would mend nothing: deploy an older release by hand",
            )
        return RollbackOutcome(
            ending=RollbackEnding.VERIFIED,
            headline=f"NOTHING TO ROLL BACK  {self._where}: {target} is live and healthy",
            facts=(("Seen", observed), ("Engine", "not asked"), *_proved(proof)),
            next_step="see whether the deploy happened at all; if its release goes live later, run this again",
        )

    def _already(self, history: DeployHistory, seen: ObservedReleases, engine_release: str) -> RollbackOutcome:
        """A deploy is rolled back once, whatever is live by now; a failed release that is back is said, not fought."""
        intended = history.intended
        observed = self._described(seen, engine_release)
        if intended is not None and intended.failed_release in {*seen.releases, engine_release}:
            raise RollbackRefused(
                f"{history.deploy} was rolled back and proved, and {intended.failed_release} is live again "
                f"({observed}): something deploys it anew",
                next_step="stop what does (a GitOps sync, a pipeline that goes on), record that as a deploy of its own "
                "and roll that one back",
            )
        target = history.proved.release if history.proved else ""
        return RollbackOutcome(
            ending=RollbackEnding.VERIFIED,
            headline=f"ALREADY ROLLED BACK  {self._where}: {target} was put back and proved",
            facts=(("Deploy", history.deploy), ("Seen", observed), ("Engine", "not asked again")),
        )

    def _failed_of(self, history: DeployHistory, given: str, others: set[str]) -> str:
        """Return the release to remove: the one that was begun with, else the one given, else the only other one.

        "" where nothing but the target is live.
        """
        begun = history.intended.failed_release if history.intended else ""
        if begun and given and given != begun:
            raise RollbackRefused(
                f"the rollback of {history.deploy} was begun for {begun}, not for {given}",
                next_step=f"run it again without --failed to finish it; a deploy of {given} has an id of its own",
            )
        failed = begun or given
        if not failed and len(others) > 1:
            raise RollbackRefused(
                f"{' and '.join(sorted(others))} are live at once, and nobody said which one failed",
                next_step="name it with --failed RELEASE",
            )
        return failed or next(iter(others), "")

    def _refuse_to_guess(
        self, stands: RollbackSituation, history: DeployHistory, *, failed: str, target: str, observed: str
    ) -> None:
        """Raise RollbackRefused where the failed release is not known to be the live one.

        Silence is what a dead release sounds like: where somebody named it, and no newer deploy was recorded, it is
        rolled back without having been seen.
        """
        if stands is RollbackSituation.OTHER_LIVE:
            raise RollbackRefused(
                f"what is live is not {failed}: {observed}; a rollback to {target} could remove a good release",
                next_step="see who deployed it; if it has to go, record and roll back the deploy it belongs to",
            )
        if stands is not RollbackSituation.UNKNOWN:
            return
        if not failed:
            raise RollbackRefused(
                f"nobody can say what is live: {observed}",
                next_step="look at the engine; if the failed release is the live one, name it with --failed RELEASE",
            )
        newest = self._log.read().newest
        if newest != history.deploy:
            raise RollbackRefused(
                f"nobody can say what is live ({observed}), and {newest} was deployed after {history.deploy}",
                next_step=f"look at the engine; roll back {newest} first, or put {target} back by hand",
            )

    def _settled(self, intended: logs.RollbackIntended) -> RollbackSituation:
        """Wait until the target is seen, as long as an earlier request may take to show; return where things stand."""

        def peek() -> PollResult[None]:
            seen = self._wire.peek()
            return PollResult(met=seen.releases == (intended.target_release,), value=None, last=seen.description)

        eventually(
            peek,
            what=f"{intended.target_release} to be seen",
            within_seconds=min(SETTLE_SECONDS, max(0.0, self._left_seconds)),
            pauses=itertools.repeat(PEEK_SECONDS),
            record=lambda event: None,  # what comes of the wait is in the intent log
            error=None,
            clock=self._clock,
            sleep=self._sleep,
        )
        seen, engine_release, _ = self._wire.look(), *self._engine_release()
        return rollback_situation(seen, engine_release, failed=intended.failed_release, target=intended.target_release)

    def _engine_release(self) -> tuple[str, str]:
        """Return the engine's own word of what is live, "" where it has none, and what was in the way of it."""
        try:
            return self._hook.live_release() or "", ""
        except HookFailed as problem:
            return "", str(problem)
        except Exception as problem:  # noqa: BLE001 - a look that fails must not keep a rollback from being made
            return "", f"the hook is defective: {type(problem).__name__}: {problem}"

    @property
    def _left_seconds(self) -> float:
        return self._began + self._within_seconds - self._clock()

    def _key(self, history: DeployHistory, failed: str, target: str) -> str:
        """Return the key of a rollback: the same from every copy of the log, another for each record of a deploy.

        An id that a pipeline uses twice is no reason for an engine to believe that it has done this already.
        """
        about = (self._where, history.deploy, failed, target, str(history.recorded_at_ms))
        return f"rollback-{hashlib.sha256('|'.join(about).encode()).hexdigest()[:32]}"

    def _described(self, seen: ObservedReleases, engine_release: str) -> str:
        return f"{seen.description}, the engine names {engine_release or 'none'}"


def _target_of(history: DeployHistory) -> str:
    """Return the release to put back; raises NoPreviousRelease."""
    recorded = history.recorded
    if recorded is None:
        raise NoPreviousRelease(
            f"no release was recorded before {history.deploy}: nobody knows what to put back",
            next_step="deploy a release you trust by hand; before every deploy run rollback --record --deploy ID",
        )
    if not recorded.release:
        raise NoPreviousRelease(
            f"nothing was live before {history.deploy} ({recorded.because}): a first deploy has nothing to go back to",
            next_step="take the service out of traffic by hand",
        )
    return recorded.release


def _proved(proof: Verification) -> tuple[tuple[str, str], ...]:
    proved = "its readiness, its name on every replica, a list for its user, none without a credential"
    return (("Proved", f"{proved} ({len(proof.promises)} checks)"), *(("Note", note) for note in proof.notes))


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
