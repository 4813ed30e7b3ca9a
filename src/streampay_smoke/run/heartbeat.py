"""Says how far a run is for whoever watches: its phase, what is done, and what every lane waits for."""

from collections.abc import Callable

from streampay_smoke.core.progress_line import ProgressText
from streampay_smoke.run.progress import LaneWait, ProgressView, RunProgress


def text_of(progress: Callable[[], RunProgress | None]) -> ProgressText:
    """Return what says how far a run is; it gets ready as long as there is no progress to be read."""

    def text(seconds: float, /, *, is_live: bool) -> str:
        now = progress()
        view = now.view() if now else ProgressView()
        return live_text(view, seconds, now.left_seconds if now else 0.0) if is_live else log_text(view, seconds)

    return text


def log_text(view: ProgressView, seconds: float) -> str:
    """Return how far a run is, as a line of a log."""
    parts = _phase(view)
    if view.expected:
        parts.append(f"{view.done} of {view.expected} scenarios done")
    waits: dict[str, str] = {}
    for wait in view.waits:
        waits.setdefault(wait.what, f"{wait.what} ({_how_long(wait)})")
    if waits:
        parts.append(f"waiting for {', '.join(waits.values())}")
    return f"{seconds:.0f} s: {'; '.join(parts)}"


def live_text(view: ProgressView, seconds: float, left_seconds: float) -> str:
    """Return how far a run is, what it waits for and which features are done, the most telling first."""
    most = f" of {seconds + left_seconds:.0f}" if left_seconds > 0 else ""
    parts = [f"{seconds:.0f} s{most}", *_phase(view)]
    if view.expected:
        features = f"{len(view.features_done)} of {view.features} features"
        parts.append(f"done: {view.done} of {view.expected} scenarios, {features}")
    if view.waits:
        longest = view.waits[0]
        others = f", {len(view.waits) - 1} more" if len(view.waits) > 1 else ""
        parts.append(f"waits {_how_long(longest)}{others}: {longest.what}")
    if view.features_done:
        parts.append(", ".join(view.features_done))
    return " | ".join(parts)


def _phase(view: ProgressView) -> list[str]:
    if not view.phase:
        return []
    return [view.phase + (f" (at most {view.phase_seconds:.0f} s)" if view.phase_seconds else "")]


def _how_long(wait: LaneWait) -> str:
    return f"{wait.seconds:.0f} s" + (f" of {wait.step_seconds:.0f}" if wait.step_seconds else "")
