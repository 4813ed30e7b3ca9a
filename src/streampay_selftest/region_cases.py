"""Several regions: a fault in one of them, and merges of evidence that is forged, missing, or of somebody else."""

from msgspec.structs import replace

from streampay_sandbox.fault import Severity, Truth
from streampay_selftest.case import Case
from streampay_selftest.conditions import environment_file
from streampay_selftest.region_conditions import (
    RegionRun,
    every_region,
    journal_says_held,
    merging,
    signed_by_another_key,
    verdict_says_pass,
    without_its_journal,
)

DISTURBANCE = Severity.DISTURBANCE
NONE, HARNESS, CONFIG = Truth.NONE, Truth.HARNESS, Truth.CONFIG

EU, US = RegionRun(region="eu"), RegionRun(region="us")
BOTH = ("eu", "us")
FAULT = "list-open"
FAULTY = RegionRun(region="us", vantage="near", tags="@streams and not @second-user", faults=(FAULT,))
CUT_OFF = {"SMOKE_BASE_URL": "http://no-such-host.invalid"}
SHORT = environment_file(ready_within_seconds=1, cutover_seconds=1)

REGION_CASES = (
    Case(
        name="a fault in one region of ten",
        story="operations: one region got another build, and nine are well",
        severity=Severity.CATASTROPHIC,
        caught_by="eu-central-1/streams/a-caller-with-no-credential",
        conditions=(every_region("@streams and not @second-user", faulty="eu-central-1", fault=FAULT),),
        tags="@streams",
    ),
    Case(
        name="a fault in one region, and a vantage point that sees nothing of it",
        story="incident X1: of two runners one is cut off, and the other sees a fault",
        severity=Severity.CATASTROPHIC,
        caught_by="us@near/streams/a-caller-with-no-credential",
        conditions=(
            SHORT,
            merging(
                EU,
                FAULTY,
                RegionRun(region="us", vantage="cut-off", environ=CUT_OFF),
                expect=BOTH,
                vantages=1,
            ),
        ),
        tags="@readiness",
    ),
    Case(
        name="a vantage point that is cut off",
        story="incident X1: one of two runners has no way out, and the other proves every promise",
        severity=DISTURBANCE,
        truth=NONE,
        conditions=(
            SHORT,
            merging(
                RegionRun(region="eu", vantage="near"),
                RegionRun(region="eu", vantage="cut-off", environ=CUT_OFF),
                expect=("eu",),
                vantages=1,
            ),
        ),
        tags="@readiness",
    ),
    Case(
        name="a vantage point that lies",
        story="operations: a runner that was taken over says PASS of a release that failed, without evidence",
        severity=DISTURBANCE,
        truth=HARNESS,
        conditions=(merging(EU, replace(FAULTY, spoil=verdict_says_pass), expect=BOTH),),
        tags="@readiness",
    ),
    Case(
        name="a merge with a forged journal",
        story="operations: the failed assertions of a run were turned into ones that held",
        severity=DISTURBANCE,
        truth=HARNESS,
        conditions=(merging(EU, replace(FAULTY, spoil=journal_says_held), expect=BOTH),),
        tags="@readiness",
    ),
    Case(
        name="a merge with a verdict that nothing proves",
        story="operations: a pipeline handed on verdict.json alone",
        severity=DISTURBANCE,
        truth=HARNESS,
        conditions=(merging(EU, replace(US, spoil=without_its_journal), expect=BOTH),),
        tags="@readiness",
    ),
    Case(
        name="a merge with a forged signature",
        story="operations: somebody else's key signed the run of a region",
        severity=DISTURBANCE,
        truth=HARNESS,
        conditions=(merging(EU, replace(US, environ=signed_by_another_key()), expect=BOTH),),
        tags="@readiness",
    ),
    Case(
        name="a merge with a run of another release",
        story="operations: the runner of one region judged yesterday's release",
        severity=DISTURBANCE,
        truth=CONFIG,
        conditions=(merging(EU, replace(US, release="sandbox-of-yesterday"), expect=BOTH),),
        tags="@readiness",
    ),
    Case(
        name="a merge without a region",
        story="operations: the runner of one region never came up",
        severity=DISTURBANCE,
        truth=HARNESS,
        conditions=(merging(EU, expect=BOTH),),
        tags="@readiness",
    ),
)
