"""Allure's page, made to load nothing: its analytics taken out, a policy put in, and the verdict put on top."""

import re

from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.publish import objectives, runbook, wording
from streampay_smoke.publish.html import render
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.report_model import RunReport

CONTENT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; style-src 'unsafe-inline' data:; "
    "img-src data: blob:; font-src data:; media-src data: blob:; connect-src data: blob:; frame-src data: blob:; "
    "worker-src data: blob:"
)
"""Everything comes out of the file itself; the browser refuses whatever would go out."""

_ANALYTICS = re.compile(
    r"<script\b[^>]*\bsrc=[\"']https://www\.googletagmanager\.com/[^>]*>\s*</script>"
    r"|<script\b[^>]*>(?:(?!</script>).)*?\bgtag\((?:(?!</script>).)*</script>",
    re.DOTALL | re.IGNORECASE,
)
_LOADS = re.compile(
    r"<(?:script|link|img|iframe|frame|source|object|embed|video|audio|track|input)\b[^>]*?"
    r"\b(?:src|href|data|srcset|poster)\s*=\s*[\"']?\s*(?:https?:|wss?:)?//[^\"'\s>]*",
    re.IGNORECASE,
)
_TRACKERS = re.compile(r"googletagmanager|google-analytics|\bgtag\(", re.IGNORECASE)

_TONES = {VerdictStatus.PASS: "#1a7f4b", VerdictStatus.FAIL: "#c62f2f", VerdictStatus.SAFETY: "#c62f2f"}
_OTHER_TONE = "#a85b00"

_SHOWN_CHARACTERS = 120


class NotOffline(Exception):
    """The page would load something from the network, or is not the page this module knows."""


def made_offline(page: str, run: RunReport) -> str:
    """Return the page without analytics, with a policy against all loading, and with the verdict above it.

    Raises NotOffline when something in it still points at the network, or there is no place for the policy.
    """
    page = _inserted(_ANALYTICS.sub("", page), run)
    left = _LOADS.search(page) or _TRACKERS.search(page)
    if left is not None:
        raise NotOffline(f"Allure's page would load something from the network: {left.group()[:_SHOWN_CHARACTERS]}")
    return page


def _inserted(page: str, run: RunReport) -> str:
    policy = f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">'
    for place, addition in (("<head>", policy), ("<body>", _banner(run))):
        before, found, after = page.partition(place)
        if not found:
            raise NotOffline(f"Allure's page has no {place}: this version of it is not known here")
        page = f"{before}{found}{addition}{after}"
    return page


def _banner(run: RunReport) -> str:
    verdict = run.verdict
    return render(
        "banner.html.j2",
        tone=_TONES.get(verdict.verdict, _OTHER_TONE),
        word=verdict.verdict,
        what=f"{wording.meaning(verdict)} {wording.next_step(verdict)}",
        lines=(
            f"Money: {payment_summary(run).sentence}",
            f"Objectives: {objectives.counted(verdict)}" if verdict.objectives else "",
            f"Decision: {run.decision}" if run.decision else "",
        ),
        more=(
            f"{verdict.message} · {wording.against(verdict)}",
            f"Reason code {verdict.reason_code}, see {runbook.section(run)}" if runbook.section(run) else "",
        ),
        passed=verdict.verdict is VerdictStatus.PASS,
    )
