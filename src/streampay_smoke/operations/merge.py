"""One verdict from runs that were played elsewhere, one or more for each region: verified, judged again, merged.

Nothing is taken on trust: a verdict counts where its journal gives the same one again, where its key signed it if keys
are given, and where it is fresh. What does not count is named, and keeps the merge from PASS.
"""

import hashlib
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from streampay_smoke.core.files import replace_file
from streampay_smoke.core.signing import PublicKey, SigningKey
from streampay_smoke.core.system_facts import variables
from streampay_smoke.core.times import from_iso_ms, now_ms
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.events import Exchanged, Interrupted, RegionsMerged
from streampay_smoke.evidence.journal import JOURNAL, Entry, Journal, JournalRead
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.evidence.regions import MergedRun, Quorum, RefusedArtifact
from streampay_smoke.gate import policy, regions
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.judge import KILLED, judge
from streampay_smoke.gate.policy import Decision
from streampay_smoke.gate.verdict import VERDICT, Verdict, VerdictStatus, from_json
from streampay_smoke.operations.verification import differences
from streampay_smoke.publish import github
from streampay_smoke.publish.publish import PAGE, REPORTS, publish
from streampay_smoke.publish.report_model import RunReport, report_of
from streampay_smoke.publish.terminal import console_regions, paint_for, width_of
from streampay_smoke.run.conclude import attempt, evidence_lost, notify_people
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.seal import seal
from streampay_smoke.settings import EvidenceSettings, load_evidence
from streampay_smoke.settings.reading import read

MAX_AGE_SECONDS = 3600.0
"""A run that ended longer ago says nothing of the rollout that is decided now."""

CLOCKS_DIFFER_SECONDS = 300.0
"""A run may have ended so far in the future: clocks of two machines differ."""

_NOTHING_YET = hashlib.sha256(b"").hexdigest()
"""The digest of the journal that the first verdict of every run was computed from."""


_MERGED_ALREADY = ("merged_already", "this is a merged verdict: give the runs it was made of")


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """The folder of a run, or its verdict.json. `region` is the one it was started for, "" where only the run says."""

    path: Path
    region: str = ""

    @property
    def verdict_path(self) -> Path:
        """Where its verdict is."""
        return self.path / VERDICT if self.path.is_dir() else self.path

    @property
    def journal_path(self) -> Path:
        """Where the evidence for it is."""
        return self.verdict_path.with_name(JOURNAL)


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What evidence has to be like to count; one of `keys` must have signed it, where there are any."""

    now_ms: int
    keys: tuple[PublicKey, ...] = ()
    max_age_seconds: float = MAX_AGE_SECONDS


class MergeEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of the artifacts: the runs that count, and what does not."""

    runs: tuple[MergedRun, ...]
    refused: tuple[RefusedArtifact, ...]


def read_evidence(artifacts: Sequence[Artifact], trust: Trust) -> MergeEvidence:
    """Read, verify and judge again. SAFETY counts even where the rest of its evidence does not."""
    runs: list[MergedRun] = []
    refused: list[RefusedArtifact] = []
    for artifact in artifacts:
        read, verdict, problem = _examined(artifact, trust)
        if problem is not None:
            refused.append(problem)
        if read is None or verdict is None or (problem is not None and verdict.verdict is not VerdictStatus.SAFETY):
            continue
        run = fold(read.entries)
        runs.append(
            MergedRun(
                region=artifact.region or verdict.target.region,
                vantage=run.started.settings.get("vantage", "") if run.started else "",
                verdict=msgspec.to_builtins(verdict),
                artifacts=str(artifact.path),
                whole_suite=run.planned is not None and run.planned.whole_suite,
                answer_ms=_answer_ms(read),
                policy=run.started.policy if run.started else None,
            )
        )
    return MergeEvidence(runs=tuple(runs), refused=tuple(refused))


def _answer_ms(read: JournalRead) -> int | None:
    events = (entry.event for entry in read.entries)
    answered = [
        event.duration_ms
        for event in events
        if isinstance(event, Exchanged) and event.peer == "service" and event.status is not None
    ]
    return statistics.median_low(answered) if answered else None


