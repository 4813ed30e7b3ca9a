"""Who loads the features: under any runner but the gate's, they refuse.

behave started in another folder reads no `behave.ini` of this project: its own runner, or a `dry_run` of the home
folder, would then end with 0 and without a verdict. Hooks are no help there, for a dry run calls none of them.
"""

import contextlib
import contextvars
import sys
from collections.abc import Iterator

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.gate.verdict import EXIT_CODES, VerdictStatus
from streampay_smoke.run.conclude import refuse
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.settings import load_evidence

_BY_THE_GATE = contextvars.ContextVar("by_the_gate", default=False)


@contextlib.contextmanager
def by_the_gate() -> Iterator[None]:
    """Mark what is loaded in this block as loaded by the gate's own runner."""
    token = _BY_THE_GATE.set(True)
    try:
        yield
    finally:
        _BY_THE_GATE.reset(token)


def refuse_foreign_runner() -> None:
    """Leave the verdict CONFIG and end the process with its code, unless the gate's runner is loading."""
    if _BY_THE_GATE.get():
        return
    error = SettingsInvalid(
        "behave was started without the gate's runner, which would have judged nothing",
        next_step="start behave in the project's folder, where its behave.ini is, and without --runner",
    )
    try:
        evidence = load_evidence()
        code = refuse(RunFolder.create(evidence.artifacts), error, evidence)
    except SettingsInvalid as unwritable:
        print(f"CONFIG: {error}\nNext: {error.next_step}\n{unwritable}", file=sys.stderr)
        code = EXIT_CODES[VerdictStatus.CONFIG]
    sys.exit(code)
