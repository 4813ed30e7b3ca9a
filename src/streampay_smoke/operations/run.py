"""`streampay-smoke run` and `canary`: reads the settings, has behave play what they select, and ends the run."""

import contextlib
import sys
from collections.abc import Mapping, Sequence

from streampay_smoke import settings as configuration
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.core.system_facts import child_environment
from streampay_smoke.run import decision as decisions
from streampay_smoke.run.detail import Detail
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.supervisor import redactor_of, supervise
from streampay_smoke.settings.environment import ALL_REGIONS
from streampay_smoke.settings.folders import folders_description, read_from
from streampay_smoke.settings.reading import read

CANARY_JOURNEYS = "10"
"""What `streampay-smoke canary` compares where nobody says how many."""


def compare(options: Mapping[str, str], detail: Detail) -> int:
    """Compare a candidate with the stable release, and play no scenario; return the exit code."""
    given = dict(options)
    with contextlib.suppress(SmokeError):  # what cannot be read is refused below, with all that is wrong
        if read(given).text("SMOKE_CANARY_JOURNEYS") in {"", "0"}:
            given["SMOKE_CANARY_JOURNEYS"] = CANARY_JOURNEYS
    if configuration.load_evidence(given).region == ALL_REGIONS:
        raise SettingsInvalid(
            "a canary compares two releases of one region", next_step="name one region, once for each of them"
        )
    return run(given, (), detail, comparison_only=True)


def run(options: Mapping[str, str], paths: Sequence[str], detail: Detail, *, comparison_only: bool = False) -> int:
    """Play the features at `paths`, all by default, and return the verdict's exit code.

    `options` are settings by variable. What is needed once behave has started is imported only then.
    """
    quiet = detail is Detail.QUIET
    evidence = configuration.load_evidence(options)
    if evidence.region == ALL_REGIONS:
        from streampay_smoke.operations.regions import run_regions

        return run_regions(options, paths, detail)
    folder = RunFolder.create(evidence.artifacts)
    if not quiet:
        print(f"reads: {folders_description(read_from())}", flush=True)
    try:
        settings = configuration.load(options)
    except SmokeError as error:
        from streampay_smoke.run.conclude import refuse

        return refuse(folder, error, evidence, quiet=quiet)
    asked = decisions.prepared(settings, target_release=_target_release(settings, options), acts_here=True)
    for note in decisions.notes_before(asked, paths):
        print(f"note: {note}", file=sys.stderr)
    environ = child_environment({**options, "SMOKE_ARTIFACTS": str(settings.artifacts)})
    try:
        supervise(settings, folder, environ, paths, detail, comparison_only=comparison_only)
    except OSError as error:  # the journal: whatever behave made of it, nobody can read it
        from streampay_smoke.run.conclude import evidence_lost

        return evidence_lost(error)
    from streampay_smoke.run.conclude import conclude

    return conclude(
        folder,
        redactor=redactor_of(settings),
        signing_key=settings.signer(),
        asked=asked,
        act=lambda decision: decisions.acted_on(decision, settings, environ),
        evidence=evidence,
        quiet=quiet,
    )


def _target_release(settings: configuration.Settings, options: Mapping[str, str]) -> str:
    """Return the release the actuator would put back after this deploy, "" where none is recorded or can be read."""
    if not settings.deploy:
        return ""
    from streampay_smoke.rollback.configuration import log_path_of
    from streampay_smoke.rollback.log import read_log
    from streampay_smoke.settings.actuator import load_rollback

    try:
        recorded = read_log(log_path_of(load_rollback(options))).of(settings.deploy).recorded
    except SmokeError as error:
        print(f"note: no rollback target can be read: {error}", file=sys.stderr)
        return ""
    return recorded.release if recorded else ""
