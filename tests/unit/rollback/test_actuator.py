"""The actuator: one rollback, fenced by what is live, written down before it is done, and believed when it is seen."""

import pytest
from rollback_parts import Bench

from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.hook import HookFailed, Intent
from streampay_smoke.rollback.log import EngineAsked, IntentLog, RollbackIntended, RollbackNotProved, RollbackProved
from streampay_smoke.rollback.outcome import NoPreviousRelease, RollbackEnding, RollbackRefused
from streampay_smoke.rollback.wire import ObservedReleases, RollbackSituation, rollback_situation


@pytest.fixture
def deployed(bench: Bench) -> Bench:
    """v1 was recorded, v2 is live."""
    assert bench.record().ending is RollbackEnding.VERIFIED
    bench.deploy()
    return bench


# -- before the deploy


def test_the_release_that_is_live_is_recorded(bench: Bench) -> None:
    outcome = bench.record()
    assert outcome.headline == "RECORDED  staging: v1 is the rollback target of d-1"
    recorded = bench.log.of("d-1").recorded
    assert recorded is not None
    assert (recorded.release, recorded.engine_release, recorded.looks) == ("v1", "v1", 3)


def test_an_engine_that_knows_no_releases_leaves_it_to_the_wire(bench: Bench) -> None:
    bench.engine.tells = False
    assert bench.record().ending is RollbackEnding.VERIFIED
    recorded = bench.log.of("d-1").recorded
    assert recorded is not None
    assert (recorded.release, recorded.engine_release) == ("v1", "")


def test_a_second_record_keeps_the_first_target(deployed: Bench) -> None:
    outcome = deployed.record()
    assert outcome.headline == "ALREADY RECORDED  staging: v1 is the rollback target of d-1"
    recorded = deployed.log.of("d-1").recorded
    assert recorded is not None
    assert recorded.release == "v1"


def test_nothing_live_is_a_first_deploy_and_says_so(bench: Bench) -> None:
    bench.engine.live = ()
    outcome = bench.record()
    assert outcome.ending is RollbackEnding.NO_PREVIOUS
    assert "first deploy" in outcome.next_step
    bench.deploy()
    with pytest.raises(NoPreviousRelease, match="nothing was live before d-1"):
        bench.roll_back()
    assert bench.engine.intents == []


def test_silence_that_was_the_networks_can_be_recorded_again(bench: Bench) -> None:
    bench.engine.live = ()
    bench.record()
    bench.engine.live = ("v1",)
    assert bench.record().ending is RollbackEnding.VERIFIED
    bench.deploy()
    assert bench.roll_back().ending is RollbackEnding.VERIFIED


def test_wire_and_engine_that_disagree_record_nothing(bench: Bench) -> None:
    bench.engine.asked_what_is_live = lambda: "v0"
    with pytest.raises(RollbackRefused, match="v1 in 3 looks, the engine names v0"):
        bench.record()
    assert bench.log.of("d-1").recorded is None


def test_a_roll_out_under_way_records_nothing(bench: Bench) -> None:
    bench.engine.live = ("v0", "v1")
    with pytest.raises(RollbackRefused, match="v0 and v1 in 3 looks"):
        bench.record()


def test_an_engine_that_cannot_be_asked_leaves_it_to_the_wire(bench: Bench) -> None:
    def down() -> str | None:
        raise HookFailed("connection refused")

    bench.engine.asked_what_is_live = down
    outcome = bench.record()
    assert outcome.ending is RollbackEnding.VERIFIED
    assert ("Engine", "connection refused") in outcome.facts


# -- the rollback


def test_the_previous_release_is_put_back_once_and_proved(deployed: Bench) -> None:
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.VERIFIED
    assert outcome.headline.startswith("ROLLED BACK  staging: v1 is live again and healthy")
    assert deployed.engine.applied == ["v1"]
    assert deployed.steps() == ["TargetRecorded", "RollbackIntended", "EngineAsked", "EngineAccepted", "RollbackProved"]
    (intent,) = deployed.engine.intents
    assert (intent.failed_release, intent.target_release, intent.deploy) == ("v2", "v1", "d-1")
    assert 0 < intent.deadline_seconds <= 60


def test_a_second_rollback_of_a_deploy_does_nothing(deployed: Bench) -> None:
    deployed.roll_back()
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.VERIFIED
    assert outcome.headline.startswith("ALREADY ROLLED BACK")
    assert len(deployed.engine.intents) == 1


