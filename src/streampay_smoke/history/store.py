"""The history's file: SQLite, with one writer at a time, each change whole or not at all.

It has no write-ahead log: a log needs shared memory, which network volumes lack, and two more files that a cache of CI
may leave behind. A writer that is killed leaves a rollback journal, which the next one that opens the file undoes.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self

from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.history.record import Line, RunMark, RunRecord, from_line, to_line

if TYPE_CHECKING:
    import sqlite3

BUSY_SECONDS = 5.0
"""How long one access waits for another process that is writing."""

_SCHEMA = (
    """
    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY, environment TEXT NOT NULL, region TEXT NOT NULL, recorded_at_ms INTEGER NOT NULL,
        line TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_place ON runs (environment, region, run_id);
    CREATE TABLE marks (run_id TEXT NOT NULL, at_ms INTEGER NOT NULL, line TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
    """,
)
"""What makes a file of each version out of the one before; the file says its own in `user_version`."""

_PUT_RUN = """
    INSERT INTO runs VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET
        environment = excluded.environment, region = excluded.region, recorded_at_ms = excluded.recorded_at_ms,
        line = excluded.line
    WHERE (excluded.recorded_at_ms, excluded.line) > (runs.recorded_at_ms, runs.line)
"""
"""The newest record of a run stays, and of two from the same millisecond always the same one."""


class HistoryUnusable(SmokeError):
    """The history's file cannot be read or written: locked, damaged, of a newer version, no file at all."""

    kind = "history_unusable"
    blame = Blame.CONFIG


class HistoryStore(contextlib.AbstractContextManager["HistoryStore"]):
    """The history in one file. Every method raises HistoryUnusable."""

    def __init__(self, path: Path, connection: "sqlite3.Connection") -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> Self:
        """Open the file, and make it where there is none."""
        with _told(path) as sqlite3:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        store = cls(path, connection)
        try:
            store._prepare()
        except BaseException:
            connection.close()
            raise
        return store

    def put(self, lines: Iterable[Line]) -> int:
        """Keep records and marks, all or none of them; return how many were not known before."""
        with self._writing() as connection:
            before = connection.total_changes
            for line in lines:
                if isinstance(line, RunMark):
                    values = (line.run_id, line.at_ms, to_line(line))
                    connection.execute("INSERT OR IGNORE INTO marks VALUES (?, ?, ?)", values)
                else:
                    place = (line.run_id, line.environment, line.region, line.recorded_at_ms)
                    connection.execute(_PUT_RUN, (*place, to_line(line)))
            return connection.total_changes - before

    def runs(self, *, before: str | None = None) -> Iterator[RunRecord]:
        """Yield the records of runs, the newest first; `before` leaves out that run and those that began after it."""
        query = "SELECT line FROM runs WHERE ?1 IS NULL OR run_id < ?1 ORDER BY run_id DESC"
        for line in self._lines(query, (before,)):
            if isinstance(line, RunRecord):
                yield line

    def marks(self) -> Iterator[RunMark]:
        """Yield what people said of runs, the oldest first."""
        for line in self._lines("SELECT line FROM marks ORDER BY at_ms, line", ()):
            if isinstance(line, RunMark):
                yield line

    def known(self) -> frozenset[str]:
        """Return the ids of all runs that are kept."""
        with _told(self._path):
            return frozenset(run_id for (run_id,) in self._connection.execute("SELECT run_id FROM runs"))

    def close(self) -> None:
        """Close the file."""
        with _told(self._path):
            self._connection.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lines(self, query: str, values: tuple[str | None, ...]) -> Iterator[Line]:
        with _told(self._path):
            for (text,) in self._connection.execute(query, values):
                yield from_line(text)

    def _prepare(self) -> None:
        version = self._version()
        if version < len(_SCHEMA):
            with self._writing() as connection:
                for script in _SCHEMA[self._version() :]:  # asked again: another process may have been first
                    for statement in script.split(";"):
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {len(_SCHEMA)}")
        elif version > len(_SCHEMA):
            raise HistoryUnusable(
                f"the history {self._path} was written by a newer version of streampay-smoke",
                next_step="use that version, or set SMOKE_HISTORY to another file",
            )

    def _version(self) -> int:
        with _told(self._path):
            return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextlib.contextmanager
    def _writing(self) -> Iterator["sqlite3.Connection"]:
        with _told(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[ModuleType]:
    """Give SQLite, and name the file in whatever is wrong with it."""
    try:
        import sqlite3  # here: no run needs it before it has its verdict
    except ImportError as error:
        raise HistoryUnusable(
            f"the history {path} cannot be used: this Python has no sqlite3",
            next_step="install a Python with its whole standard library",
        ) from error
    try:
        yield sqlite3
    except (sqlite3.Error, OSError, ValueError) as error:
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
        locked = "locked" in said
        raise HistoryUnusable(
            f"the history {path} cannot be used: {said}",
            next_step="see which process holds it open"
            if locked
            else "move it away: `streampay-smoke history` takes in the runs whose folders are there, "
            "`history import` what was exported",
        ) from error
