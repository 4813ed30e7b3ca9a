"""The command `behave` as an installation of the gate has it: who waits at a terminal sees at once that it starts."""

from streampay_smoke.core.progress_line import told_while
from streampay_smoke.core.standard_streams import open_standard_streams


def main() -> int:
    """Run behave, and return its exit code."""
    open_standard_streams()
    with told_while("getting ready"):  # importing behave is a third of what a start takes
        from streampay_smoke.runner.behave_entry import run
    return run()