def test_it_stays_rolled_back_when_another_release_was_deployed_since(deployed: Bench) -> None:
    deployed.roll_back()
    deployed.deploy("v3")
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert deployed.engine.live == ("v3",)


def test_a_failed_release_that_is_live_again_is_said_and_not_fought(deployed: Bench) -> None:
    deployed.roll_back()
    deployed.deploy("v2")
    with pytest.raises(RollbackRefused, match="v2 is live again") as caught:
        deployed.roll_back()
    assert "GitOps" in caught.value.next_step
    assert len(deployed.engine.intents) == 1


def test_the_key_is_the_same_for_each_attempt_and_another_for_each_deploy(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.does_nothing
    deployed.roll_back()
    deployed.roll_back()
    keys = [intent.key for intent in deployed.engine.intents]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    deployed.engine.behaves = deployed.engine.at_once
    deployed.engine.live = ("v1",)
    deployed.record("d-2")
    deployed.deploy("v3")
    deployed.roll_back("d-2")
    assert deployed.engine.intents[-1].key != keys[0]


# -- refusals


def test_an_unrecorded_deploy_has_nothing_to_go_back_to(bench: Bench) -> None:
    bench.deploy()
    with pytest.raises(NoPreviousRelease, match="no release was recorded before d-1"):
        bench.roll_back()
    assert bench.engine.intents == []
    assert bench.steps() == []


@pytest.mark.parametrize("failed", ["", "v2"])
def test_another_release_than_the_failed_one_is_never_removed(deployed: Bench, failed: str) -> None:
    deployed.deploy("v3")
    if not failed:  # the log knows which one failed once a rollback was begun
        with IntentLog.held(deployed.path, Redactor()) as log:
            log.append(RollbackIntended(deploy="d-1", failed_release="v2", target_release="v1", key="k", seen="v2"))
    with pytest.raises(RollbackRefused, match=r"what is live is not v2: v3 in 3 looks"):
        deployed.roll_back(failed=failed)
    assert deployed.engine.intents == []
    assert deployed.steps()[-1] == "RollbackDeclined"


def test_a_third_release_beside_the_failed_one_is_somebody_at_work(deployed: Bench) -> None:
    deployed.engine.live = ("v2", "v3")
    with pytest.raises(RollbackRefused, match="what is live is not v2"):
        deployed.roll_back(failed="v2")
    with pytest.raises(RollbackRefused, match="v2 and v3 are live at once, and nobody said which one failed"):
        deployed.roll_back()
    assert deployed.engine.intents == []


def test_a_target_that_is_the_failed_release_is_no_target(deployed: Bench) -> None:
    with pytest.raises(NoPreviousRelease, match="v1 was live before d-1 too"):
        deployed.roll_back(failed="v1")
    assert deployed.engine.intents == []


def test_a_rollback_that_was_begun_for_one_release_is_not_turned_to_another(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.does_nothing
    deployed.roll_back()
    with pytest.raises(RollbackRefused, match="was begun for v2, not for v3"):
        deployed.roll_back(failed="v3")
    assert len(deployed.engine.intents) == 1


def test_a_canary_beside_the_previous_release_is_rolled_back(deployed: Bench) -> None:
    deployed.engine.live = ("v1", "v2")
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]


def test_a_failed_release_that_the_engine_alone_knows_of_is_rolled_back(deployed: Bench) -> None:
    deployed.engine.live = ("v1",)
    deployed.engine.asked_what_is_live = lambda: "v2"
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]


# -- silence


def test_a_dead_release_is_rolled_back_on_the_engines_word(deployed: Bench) -> None:
    deployed.engine.live = ()
    deployed.engine.asked_what_is_live = lambda: "v2" if not deployed.engine.applied else "v1"
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED


def test_a_dead_release_nobody_sees_is_rolled_back_when_it_is_named(deployed: Bench) -> None:
    deployed.engine.live = ()
    with pytest.raises(RollbackRefused, match="nobody can say what is live"):
        deployed.roll_back()
    assert deployed.engine.intents == []
    assert deployed.roll_back(failed="v2").ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]


def test_an_engine_that_calls_the_previous_release_live_while_nobody_answers_is_asked(deployed: Bench) -> None:
    deployed.engine.live = ()
    deployed.engine.asked_what_is_live = lambda: "v1"  # as a canary's stable release is
    assert deployed.roll_back(failed="v2").ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]


