"""Streams that the service forgets: looked for after the last check, on every replica, and in the verdict."""

from collections.abc import Iterator

import pytest
from step_parts import Asked, Honest, Says, SmallStreamPay, Witness, run_context_of, settings_for, small_environ

from streampay_sandbox.fleet import Fleet
from streampay_sandbox.stack import start_sandbox
from streampay_smoke.acceptance.actions import streams
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.evidence.events import ReleaseSeen, ResourceCreated, ResourceLost, ResourceReleased, Warned
from streampay_smoke.operations.sweep import sweep

GONE = Says(status=404, json={"error": {"code": "STREAM_NOT_FOUND", "message": "no"}})


@pytest.fixture
def run(small: SmallStreamPay, witness: Witness) -> Iterator[RunContext]:
    run = run_context_of(settings_for(small_environ(small)), witness)
    yield run
    run.close()


def forget(small: SmallStreamPay, *stream_ids: str) -> None:
    for stream_id in stream_ids:
        del small.streams[stream_id], small.owners[stream_id]


def lost(witness: Witness) -> list[str]:
    return [event.id for event in witness.of(ResourceLost)]


def test_streams_that_were_brought_to_their_end_are_not_lost(run: RunContext, witness: Witness) -> None:
    streams.new_draft(run)
    run.clean_up()

    run.look_for_own_streams()

    assert len(witness.of(ResourceReleased)) == 1
    assert not lost(witness)
    assert not witness.of(Warned)


def test_a_stream_that_was_forgotten_before_its_end_or_after_it_is_lost(
    run: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    early, late, kept = (streams.new_draft(run).id for _ in range(3))
    forget(small, early)
    run.clean_up()
    forget(small, late)

    run.look_for_own_streams()

    assert lost(witness) == [early, late]
    assert kept not in lost(witness)
    assert "answered 404 STREAM_NOT_FOUND over 6 connections" in witness.of(ResourceLost)[0].seen


def test_a_release_that_took_the_others_place_is_seen_beside_what_it_does_not_know(
    run: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    forget(small, streams.new_draft(run).id)
    assert run.readiness.ready

    run.look_for_own_streams()

    assert [seen.moment for seen in witness.of(ReleaseSeen)] == ["start", "end"]
    assert len(lost(witness)) == 1


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(Says(status=404, text="<html>not here</html>"), id="a page of somebody else's"),
        pytest.param(Says(status=401, json={"error": {"code": "UNAUTHORIZED", "message": "no"}}), id="a refusal"),
        pytest.param(Says(status=500), id="a crash"),
    ],
)
def test_an_answer_that_does_not_say_so_is_no_loss(
    says: Says, run: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    forget(small, streams.new_draft(run).id)
    small.lie("GET item", says)

    run.look_for_own_streams()

    assert not lost(witness)


def test_silence_is_a_warning_and_no_loss(run: RunContext, small: SmallStreamPay, witness: Witness) -> None:
    streams.new_draft(run)
    small.close()

    run.look_for_own_streams()

    assert not lost(witness)
    assert "could not be looked for" in witness.of(Warned)[0].text


def test_a_run_that_made_nothing_asks_nothing(run: RunContext, small: SmallStreamPay) -> None:
    run.look_for_own_streams()

    assert not small.asked


def test_a_stream_that_another_replica_knows_is_brought_to_its_end_and_not_lost(
    run: RunContext, small: SmallStreamPay, witness: Witness
) -> None:
    """Every second look at the stream meets the replica that does not know it."""
    draft = streams.new_draft(run)
    looks: list[str] = []

    def alternate(asked: Asked, honest: Honest) -> Says:
        looks.append(asked.path)
        return GONE if len(looks) % 2 else honest(asked)

    small.lie("GET item", alternate)
    small.lie("GET /api/streams", Says(json={"data": [], "meta": {"hasNext": False, "nextCursor": None, "total": 0}}))

    run.clean_up()
    run.look_for_own_streams()

    assert small.streams[draft.id]["status"] == "ended"
    assert not lost(witness)


def test_a_broken_list_hides_no_loss(run: RunContext, small: SmallStreamPay, witness: Witness) -> None:
    draft = streams.new_draft(run)
    forget(small, draft.id)
    small.lie("GET /api/streams", Says(json={"items": []}))

    run.look_for_own_streams()

    assert lost(witness) == [draft.id]


def test_a_sandbox_that_is_restarted_after_the_last_check_has_lost_the_streams_of_the_run(witness: Witness) -> None:
    with start_sandbox() as sandbox:
        run = run_context_of(settings_for(sandbox.ready_document()["env"]), witness)
        made = {streams.new_draft(run).id for _ in range(2)}
        run.clean_up()
        sandbox.restart_service()

        run.look_for_own_streams()
        run.close()

    assert set(lost(witness)) == made


def test_what_a_run_made_on_replicas_with_memories_of_their_own_is_swept(witness: Witness) -> None:
    with Fleet(replicas=1) as fleet:
        fleet.start("v2", replicas=2, own_memory=True)
        fleet.engine.promote("v2")
        settings = settings_for({**fleet.environ(), "SMOKE_AUTH_MODE": "jwt"})
        run = run_context_of(settings, witness)
        made = {streams.new_draft(run).id for _ in range(4)}  # each request goes to the next replica
        run.close()

        sweeper = run_context_of(settings, Witness(), run_id="sweep-1")
        swept = sweep(sweeper, older_than_seconds=0, dry_run=False, say=lambda line: None)
        sweeper.close()

    assert {event.id for event in witness.of(ResourceCreated)} == made
    assert set(swept.ended) == made
    assert not swept.stuck
