"""Whatever text a deployment answers, it is kept, judged and told: lone surrogates, controls, any Unicode."""

import json
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from gate_stories import READY, ended, planned, played, started
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Journal, read
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VerdictStatus, from_json, to_json
from streampay_smoke.publish.publish import publish
from streampay_smoke.publish.report_model import report_of
from streampay_smoke.service.exchange import parsed, shown_message

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=20)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(ANY_JSON, ANY_TEXT)
@example({"\ud800": "\x00\x1b[31m]]>\u2028\ufffe"}, "\udcff<&>\x0b")
def test_any_json_a_deployment_answers_is_evidence_and_told(value: Any, text: str) -> None:
    body = json.dumps(value)
    exchanged = events.Exchanged(
        peer="service",
        method="GET",
        target=f"/api/{text}",
        status=500,
        duration_ms=1,
        request=shown_message("GET /api", [], ""),
        response=shown_message("HTTP 500", [("x-note", text)], body),
    )
    seen = f"{parsed(body)!r} {text}"
    failure = events.Failure(kind="promise_broken", blame=Blame.PRODUCT, message=f"answered {seen}", next_step=text)
    checked = events.Checked(promise="it is ready", held=False, expected=text, observed=f"{parsed(body)}")
    story: list[events.AnyEvent] = [exchanged, checked]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Journal(folder / "journal.jsonl", Redactor()) as journal:
            for event in (
                started(),
                planned(READY),
                *played(READY, *story, status="failed", failure=failure),
                ended(failed=True, readiness__ready="failed"),
            ):
                journal.append(event)
        kept = read(folder / "journal.jsonl")
        verdict = judge(kept)
        published = publish(folder, report_of(kept.entries, verdict), environ={})

        assert kept.tampered_at == 0
        assert verdict.verdict is VerdictStatus.FAIL
        assert from_json(to_json(verdict)) == verdict
        assert published.notes == ()
        ET.fromstring((folder / "junit" / "streampay-smoke.xml").read_bytes())
        json.loads((folder / "ctrf.json").read_bytes())
        (folder / "summary.md").read_text(encoding="utf-8")
