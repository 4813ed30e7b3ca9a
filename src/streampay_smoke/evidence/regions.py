"""What a merged verdict is made of: the runs that count for each region, what does not count, and what is asked for."""

from typing import Any

import msgspec

from streampay_smoke.evidence.policy import Policy


class RefusedArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that does not count, and why: `kind` is stable, `text` is for people. `region` is "" where not known."""

    artifact: str
    kind: str
    text: str
    region: str = ""


class Quorum(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge asks for.

    `expected` are the regions that have to pass. Each has one run, which has to pass; where `vantages` is not 0, it has
    a run from each of several vantage points, of which so many have to pass while the others say nothing.
    `release` and `environment` are what has to be judged, "" for the same everywhere.
    """

    expected: tuple[str, ...]
    vantages: int = 0
    release: str = ""
    environment: str = ""


class MergedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that counts: its `verdict.json`, judged again from its journal, and what it was played for.

    `whole_suite` says that every scenario of the smoke was planned, `answer_ms` how long half of the service's answers
    took at most, None where none came. `policy` is its environment's, None where it was refused before it began.
    """

    region: str
    vantage: str
    artifacts: str
    verdict: dict[str, Any]
    whole_suite: bool = False
    answer_ms: int | None = None
    policy: Policy | None = None
