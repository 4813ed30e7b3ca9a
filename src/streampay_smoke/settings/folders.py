"""Which folders a run reads: those of the project it is started in, else those that an installation brings along."""

from pathlib import Path

import streampay_smoke
from streampay_smoke.core import system_facts
from streampay_smoke.core.errors import SettingsInvalid

BUILT_IN = Path(streampay_smoke.__file__).resolve().parent / "suite"
"""Features, `behave.ini` and environments as the wheel has them; not there in a checkout."""

CHECKOUT = Path(__file__).resolve().parents[3]

PROJECT = "STREAMPAY_SMOKE_PROJECT"
"""Names the project's folder to a process that is started in another one. Not a setting: only the gate sets it."""

ENVIRONMENTS, FEATURES = "environments", "features"

HISTORY = "history.sqlite"

_MANIFEST = Path(FEATURES) / "manifest.jsonl"


def project_root() -> Path:
    """Return the project's folder: the working directory or one above it, else the checkout, else the former.

    A project has environments or features of its own. Raises SettingsInvalid where the working directory was removed.
    """
    named = system_facts.variables().get(PROJECT)
    if named:
        return Path(named)
    try:
        here = Path.cwd()
    except OSError as error:
        raise SettingsInvalid(
            f"the working directory cannot be used: {error.strerror}", next_step="start it in a folder that exists"
        ) from error
    return next((folder for folder in (here, *here.parents, CHECKOUT) if _is_a_project(folder)), here)


def environments_folder(root: Path) -> Path:
    """Return the folder of a project's environment files: its own, else the one that is built in."""
    return _own_or_built_in(root, ENVIRONMENTS) / ENVIRONMENTS


def suite_root(root: Path) -> Path:
    """Return the folder behave is started in for a project: the one with `features/` and `behave.ini`.

    A folder of features without its manifest is still the project's own: what nobody accepted is not passed over.
    """
    return _own_or_built_in(root, FEATURES)


def history_file(chosen: Path | None, folder: Path) -> Path:
    """Return the file of the history: the one that was chosen, else the one in the folder that keeps runs."""
    return chosen or folder / HISTORY


def read_from(root: Path | None = None) -> dict[str, str]:
    """Return the folders that a run of a project reads, by what they hold."""
    root = root or project_root()
    return {ENVIRONMENTS: str(environments_folder(root)), FEATURES: str(suite_root(root) / FEATURES)}


def folders_description(folders: dict[str, str]) -> str:
    """Return the folders on one line, e.g. `environments /etc/gate/environments, features ... (built in)`."""
    return ", ".join(f"{name} {_told(folder)}" for name, folder in folders.items())


def _told(folder: str) -> str:
    return f"{folder} (built in)" if Path(folder).is_relative_to(BUILT_IN) else folder


def _is_a_project(folder: Path) -> bool:
    return any((folder / ENVIRONMENTS).glob("*.toml")) or (folder / _MANIFEST).is_file()


def _own_or_built_in(root: Path, name: str) -> Path:
    # A checkout that is started in somebody's project, as on a CI runner, lends what that project does not have.
    return next((folder for folder in (root, BUILT_IN, CHECKOUT) if (folder / name).is_dir()), root)
