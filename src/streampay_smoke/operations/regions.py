"""`run --region all`: plays the regions of an environment side by side, each as a run of its own, and merges them.

A region is judged by the same command as ever, in a process, a folder and a deadline of its own: nothing that becomes
of one reaches another. Only what the regions share is decided here: what no two may use at once, and the end.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

import msgspec

from streampay_smoke.core import times
from streampay_smoke.core.ending_signals import ending_signals, ending_signals_disregarded
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.core.progress_line import Count, counted
from streampay_smoke.core.system_facts import child_environment
from streampay_smoke.evidence.regions import Quorum, RefusedArtifact
from streampay_smoke.gate.verdict import VERDICT, written_at
from streampay_smoke.operations.merge import Artifact, Ending, Trust, conclude_merge, read_evidence
from streampay_smoke.publish.github import ACTIONS, OUTPUT, SUMMARY
from streampay_smoke.run.conclude import refuse
from streampay_smoke.run.detail import Detail
from streampay_smoke.run.embedded import start_regions
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.settings import EvidenceSettings, load_evidence
from streampay_smoke.settings.environment import Region
from streampay_smoke.settings.folders import history_file
from streampay_smoke.settings.reading import RawSettings, read

NEVER_SHARED = {
    "SMOKE_BASE_URL": "every region has an address of its own",
    "SMOKE_BASELINE_URL": "every region has a stable release of its own",
    "SMOKE_SIGNER_SEED": "one account cannot sign for several regions at once",
    "SMOKE_RECIPIENT_SEED": "what one region pays would be counted as another's",
}
"""What is not given for all regions at once, and why; a region's own stands in its `[[regions]]`, or it has none."""

ONE_ACCOUNT = ("SMOKE_SIGNER_SEED", "SMOKE_RECIPIENT_SEED")
"""Seeds of accounts that no two regions may have, by whatever variables."""

OF_A_REGION = {
    "SMOKE_STELLAR_RPC_URL": "rpc_url",
    "SMOKE_STELLAR_FRIENDBOT_URL": "friendbot_url",
    "SMOKE_CONTRACT_ID": "contract_id",
    "SMOKE_VANTAGE": "vantage",
}
"""What is given for all regions only where none of them says its own: it would count instead."""

OF_ONE_VERDICT = {ACTIONS: "", OUTPUT: "", SUMMARY: ""}
"""Where CI systems are told a verdict, emptied for the runs of regions: they are told the merged one."""

TOLD = ("SMOKE_NOTIFY_", "SMOKE_PAGE_")
"""How variables begin that say whom a verdict is told. The runs of regions tell nobody."""

CLEAN_UP_SECONDS = 180.0
"""How much later than twice its deadline a run is given up: slow ledgers extend it, and what it made is ended."""

LOOK_SECONDS = 0.1


class _Played(msgspec.Struct):
    """A region's run."""

    region: Region
    folder: Path
    process: "subprocess.Popen[bytes]"
    started_s: float

    @property
    def artifact(self) -> Path:
        """The folder of its run, or where that would be."""
        return (self.folder / "latest").resolve()


def run_regions(options: Mapping[str, str], paths: Sequence[str], detail: Detail) -> int:
    """Play every region that the environment file lists, merge what they say, and return the exit code."""
    evidence = load_evidence(options)
    folder = RunFolder.create(evidence.artifacts)
    try:
        raw = read(options)
        refuse_shared(raw)
        limit_seconds = 2 * raw.deadline_seconds() + raw.parsed("SMOKE_BAKE") + CLEAN_UP_SECONDS
        signing_key = evidence.signer()
    except SmokeError as error:
        return refuse(folder, error, evidence, quiet=detail is Detail.QUIET)
    regions = raw.facts.regions
    progress = Count("regions", len(regions), at_once=True)
    progress.doing = "getting ready"
    try:
        with (
            contextlib.nullcontext() if detail is Detail.QUIET else counted(progress),
            _addresses(raw, folder.path) as addresses,
        ):
            environs = {
                region.name: {**_environ(region, raw, evidence, folder, options), **addresses.get(region.name, {})}
                for region in regions
            }
            played, ended_by = _played(regions, environs, paths, folder.path, detail, limit_seconds, progress)
    except SmokeError as error:  # the sandbox did not start: nothing was played
        return refuse(folder, error, evidence, quiet=detail is Detail.QUIET)
    with ending_signals_disregarded():
        found = read_evidence(
            [Artifact(path=each.artifact, region=each.region.name) for each in played if each.artifact.is_dir()],
            Trust(now_ms=times.now_ms(), max_age_seconds=float("inf")),
        )
        lost = tuple(_lost(each) for each in played if not each.artifact.is_dir())
        return conclude_merge(
            folder,
            msgspec.structs.replace(found, refused=(*found.refused, *lost)),
            Quorum(
                expected=tuple(region.name for region in regions),
                release=raw.text("SMOKE_EXPECT_RELEASE"),
                environment=raw.environment,
            ),
            Ending(
                settings=evidence,
                signing_key=signing_key,
                inconclusive_fails=raw.parsed("SMOKE_ON_INCONCLUSIVE") == "fail",
                ended_by=ended_by,
                quiet=detail is Detail.QUIET,
                rehearsal=bool(addresses),
            ),
        )


