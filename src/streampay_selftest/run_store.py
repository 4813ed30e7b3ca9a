"""Keeps the runs of a long measurement, a line for each as it ends: what was stopped goes on where it was."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from streampay_selftest.case_run import CaseRun
from streampay_selftest.commits import CODE

FOLDER = Path("artifacts/selftest")


class StoredRun(CaseRun, frozen=True, kw_only=True):
    """A run, and the commit it was made at."""

    commit: str


class RunStore:
    """The runs of one state of the code, in a file that is named after it: those of another are not added to them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._state = state_of(root)
        self.path = root / FOLDER / f"runs-{self._state[:12]}.jsonl"
        self._begun = False

    @property
    def is_current(self) -> bool:
        """Whether the code still is what the runs are of."""
        return state_of(self._root) == self._state

    def runs(self) -> Mapping[tuple[str, int], CaseRun]:
        """Return the runs that are kept, by their case and seed; what can be read of a line half written is none."""
        if not self.path.is_file():
            return {}
        runs: dict[tuple[str, int], CaseRun] = {}
        for line in self.path.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                run = msgspec.json.decode(line, type=StoredRun)
                runs[run.case, run.seed] = run
        return runs

    def add(self, run: CaseRun, commit: str) -> None:
        """Append a run; the first one begins a line of its own, whatever became of the last one of those before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = StoredRun(commit=commit, **{name: getattr(run, name) for name in CaseRun.__struct_fields__})
        with self.path.open("ab") as file:
            file.write((b"" if self._begun else b"\n") + msgspec.json.encode(kept) + b"\n")
        self._begun = True


def state_of(root: Path) -> str:
    """Return a digest of everything a run is made of."""
    digest = hashlib.sha256()
    for path in _files(root):
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in CODE:
        top = root / name
        inside = sorted(path for path in top.rglob("*") if "__pycache__" not in path.parts) if top.is_dir() else [top]
        yield from (path for path in inside if path.is_file())
