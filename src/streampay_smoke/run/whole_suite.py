"""What the whole smoke is: every scenario of it that was accepted."""

from collections.abc import Iterable

from streampay_smoke.run import pins
from streampay_smoke.settings.folders import FEATURES, project_root, suite_root

_SMOKE = "smoke"


def smoke_of(accepted: pins.Pins) -> frozenset[str]:
    """Return the ids of all accepted scenarios of the smoke."""
    return frozenset(
        pin.name for pin in accepted.values() if isinstance(pin, pins.PinnedScenario) and _SMOKE in pin.tags
    )


def accepted_smoke() -> frozenset[str]:
    """Return the ids of the smoke that is accepted in this project; none where that cannot be read."""
    try:
        return smoke_of(pins.read(suite_root(project_root()) / FEATURES / pins.FILE))
    except pins.SuiteChanged:
        return frozenset()


def is_whole(planned: Iterable[str], smoke: frozenset[str]) -> bool:
    """Whether these scenarios are all of the smoke: what an environment leaves out by name was planned too.

    A tag filter leaves out without a name, and a suite that nobody accepted is never the whole one.
    """
    return bool(smoke) and smoke <= set(planned)
