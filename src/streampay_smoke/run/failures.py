"""Turns what a step raised into a journal's failure."""

from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.evidence.events import Failure, cut_off


def failure_of(error: BaseException) -> Failure:
    """Return the failure an exception stands for; anything the suite did not foresee is its own fault."""
    if isinstance(error, SmokeError):
        return Failure(
            kind=error.kind,
            blame=error.blame,
            message=str(error),
            next_step=error.next_step,
            cause=getattr(error, "cause", ""),
            unfit=error.unfit,
        )
    if isinstance(error, KeyboardInterrupt):  # a signal or the deadline: see runner/interruption.py
        return cut_off(str(error))
    return Failure(
        kind="harness_error",
        blame=Blame.HARNESS,
        message=f"{type(error).__name__}: {error}",
        next_step="read the journal and mend the suite; the release was not judged by this",
    )
