"""The runs that are known here: those of the history's file, and those whose folders lie beside one another.

The file outlives folders and comes from other machines too; a folder is there even when its run could not be recorded.
Each run counts once, and the file's record of it wins. Nothing here raises for what is wrong with the file: it is a
note, and folders answer alone.
"""

import contextlib
import heapq
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from streampay_smoke.core import times
from streampay_smoke.evidence.journal import JOURNAL
from streampay_smoke.gate import policy
from streampay_smoke.gate.policy import Decision
from streampay_smoke.gate.verdict import VERDICT, Verdict, written_at
from streampay_smoke.history.changes import last_green, since_green
from streampay_smoke.history.record import RunRecord, record_of
from streampay_smoke.history.row import inconclusive_in_a_row
from streampay_smoke.history.store import HistoryStore, HistoryUnusable
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.whole_suite import accepted_smoke, is_whole
from streampay_smoke.settings.folders import history_file

T = TypeVar("T")

STILL_PLAYED_SECONDS = 900
"""A run that left no decision, and whose journal is younger than this, may still be played."""

HEALED_AT_ONCE = 100
"""How many runs that were not recorded the end of one run takes in; `streampay-smoke history` takes in all."""


class EarlierRuns:
    """What is known of the runs before one, as of its end. `notes` say what could not be used."""

    def __init__(self, folder: RunFolder, file: Path | None) -> None:
        self._folder = folder
        self._file = history_file(file, folder.path.parent)
        self.notes: list[str] = []

    def inconclusive_before(self, environment: str, region: str) -> int:
        """Return how many runs right before this one were INCONCLUSIVE too; a note where the file makes it fewer."""
        alone = inconclusive_in_a_row((record for _, record in self._folders()), environment, region)
        if not self._file.exists():
            return alone
        row = self._from_store(
            lambda store: inconclusive_in_a_row(_each_once(store, self._name, self._folders()), environment, region)
        )
        if row is None:
            return alone
        if row < alone:
            self.notes.append(
                f"{row} runs before this one were INCONCLUSIVE in a row, not {alone} as their folders say: "
                "the history knows another answer between them"
            )
        return row

    def record(self, run: RunRecord) -> str:
        """Keep a run's record, and the runs beside it that were not recorded; return what changed since the last green.

        "" where the history cannot be used.
        """

        def kept(store: HistoryStore) -> str:
            store.put([*missing_in(store, self._folder.path.parent, at_most=HEALED_AT_ONCE), run])
            return since_green(last_green(store.runs(before=self._name), run.environment, run.region), run)

        return self._from_store(kept) or ""

    def _folders(self) -> Iterator[tuple[str, RunRecord | None]]:
        older = (path for path in _run_folders(self._folder.path.parent) if path.name < self._name)
        return _records(older)

    @property
    def _name(self) -> str:
        return self._folder.run_id

    def _from_store(self, use: Callable[[HistoryStore], T]) -> T | None:
        try:
            with HistoryStore.open(self._file) as store:
                return use(store)
        except HistoryUnusable as error:
            note = f"{error}; the verdict does not depend on it. Next: {error.next_step}"
            if note not in self.notes:
                self.notes.append(note)
            return None


def recorded(folder: RunFolder, verdict: Verdict, decision: Decision, whole_suite: bool | None) -> RunRecord:
    """Return the record of a run that ends now."""
    return record_of(
        verdict,
        run_id=folder.run_id,
        whole_suite=whole_suite,
        recorded_at_ms=times.now_ms(),
        decision=decision,
    )


def missing_in(store: HistoryStore, artifacts: Path, *, at_most: int | None = None) -> list[RunRecord]:
    """Return the newest runs that ended, have a folder here, and are not in the history: what killed runs left."""
    known = store.known()
    left = (path for path in _run_folders(artifacts) if path.name not in known and not _is_played(path))
    return [record for _, record in itertools.islice(_records(left), at_most) if record is not None]


def _each_once(
    store: HistoryStore, before: str, folders: Iterator[tuple[str, RunRecord | None]]
) -> Iterator[RunRecord | None]:
    """Yield every run before one that the store or a folder knows, the newest first; the store's record wins."""
    kept = ((run.run_id, run) for run in store.runs(before=before))
    last = ""
    for name, record in heapq.merge(kept, folders, key=operator.itemgetter(0), reverse=True):
        if name != last:
            yield record
        last = name


def _records(folders: Iterable[Path]) -> Iterator[tuple[str, RunRecord | None]]:
    """Yield the run of each folder by its name, None where its verdict cannot be read; a merge is no run."""
    smoke = accepted_smoke()
    for path in folders:
        verdict = written_at(path / VERDICT)
        if verdict is not None and verdict.regions:
            continue
        yield path.name, _folder_record(path, verdict, smoke) if verdict else None


def _folder_record(path: Path, verdict: Verdict, smoke: frozenset[str]) -> RunRecord:
    planned = {*verdict.evidence.expected_ids, *verdict.evidence.excluded_ids}
    return record_of(
        verdict,
        run_id=path.name,
        whole_suite=is_whole(planned, smoke) if planned else None,
        recorded_at_ms=verdict.timings.ended_at_ms,
        decision=policy.written_at(path / policy.FILE),
    )


def _is_played(path: Path) -> bool:
    if (path / policy.FILE).exists():
        return False
    with contextlib.suppress(OSError):
        return times.now_ms() - (path / JOURNAL).stat().st_mtime * 1000 < STILL_PLAYED_SECONDS * 1000
    return False


def _run_folders(artifacts: Path) -> list[Path]:
    """Return the folders of runs, the newest first."""
    try:
        return sorted(
            (path for path in artifacts.iterdir() if not path.is_symlink() and (path / JOURNAL).is_file()),
            reverse=True,
        )
    except OSError:
        return []