def refuse_shared(raw: RawSettings) -> None:
    """Raise SettingsInvalid where the regions of an environment cannot be played side by side."""
    file = f"environments/{raw.environment}.toml"
    if not raw.facts.regions:
        raise SettingsInvalid(
            f"--region all: {file} lists no regions", next_step="list them as [[regions]]: see docs/regions.md"
        )
    shared = next((name for name in NEVER_SHARED if name in raw.given), None)
    if shared is not None:
        raise SettingsInvalid(
            f"{raw.called(shared)} is set for all regions: {NEVER_SHARED[shared]}",
            next_step=f"unset it, and say it in [[regions]] of {file} where a region needs its own",
        )
    for name, field in OF_A_REGION.items():
        own = next((region.name for region in raw.facts.regions if getattr(region, field)), "")
        if name in raw.given and own:
            raise SettingsInvalid(
                f"{raw.called(name)} is set for all regions, and {file} gives region {own} its own",
                next_step="unset it, or leave it out of [[regions]]",
            )
    for name in ONE_ACCOUNT:
        _refuse_one_account(name, raw, file)
    if raw.text("SMOKE_ON_FAIL") == "rollback":
        raise SettingsInvalid(
            "--region all rolls nothing back: a rollback is recorded for one deploy of one region",
            next_step="leave out --on-fail; decision.json names the regions to roll back, each by its own command",
        )


def _refuse_one_account(name: str, raw: RawSettings, file: str) -> None:
    """Raise SettingsInvalid where two regions are given one seed, by one variable or by two."""
    variables = {region.name: region.credentials[name] for region in raw.facts.regions if name in region.credentials}
    first_with: dict[str, str] = {}
    for region, variable in variables.items():
        seed = raw.system.get(variable, "")
        if seed and seed in first_with:
            first = first_with[seed]
            raise SettingsInvalid(
                f"{file} gives regions {first} and {region} one {name} ({variables[first]} and {variable}): "
                f"{NEVER_SHARED[name]}",
                next_step=f"make an account for each region, and set it as {variable}",
            )
        first_with[seed] = region


@contextlib.contextmanager
def _addresses(raw: RawSettings, place: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Give the variables that a simulation of the regions says of each; none where they are deployments."""
    if not raw.facts.service.simulated or any(region.base_url for region in raw.facts.regions):
        yield {}
        return
    latencies_ms = {region.name: region.simulated_latency_ms for region in raw.facts.regions}
    faults = {region.name: region.simulated_faults for region in raw.facts.regions}
    with start_regions(latencies_ms, faults, raw.facts.chain.simulated_seconds_per_ledger, place) as environs:
        yield environs


def _environ(
    region: Region, raw: RawSettings, evidence: EvidenceSettings, folder: RunFolder, options: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a region's run: without the credentials of others, and with nobody to tell."""
    given = {
        **options,
        **OF_ONE_VERDICT,
        "SMOKE_REGION": region.name,
        "SMOKE_ARTIFACTS": str(_place(folder.path, region)),
        "SMOKE_HISTORY": str(history_file(evidence.history, evidence.artifacts)),
        "SMOKE_REPORT": "0",
        **{name: "" for name in raw.given if name.startswith(TOLD)},
    }
    others = {variable for other in raw.facts.regions for variable in other.credentials.values()}
    hidden = others - set(region.credentials.values())
    return {name: value for name, value in child_environment(given).items() if name not in hidden}


def _place(folder: Path, region: Region) -> Path:
    return folder.absolute() / "regions" / region.name


def _played(
    regions: Sequence[Region],
    environs: Mapping[str, Mapping[str, str]],
    paths: Sequence[str],
    folder: Path,
    detail: Detail,
    limit_seconds: float,
    progress: Count,
) -> tuple[list[_Played], str]:
    """Play the regions to their ends; return them, and the name of the signal that asked for that, "" for none."""
    played: list[_Played] = []
    ended_by: list[str] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        ended_by.append(signal.Signals(number).name)
        for each in played:
            each.process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in ending_signals()}
    try:
        with contextlib.ExitStack() as open_files:
            for region in regions:
                if ended_by:
                    break
                place = _place(folder, region)
                place.mkdir(parents=True)
                output = open_files.enter_context((place / "output.log").open("wb"))
                played.append(_start(region, place, environs[region.name], paths, output))
            if ended_by:  # it may have come between the start of a process and its place in the list
                pass_on(signal.Signals[ended_by[0]], None)
            _wait(played, detail, limit_seconds, progress)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in played:
            each.process.kill()
            each.process.wait()
    return played, ended_by[0] if ended_by else ""


def _start(region: Region, place: Path, environ: Mapping[str, str], paths: Sequence[str], output: IO[bytes]) -> _Played:
    command = [sys.executable, "-m", "streampay_smoke", "run", "--", *paths]
    process = subprocess.Popen(
        command, env=dict(environ), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    return _Played(region=region, folder=place, process=process, started_s=time.monotonic())


def _wait(played: Sequence[_Played], detail: Detail, limit_seconds: float, progress: Count) -> None:
    """Wait for every run, tell each as it ends, and kill one that goes on past the limit."""
    left = list(played)
    while left:
        progress.done, progress.doing = len(played) - len(left), f"playing {', '.join(e.region.name for e in left)}"
        for each in [each for each in left if each.process.poll() is not None]:
            left.remove(each)
            if detail is not Detail.QUIET:
                print(_told(each), flush=True)
        for each in left:
            if time.monotonic() - each.started_s > limit_seconds:
                each.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired, IndexError):
            left[0].process.wait(LOOK_SECONDS)


def _told(each: _Played) -> str:
    verdict = written_at(each.artifact / VERDICT)
    said = str(verdict.verdict) if verdict else "no verdict"
    return f"{each.region.name}: {said} after {time.monotonic() - each.started_s:.0f} s"


def _lost(each: _Played) -> RefusedArtifact:
    return RefusedArtifact(
        artifact=str(each.folder),
        kind="evidence_missing",
        text=f"its run left no evidence and ended with exit code {each.process.returncode}: see output.log",
        region=each.region.name,
    )
