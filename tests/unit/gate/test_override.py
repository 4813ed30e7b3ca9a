"""Break-glass: somebody answers for another word, for a day at most, and the evidence's own word stays visible."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gate_stories import HELD, READY, ended, planned, played, started

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead, read
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.override import LONGEST_MS
from streampay_smoke.gate.verdict import Action, VerdictStatus, to_json

Told = Callable[..., JournalRead]

BROKEN = events.Failure(kind="promise_broken", blame="product", message="the list is empty", next_step="look")
REFUSED = events.Failure(kind="guard_refused", blame="safety", message="public network", next_step="stop")
STORY: tuple[Any, ...] = (
    started(),
    planned(READY),
    played(READY, status="failed", failure=BROKEN),
    ended(failed=True, readiness__ready="failed"),
)


def override(**changes: Any) -> events.Overridden:
    facts = {"who": "ada", "why": "the list is empty on purpose", "until_ms": 3_600_000, "to": "PASS"}
    return events.Overridden(**{**facts, **changes})


def test_an_override_counts_and_the_first_word_stays_visible(journaled: Told) -> None:
    before, verdict = judge(journaled(*STORY)), judge(journaled(*STORY, override()))
    assert before.verdict is VerdictStatus.FAIL
    assert (verdict.verdict, verdict.exit_code, verdict.action) == (VerdictStatus.PASS, 0, Action.PROMOTE)
    assert (verdict.reason_code, verdict.attribution) == ("overridden", "none")
    assert "OVERRIDDEN from FAIL by ada until 1970-01-01T01:00:00Z" in verdict.message
    assert len(verdict.message) <= 140
    assert verdict.checks == before.checks
    assert verdict.timings == before.timings
    written = json.loads(to_json(verdict))["overrides"]
    assert written == [
        {
            "who": "ada",
            "why": "the list is empty on purpose",
            "until": "1970-01-01T01:00:00Z",
            "from": "FAIL",
            "to": "PASS",
        }
    ]


def test_an_override_in_a_journal_that_was_changed_does_not_count(journaled: Told) -> None:
    verdict = judge(msgspec.structs.replace(journaled(*STORY, override()), tampered_at=99))
    assert verdict.verdict is not VerdictStatus.PASS
    assert verdict.overrides == ()
    because = "an override by ada does not count: the journal was changed after it was written"
    assert because in verdict.warnings


def test_a_word_that_holds_is_an_override_too(journaled: Told) -> None:
    verdict = judge(journaled(*STORY, override(to="INCONCLUSIVE")))
    assert (verdict.verdict, verdict.exit_code, verdict.action) == (VerdictStatus.INCONCLUSIVE, 3, Action.HOLD)


def test_two_states_stay_two_states(journaled: Told) -> None:
    story = (started(on_inconclusive="fail"), *STORY[1:])
    assert judge(journaled(*story, override(to="INCONCLUSIVE"))).exit_code == 1


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"to": "FAIL"}, "PASS or INCONCLUSIVE only"),
        ({"to": "CONFIG"}, "PASS or INCONCLUSIVE only"),
        ({"who": " "}, "is not said"),
        ({"why": ""}, "is not said"),
        ({"until_ms": 0}, "within 24 hours"),
        ({"until_ms": LONGEST_MS + 100_000}, "within 24 hours"),
    ],
)
def test_an_override_that_is_not_allowed_does_not_count(journaled: Told, changes: dict[str, Any], because: str) -> None:
    verdict = judge(journaled(*STORY, override(**changes)))
    assert (verdict.verdict, verdict.overrides) == (VerdictStatus.FAIL, ())
    assert because in verdict.warnings[0]


def test_safety_is_never_overridden(journaled: Told) -> None:
    story = (STORY[0], STORY[1], played(READY, status="failed", failure=REFUSED), STORY[3])
    verdict = judge(journaled(*story, override()))
    assert (verdict.verdict, verdict.exit_code) == (VerdictStatus.SAFETY, 4)
    assert "SAFETY is never overridden" in verdict.warnings[0]


def test_a_run_that_has_not_ended_is_not_overridden(journaled: Told) -> None:
    verdict = judge(journaled(*STORY[:3], override()))
    assert verdict.verdict is not VerdictStatus.PASS
    assert "has not ended" in verdict.warnings[0]


def test_a_pass_has_no_need_of_one(journaled: Told) -> None:
    story = (started(), planned(READY), played(READY, HELD), ended(readiness__ready="passed"))
    verdict = judge(journaled(*story, override()))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.PASS, "all_promises_kept")


def test_a_run_is_overridden_once(journaled: Told) -> None:
    verdict = judge(journaled(*STORY, override(to="INCONCLUSIVE"), override(who="eve")))
    assert (verdict.verdict, len(verdict.overrides)) == (VerdictStatus.INCONCLUSIVE, 1)
    assert "an override by eve does not count: a run is overridden once" in verdict.warnings


def test_a_journal_that_was_changed_is_not_overridden(journaled: Told, tmp_path: Path) -> None:
    journaled(*STORY, override())
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"who":"ada"', b'"who":"bob"') + b'{"seq": 99}\n')
    verdict = judge(read(path))
    assert verdict.verdict is not VerdictStatus.PASS
    assert msgspec.structs.asdict(verdict)["overrides"] == ()
