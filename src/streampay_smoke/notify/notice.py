"""What people are told of a run: a headline, a few lines, links; the same for every place it is told in."""

from collections.abc import Container, Mapping
from urllib.parse import quote

import msgspec

from streampay_smoke.core.errors import Blame
from streampay_smoke.gate.policy import Decision, decision_description
from streampay_smoke.gate.verdict import Verdict, VerdictStatus
from streampay_smoke.publish import runbook, wording
from streampay_smoke.publish.executor import executor
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.report_model import RunReport
from streampay_smoke.settings.notification import NotificationSettings

TEST_RUN = "test"
"""Stands for the run id in a notification that is about none."""

_CRITICAL = frozenset({VerdictStatus.FAIL, VerdictStatus.SAFETY})


class NoticeLink(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody can read on."""

    text: str
    url: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What is told: `headline` and `lines` are plain text, one line each. `incident` is the same for pages that are
    about one thing, so that they wake somebody once.
    """

    run_id: str
    headline: str
    lines: tuple[str, ...]
    links: tuple[NoticeLink, ...]
    verdict: str
    reason_code: str
    attribution: str
    environment: str
    region: str
    release: str
    step: str
    page: bool
    critical: bool
    test: bool = False

    @property
    def incident(self) -> str:
        """What a page is about: one release gate, in one place, for one reason."""
        return ":".join(("streampay-smoke", self.environment, self.region, self.reason_code))


def is_told(verdict: Verdict, decision: Decision, told_statuses: Container[str]) -> bool:
    """Whether anybody is told: pages and overrides always, a rehearsal never, else these verdict statuses."""
    if decision.page or verdict.overrides:
        return True
    return str(verdict.verdict) in told_statuses and not verdict.target.rehearsal


def notice_of(run: RunReport, decision: Decision, settings: NotificationSettings, environ: Mapping[str, str]) -> Notice:
    """Return what is told of a run; `environ` says which CI ran it."""
    verdict = run.verdict
    place = ", ".join(part for part in (verdict.target.environment, verdict.target.region) if part) or "no environment"
    simulated = " (simulated)" if verdict.target.simulated else ""
    release = wording.release(verdict)
    return Notice(
        run_id=verdict.run_id,
        headline=wording.on_one_line(f"{verdict.verdict} on {place}{simulated}: release {release}"),
        lines=tuple(
            map(
                wording.on_one_line,
                (
                    f"{verdict.reason_code}: {verdict.message}",
                    f"Decision: {decision_description(decision)}",
                    f"Money: {payment_summary(run).sentence}",
                    f"Next: {wording.next_step(verdict)}",
                ),
            )
        ),
        links=_links(verdict.run_id, runbook.section(run), settings, environ),
        verdict=str(verdict.verdict),
        reason_code=verdict.reason_code,
        attribution=verdict.attribution,
        environment=verdict.target.environment,
        region=verdict.target.region,
        release=release,
        step=str(decision.step),
        page=decision.page,
        critical=verdict.verdict in _CRITICAL,
    )


def notice_of_a_test(settings: NotificationSettings, environ: Mapping[str, str], *, page: bool) -> Notice:
    """Return a notice that says that it is about no run."""
    return Notice(
        run_id=TEST_RUN,
        headline="TEST of streampay-smoke: nothing happened",
        lines=("Somebody ran `streampay-smoke notify --test`.", "There is nothing to do."),
        links=_links(TEST_RUN, settings.runbook_url, settings, environ),
        verdict="TEST",
        reason_code="test",
        attribution=Blame.HARNESS,
        environment="",
        region="",
        release="",
        step="hold",
        page=page,
        critical=False,
        test=True,
    )


def _links(
    run_id: str, section: str, settings: NotificationSettings, environ: Mapping[str, str]
) -> tuple[NoticeLink, ...]:
    report = settings.report_url.replace("{run_id}", quote(run_id)) or executor(environ).build_url
    links = {"Report": report, "Runbook": section if runbook.is_address(section) else ""}
    return tuple(NoticeLink(text=text, url=url) for text, url in links.items() if url)
