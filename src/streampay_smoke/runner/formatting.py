"""Where behave's formatters write: into what this process prints to now, or into files, and never a secret."""

import sys
from collections.abc import Iterable

from behave.formatter.base import StreamOpener
from behave.reporter.base import Reporter
from behave.reporter.summary import SummaryReporter

from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.run.output import RedactedStream


def redacted(openers: Iterable[StreamOpener], redactor: Redactor) -> list[StreamOpener]:
    """Return openers of the same outputs, for standard output as it is now and for files that are redacted.

    A formatter that takes the name of its output for a folder writes there by itself: see `results`.
    """
    return [
        StreamOpener(stream=sys.stdout) if opener.name is None else _FileOpener(opener.name, redactor)
        for opener in openers
    ]


def summarize_on_standard_output(reporters: Iterable[Reporter]) -> None:
    """Let behave's summary go to standard output as it is now: it took what there was when it was made, or nothing."""
    for reporter in reporters:
        if isinstance(reporter, SummaryReporter):
            reporter.stream = sys.stdout


def summarize_time(reporters: Iterable[Reporter], seconds: float) -> None:
    """Let behave's summary say how long the run took: it adds scenarios up, also those that are played side by side."""
    for reporter in reporters:
        if isinstance(reporter, SummaryReporter):
            reporter.duration = seconds


class _FileOpener(StreamOpener):
    """Opens a file when its formatter asks for it, as behave's own does."""

    stream: "_RedactedFile | None"

    def __init__(self, name: str, redactor: Redactor) -> None:
        super().__init__(name)
        self._redactor = redactor

    def open(self) -> "_RedactedFile":
        """Return the file, opened at the first call."""
        if self.stream is None:
            self.stream = _RedactedFile(super().open(), self._redactor)
        return self.stream


class _RedactedFile(RedactedStream):
    """A redacted stream that ends the one behind it."""

    def close(self) -> None:
        """Write what is left of a line, and close the file."""
        if not self.closed:
            super().close()
            self._stream.close()
