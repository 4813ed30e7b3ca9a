"""What becomes of a deploy, in what situation, and what may become of it."""

from enum import StrEnum

from streampay_smoke.gate.verdict import VerdictStatus


class Effect(StrEnum):
    """What users get, and whether a person is asked."""

    PROMOTED = "promoted"
    GIVEN_UP = "given up"  # the candidate goes, nobody had used it
    HELD = "held"
    ROLLED_BACK = "rolled back"
    NOTHING = "nothing"
    ALERTED = "alert"


class Stage(StrEnum):
    """Whether users are on the release that is judged."""

    BEFORE = "before traffic"
    AFTER = "after traffic"
    WATCH = "no deploy"


class Situation(StrEnum):
    """What else goes on while the engine asks."""

    NORMAL = "normal"
    DOWN = "gate down"
    SLOW = "slow"
    TWICE = "called twice"


RIGHT = {
    Stage.BEFORE: {VerdictStatus.PASS: {Effect.PROMOTED}, VerdictStatus.FAIL: {Effect.GIVEN_UP}},
    Stage.AFTER: {VerdictStatus.PASS: {Effect.PROMOTED}, VerdictStatus.FAIL: {Effect.ROLLED_BACK}},
    Stage.WATCH: {VerdictStatus.PASS: {Effect.NOTHING}},
}

NO_ANSWER = {
    # With no user on the candidate, giving it up costs nobody anything; engines of two states can do no better.
    Stage.BEFORE: {Effect.HELD, Effect.GIVEN_UP},
    Stage.AFTER: {Effect.HELD},
    Stage.WATCH: {Effect.ALERTED},
}


def right_effects(stage: Stage, status: VerdictStatus, *, answered: bool) -> set[Effect]:
    """Return what may become of a deploy; `answered` says whether the verdict reached the engine."""
    return RIGHT[stage].get(status, NO_ANSWER[stage]) if answered else NO_ANSWER[stage]