def test_a_dead_release_is_proved_gone_although_the_engine_gave_no_answer(deployed: Bench) -> None:
    deployed.engine.live, deployed.engine.tells = (), False
    deployed.engine.behaves = deployed.engine.then_times_out
    assert deployed.roll_back(failed="v2").ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]


def test_a_hidden_canary_that_turns_into_another_release_is_not_fought(deployed: Bench) -> None:
    deployed.engine.live = ("v1",)

    def refuses_while_somebody_deploys(intent: Intent) -> str:
        deployed.engine.live = ("v3",)
        raise HookFailed("busy")

    deployed.engine.behaves = refuses_while_somebody_deploys
    assert deployed.roll_back(failed="v2").ending is RollbackEnding.NOT_VERIFIED
    assert len(deployed.engine.intents) == 1


def test_what_nobody_sees_is_not_rolled_back_under_a_newer_deploy(deployed: Bench) -> None:
    deployed.record("d-2")
    deployed.engine.live = ()
    with pytest.raises(RollbackRefused, match="and d-2 was deployed after d-1"):
        deployed.roll_back("d-1", failed="v2")
    assert deployed.engine.intents == []


def test_an_older_deploy_is_rolled_back_where_its_release_is_seen(deployed: Bench) -> None:
    deployed.record("d-2")  # and the deploy never came
    assert deployed.roll_back("d-1").ending is RollbackEnding.VERIFIED


# -- nothing to do


def test_a_target_that_is_live_is_not_asked_for_and_leaves_the_deploy_to_be_rolled_back(deployed: Bench) -> None:
    deployed.engine.live = ("v1",)
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.VERIFIED
    assert outcome.headline.startswith("NOTHING TO ROLL BACK")
    assert deployed.engine.intents == []
    deployed.deploy("v2")  # late
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]


def test_a_canary_that_no_look_met_is_taken_back_when_it_is_named(deployed: Bench) -> None:
    deployed.engine.live = ("v1",)
    outcome = deployed.roll_back(failed="v2")
    assert outcome.ending is RollbackEnding.VERIFIED
    assert outcome.headline.startswith("ROLLED BACK")
    assert deployed.engine.applied == ["v1"]


def test_a_canary_that_no_look_met_stays_unproved_where_the_engine_does_not_accept(deployed: Bench) -> None:
    deployed.engine.live = ("v1",)
    deployed.engine.behaves = deployed.engine.is_down
    outcome = deployed.roll_back(failed="v2")
    assert outcome.ending is RollbackEnding.NOT_VERIFIED
    assert any("the engine did not accept" in text for label, text in outcome.facts if label == "Why")
    assert len(deployed.engine.intents) == 3
    assert deployed.roll_back().ending is RollbackEnding.NOT_VERIFIED
    deployed.engine.behaves = deployed.engine.at_once
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]
    assert len({intent.key for intent in deployed.engine.intents}) == 1


def test_a_target_that_is_live_and_sick_is_said(deployed: Bench) -> None:
    deployed.engine.live = ("v1",)
    deployed.engine.sick = {"v1"}
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.NOT_VERIFIED
    assert "not healthy" in outcome.headline
    assert deployed.engine.intents == []


# -- engines that misbehave