def _examined(artifact: Artifact, trust: Trust) -> tuple[JournalRead | None, Verdict | None, RefusedArtifact | None]:
    """Return a run's journal, the verdict that it proves, and why it does not count, None where it does."""

    def refused(kind: str, text: str, region: str = "") -> RefusedArtifact:
        return RefusedArtifact(artifact=str(artifact.path), kind=kind, text=text, region=artifact.region or region)

    try:
        shown = from_json(artifact.verdict_path.read_bytes())
    except OSError as error:
        return None, None, refused("verdict_unreadable", f"verdict.json: {error.strerror}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, None, refused("verdict_unreadable", f"verdict.json is no verdict: {error}")
    if shown.regions:
        return None, None, refused(*_MERGED_ALREADY)
    try:
        read = journals.read(artifact.journal_path)
    except OSError as error:
        return None, None, refused("journal_missing", f"journal.jsonl: {error.strerror}: nothing proves this verdict")
    unfinished = shown.evidence.journal_sha256 == _NOTHING_YET
    verdict = judge(_with_its_end(read, trust.now_ms) if unfinished else read)
    if verdict.regions:
        return None, None, refused(*_MERGED_ALREADY)
    problem = next(_problems(artifact, shown, read, verdict, trust, unfinished=unfinished), None)
    return read, verdict, refused(*problem, verdict.target.region) if problem else None


def _with_its_end(read: JournalRead, now_ms: int) -> JournalRead:
    """Return the journal of a run that was killed with its supervisor, with the line that its supervisor owes."""
    last = read.entries[-1] if read.entries else None
    if last is None or isinstance(last.event, Interrupted):
        return read
    event = Interrupted(reason=KILLED, detail="the run and its supervisor were killed")
    end = Entry(seq=last.seq + 1, at_ms=min(last.at_ms, now_ms), prev="", event=event)
    return replace(read, entries=(*read.entries, end))


def _problems(
    artifact: Artifact, shown: Verdict, read: JournalRead, verdict: Verdict, trust: Trust, *, unfinished: bool
) -> Iterator[tuple[str, str]]:
    """Yield the kind of each thing that keeps evidence from counting, and what to say of it."""
    if read.tampered_at:
        yield "journal_forged", f"journal.jsonl was changed after it was written, from line {read.tampered_at} on"
    said, proved = _answer(shown), _answer(verdict)
    if unfinished and shown.verdict is not VerdictStatus.INCONCLUSIVE:
        yield "verdict_forged", f"verdict.json says {said}, and names a journal that is empty"
    if not unfinished and shown.evidence.journal_sha256 != verdict.evidence.journal_sha256:
        yield "verdict_forged", "verdict.json was computed from another journal than the one beside it"
    if not unfinished and said != proved:
        yield "verdict_forged", f"verdict.json says {said}, and its journal proves {proved}"
    if trust.keys and not unfinished:  # nobody was left to sign one that was killed, and it says nothing but that
        yield from (("not_signed", text) for text in _unsigned(artifact, trust.keys))
    if not unfinished or read.entries:
        yield from _untimely(verdict, trust)
    named = verdict.target.region
    if not (artifact.region or named):
        yield "region_unnamed", "the run does not say which region it judged: set SMOKE_REGION where it is played"
    if artifact.region and named and named != artifact.region:
        yield "region_other", f"this run was started for {artifact.region} and judged {named}"


def _answer(verdict: Verdict) -> str:
    return f"{verdict.verdict} ({verdict.reason_code}, exit code {verdict.exit_code})"


def _unsigned(artifact: Artifact, keys: Sequence[PublicKey]) -> Iterator[str]:
    """Yield what keeps every key from vouching for this evidence; nothing where one of them does."""
    found = [list(differences(artifact.journal_path, artifact.verdict_path, key)) for key in keys]
    if all(found):
        yield "; ".join(found[0])


def _untimely(verdict: Verdict, trust: Trust) -> Iterator[tuple[str, str]]:
    age_seconds = (trust.now_ms - verdict.timings.ended_at_ms) / 1000
    if age_seconds > trust.max_age_seconds:
        limit = f"{trust.max_age_seconds:g}"
        yield "run_stale", f"the run ended {age_seconds:.0f} s ago, and {limit} s are the limit (--max-age)"
    if age_seconds < -CLOCKS_DIFFER_SECONDS:
        yield "run_in_the_future", f"the run ends {-age_seconds:.0f} s from now: set the clocks of both machines"
    for override in verdict.overrides:
        if from_iso_ms(override.until) < trust.now_ms:
            yield "override_over", f"the override by {override.who} was over at {override.until}"


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a merge is ended: who signs it, what INCONCLUSIVE exits as, and whether only the verdict is printed.

    A `rehearsal` was played against a simulation that was made for it. `settings` say who is told.
    """

    settings: EvidenceSettings

    signing_key: SigningKey | None = None
    inconclusive_fails: bool = False
    ended_by: str = ""
    quiet: bool = False
    rehearsal: bool = False


def conclude_merge(folder: RunFolder, evidence: MergeEvidence, quorum: Quorum, ending: Ending) -> int:
    """Write down what is merged, conclude it, and return the exit code."""
    event = RegionsMerged(
        run_id=folder.run_id,
        quorum=quorum,
        runs=evidence.runs,
        refused=evidence.refused,
        signed_by=ending.signing_key.public.id if ending.signing_key else "",
        inconclusive_fails=ending.inconclusive_fails,
        ended_by=ending.ended_by,
        rehearsal=ending.rehearsal,
    )
    try:
        with Journal(folder.journal_path, Redactor()) as journal:
            journal.append(event)
        return conclude_merged(folder, ending.settings, signing_key=ending.signing_key, quiet=ending.quiet)
    except OSError as error:
        return evidence_lost(error)


def conclude_merged(
    folder: RunFolder, settings: EvidenceSettings, *, signing_key: SigningKey | None, quiet: bool = False
) -> int:
    """Judge a merge by its journal, write and tell its verdict, decision and reports, and return its exit code.

    What fails after the verdict is on disk is a note, and changes nothing. Raises OSError where it cannot be.
    """
    read = journals.read(folder.journal_path)
    verdict = judge(read)
    notes = [note for note in [seal(folder, verdict, signing_key)] if note]
    folder.write_verdict(verdict)
    merged_runs = next((entry.event.runs for entry in read.entries if isinstance(entry.event, RegionsMerged)), ())
    decision = regions.decided(verdict, [run.policy for run in merged_runs if run.policy is not None])
    decided = policy.to_json(decision)
    attempt(f"{policy.FILE} could not be written", lambda: replace_file(folder.path / policy.FILE, decided))
    run = report_of(read.entries, verdict, decision=policy.decision_description(decision))
    attempt("the verdict could not be announced", lambda: _announce(folder, run, decision, notes, quiet=quiet))
    attempt("nobody could be told", lambda: notify_people(run, decision, settings))
    return verdict.exit_code


def _announce(folder: RunFolder, run: RunReport, decision: Decision, notes: Sequence[str], *, quiet: bool) -> None:
    print(console_regions(run, paint_for(sys.stdout, variables()), width_of(sys.stdout)), end="", flush=True)
    reports = {name: report for name, report in REPORTS.items() if report.of_merges}
    published = publish(folder.path, run, reports=reports)
    if not quiet:
        print(f"decision: {run.decision}\nreport: {folder.path / PAGE}", flush=True)
    for note in (*notes, *published.notes):
        print(f"note: {note}", file=sys.stderr)
    for text in github.announce(run, decision, variables()):
        print(text)


def merge(
    paths: Sequence[Path],
    options: Mapping[str, str],
    *,
    expected: Sequence[str],
    vantages: int,
    keys: Sequence[str],
    max_age_seconds: float,
) -> int:
    """Merge runs that were played elsewhere, and return the exit code.

    The expected regions are those named, else those the environment file lists. Without `keys` the signing key that is
    set here has to have signed every run; without either, no signature is looked at. Raises SettingsInvalid.
    """
    raw, settings = read(options), load_evidence(options)
    listed = () if expected else tuple(region.name for region in raw.facts.regions)
    signing_key = settings.signer()
    public = tuple(map(PublicKey.given, keys)) or ((signing_key.public,) if signing_key else ())
    if not public:
        print("note: no key was given, so that no signature is checked (--verify)", file=sys.stderr)
    return conclude_merge(
        RunFolder.create(settings.artifacts),
        read_evidence(
            [Artifact(path=path) for path in paths],
            Trust(now_ms=now_ms(), keys=public, max_age_seconds=max_age_seconds),
        ),
        Quorum(
            expected=tuple(dict.fromkeys(expected)) or listed,
            vantages=vantages,
            release=raw.text("SMOKE_EXPECT_RELEASE"),
            environment=raw.environment if listed or "SMOKE_ENV" in raw.given else "",
        ),
        Ending(
            settings=settings, signing_key=signing_key, inconclusive_fails=raw.parsed("SMOKE_ON_INCONCLUSIVE") == "fail"
        ),
    )
