"""Both distributions of a canary, as a picture and as text."""

from gate_stories import started
from sample_runs import Script, judged

from streampay_smoke.evidence.canary import Canary, CanaryAnswer
from streampay_smoke.evidence.events import CanaryEnded, CanaryPaired, CanaryStarted, RunFinished, RunPlanned
from streampay_smoke.publish.canary import COLUMNS, WIDTH, canary_report
from streampay_smoke.publish.html import html_report
from streampay_smoke.publish.report_model import RunReport
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.summary import summary_md


def pair(number: int, candidate_ms: float, stable_ms: float) -> CanaryPaired:
    answers = [
        CanaryAnswer(asked=asked, release=release, status=200, microseconds=round(1_000 * ms))
        for asked, release, ms in (("candidate", "v2", candidate_ms), ("stable", "v1", stable_ms))
    ]
    first, second = answers if number % 2 else reversed(answers)
    return CanaryPaired(step="list", writes=number % 3 == 0, first=first, second=second)


def compared(candidate_ms: float) -> RunReport:
    begun = CanaryStarted(
        canary=Canary(), journeys=20, seed=77, seconds=9, fewest_pairs=15, candidate="v2", at_candidate="v2"
    )
    story = Script().add(
        started(canary_journeys=20),
        RunPlanned(tags="", expected=(), whole_suite=False, comparison_only=True),
        begun,
        *(pair(number, candidate_ms * (1 + number % 4), 10 * (1 + number % 4)) for number in range(60)),
        CanaryEnded(reason="20 journeys were made", journeys=20),
        RunFinished(failed=False, hook_failures=0, statuses={}),
    )
    return judged(story).report


def test_both_sides_stand_on_one_scale() -> None:
    report = canary_report(compared(candidate_ms=100))
    assert report is not None
    reads, writes = report.distributions
    assert (reads.what, writes.what) == ("reads", "writes")
    assert (reads.from_ms, reads.to_ms) == (10, 400)
    assert (reads.candidate.median_ms, reads.stable.median_ms) == (10 * reads.stable.median_ms, reads.stable.median_ms)
    assert (reads.stable.dots[0], reads.candidate.dots[-1]) == (0.0, WIDTH)
    assert reads.stable.median_at < reads.candidate.median_at
    assert {len(side.bars) for side in (reads.candidate, reads.stable)} == {COLUMNS}
    assert report.facts["Candidate"] == "v2, 60 answers"
    assert report.facts["Stable release"] == "v1, 60 answers"
    assert "seed 77" in report.facts["Order of each pair"]


def test_reports_show_the_comparison_as_the_one_check_there_is() -> None:
    for candidate_ms, outcome in ((10, ReportStatus.PASSED), (100, ReportStatus.FAILED)):
        run = compared(candidate_ms)
        (only,) = run.scenarios
        assert (only.check.scenario, only.outcome) == ("The candidate is no worse than the stable release", outcome)
        summary, page = summary_md(run).decode(), html_report(run).decode()
        assert "## Candidate and stable release" in summary
        assert page.count("of the candidate, from") == page.count("of the stable, from") == 2


def test_equal_times_are_a_picture_too() -> None:
    run = compared(candidate_ms=10)
    report = canary_report(run)
    assert report is not None
    assert report.distributions[0].candidate.dots == report.distributions[0].stable.dots