def test_an_engine_that_accepts_and_does_nothing_is_not_believed(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.does_nothing
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.NOT_VERIFIED
    assert ("Why", "v2 is live") in outcome.facts
    assert deployed.steps()[-1] == "RollbackNotProved"


def test_an_engine_that_acts_late_is_waited_for(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.later(30)
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert len(deployed.engine.intents) == 1


def test_an_engine_that_acts_too_late_is_asked_no_second_time_once_it_has(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.later(90)
    assert deployed.roll_back().ending is RollbackEnding.NOT_VERIFIED
    deployed.clock.sleep(60)
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert len(deployed.engine.intents) == 1
    assert deployed.engine.applied == ["v1"]
    assert deployed.steps()[-2:] == ["RollbackNotProved", "RollbackProved"]


def test_an_engine_that_acts_and_times_out_is_not_asked_again(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.then_times_out
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.VERIFIED
    assert deployed.steps() == [
        "TargetRecorded",
        "RollbackIntended",
        "EngineAsked",
        "EngineNotAccepted",
        "RollbackProved",
    ]
    assert deployed.engine.applied == ["v1"]


def test_an_engine_that_is_away_for_a_moment_is_asked_again_with_the_same_key(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.recovers_after(1)
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.VERIFIED
    assert ("Engine", "accepted: done (asked twice)") in outcome.facts
    assert len({intent.key for intent in deployed.engine.intents}) == 1


def test_an_engine_that_stays_away_is_asked_three_times_and_nobody_is_kept_waiting(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.is_down
    before = deployed.clock()
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.NOT_VERIFIED
    assert ("Engine", "connection refused (asked 3 times)") in outcome.facts
    assert "by hand" in outcome.next_step
    assert len(deployed.engine.intents) == 3
    assert deployed.clock() - before < 20


def test_an_engine_that_restores_another_release_is_found_out_and_not_asked_again(deployed: Bench) -> None:
    deployed.engine.behaves = deployed.engine.restores("v0")
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.NOT_VERIFIED
    assert ("Why", "v0 is live") in outcome.facts
    with pytest.raises(RollbackRefused, match="what is live is not v2"):
        deployed.roll_back()
    assert len(deployed.engine.intents) == 1


def test_a_defective_hook_is_an_engine_that_did_not_accept(deployed: Bench) -> None:
    deployed.engine.behaves = defective
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.NOT_VERIFIED
    assert any("the hook is defective: KeyError" in text for _, text in outcome.facts)


def test_a_hook_that_cannot_tell_what_is_live_keeps_nobody_from_rolling_back(deployed: Bench) -> None:
    deployed.engine.asked_what_is_live = defective
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED


def test_a_previous_release_that_is_sick_is_not_called_rolled_back(deployed: Bench) -> None:
    deployed.engine.sick = {"v1"}
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.NOT_VERIFIED
    assert ("Why", "v1 is not ready; next: see its log") in outcome.facts
    deployed.engine.sick = set()
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]


# -- taken up again after a kill


def test_a_rollback_killed_before_it_asked_is_finished(deployed: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_at(EngineAsked, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        deployed.roll_back()
    monkeypatch.undo()
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert deployed.engine.applied == ["v1"]


def test_a_rollback_killed_after_it_asked_only_proves(deployed: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_at(RollbackProved, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        deployed.roll_back()
    monkeypatch.undo()
    outcome = deployed.roll_back()
    assert outcome.ending is RollbackEnding.VERIFIED
    assert ("Engine", "not asked again (asked once)") in outcome.facts
    assert len(deployed.engine.intents) == 1


def test_a_rollback_killed_in_the_middle_of_a_late_engine_waits_before_it_asks_again(
    deployed: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.engine.behaves = deployed.engine.later(3)
    killed_at(RollbackNotProved, monkeypatch)
    monkeypatch.setattr(deployed.engine, "verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deployed.roll_back()
    monkeypatch.undo()
    assert deployed.roll_back().ending is RollbackEnding.VERIFIED
    assert len(deployed.engine.intents) == 1


def killed_at(step: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt the process before it writes the first step of this kind."""
    append = IntentLog.append

    def dying(log: IntentLog, entry: object) -> None:
        if isinstance(entry, step):
            raise KeyboardInterrupt
        append(log, entry)  # type: ignore[arg-type]

    monkeypatch.setattr(IntentLog, "append", dying)


def interrupted(target: str, *, within_seconds: float) -> object:
    raise KeyboardInterrupt


def defective(*intents: Intent) -> str:
    return dict[str, str]()["revision"]


# -- where things stand


@pytest.mark.parametrize(
    ("wire", "engine", "expected"),
    [
        (("v2",), "v2", RollbackSituation.FAILED_LIVE),
        (("v2",), "", RollbackSituation.FAILED_LIVE),
        (("v1", "v2"), "v1", RollbackSituation.FAILED_LIVE),
        (("v1",), "v2", RollbackSituation.FAILED_LIVE),
        ((), "v2", RollbackSituation.FAILED_LIVE),
        (("v1",), "v1", RollbackSituation.TARGET_LIVE),
        (("v1",), "", RollbackSituation.TARGET_LIVE),
        ((), "v1", RollbackSituation.UNKNOWN),
        (("v3",), "v2", RollbackSituation.OTHER_LIVE),
        (("v2", "v3"), "v2", RollbackSituation.OTHER_LIVE),
        (("v1",), "v3", RollbackSituation.OTHER_LIVE),
        ((), "", RollbackSituation.UNKNOWN),
    ],
)
def test_where_things_stand(wire: tuple[str, ...], engine: str, expected: RollbackSituation) -> None:
    assert rollback_situation(ObservedReleases(releases=wire, looks=1), engine, failed="v2", target="v1") is expected
