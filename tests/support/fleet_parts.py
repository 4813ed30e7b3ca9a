"""A fleet as an environment of its own: its settings, and the actuator's parts against it."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from streampay_sandbox.fleet import Fleet
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.configuration import Actuation, actuation
from streampay_smoke.settings.actuator import load_rollback

ROOT = Path(__file__).parents[2]


def environment_in(folder: Path, **facts: object) -> Path:
    """Make a project root whose sandbox has these facts of `[service]`, and return it."""
    shutil.copytree(ROOT / "environments", folder / "environments", dirs_exist_ok=True)
    file = folder / "environments" / "sandbox.toml"
    text = file.read_text()
    for name, value in facts.items():
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("[service]\n", f"[service]\n{name} = {value}\n", 1)
    file.write_text(text)
    return folder


def actuation_of(
    fleet: Fleet, root: Path, *, base_url: str = "", redactor: Redactor | None = None, **environ: str
) -> Actuation:
    """Return what a rollback of the fleet needs, looked at under `base_url` (the public address by default)."""
    given: Mapping[str, str] = {
        **fleet.environ(),
        "SMOKE_BASE_URL": base_url or fleet.base_url,
        "SMOKE_ARTIFACTS": str(root / "artifacts"),
        **environ,
    }
    return actuation(load_rollback(environ=given, root=root), redactor or Redactor())
