"""The files of a deployment engine for one environment: those of `deploy/`, with names, address and gate filled in."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import quoted
from streampay_smoke.settings.folders import BUILT_IN, CHECKOUT

TEMPLATES = "deploy"

SERVICE = ("kubernetes/service.yaml", "kubernetes/settings.yaml", "kubernetes/reader.yaml")
"""What runs the gate's service in Kubernetes, and shows its evidence."""

ENGINE_FILES: Mapping[str, tuple[str, ...]] = {
    "github": ("github/deploy.yml", "github/rollback.yml", "github/regions.yml"),
    "gitlab": ("gitlab/deploy.gitlab-ci.yml", "gitlab/regions.gitlab-ci.yml"),
    "argo-workflows": ("argo-workflows/regions.yaml", "kubernetes/settings.yaml"),
    "argo-rollouts": (
        "argo-rollouts/analysis-templates.yaml",
        "argo-rollouts/rollout.yaml",
        "argo-rollouts/settings.yaml",
        *SERVICE,
    ),
    "flagger": ("flagger/bluegreen.yaml", "flagger/progressive.yaml", *SERVICE),
    "aws": (
        "aws/appspec.yaml",
        "aws/codedeploy_hook.py",
        "aws/ecs-deployment.json",
        "aws/ecs_hook.py",
        "aws/gate-task-definition.json",
    ),
    "google-cloud-deploy": (
        "google-cloud-deploy/clouddeploy.yaml",
        "google-cloud-deploy/skaffold.yaml",
        "google-cloud-deploy/verify.py",
    ),
    "kubernetes": ("kubernetes/synthetic.yaml", "kubernetes/regions.yaml", *SERVICE),
}
"""The templates of each engine, by their names below `deploy/`; `regions.*` are for environments that list regions."""

COPIED_BY_HAND = ("argo-rollouts/waves.yaml", "github/wave.yml", "github/waves.yml")
"""Files that are not written: what belongs to which wave is for a person to say."""

BY_ACTION = "github"
"""The engine that takes the gate as an action, OWNER/REPOSITORY@COMMIT; all others take an image by its digest."""

WORKFLOWS = Path(".github/workflows")

_SUFFIXES = {".yaml", ".yml", ".json", ".py"}

_ACTION = re.compile(r"[\w.-]+/[\w.-]+(/[\w./-]+)?@[\w./-]+")
_IMAGE = re.compile(r"[\w./:-]+@sha256:[0-9a-f]{64}")

_ACTION_HERE = "streampay-org/streampay-smoke@v1"
_IMAGE_HERE = f"registry.example/streampay-smoke@sha256:{'0' * 64}"
_OTHER_IMAGES = re.compile(r"registry\.example/([\w-]+)@sha256:0{64}")
_ADDRESSES_HERE = ("https://test.streampay.example", "https://staging.example")
_REGIONS_HERE = ("eu-west-1", "us-east-1")
_AS_MANY_HERE = re.compile(r"\b(completions: |parallelism: )2\b")
_ENVIRONMENT_HERE = re.compile(r"\bstaging\b")
_VALUE_HERE = re.compile(r"(?<=: )staging(?=\s*(#.*)?$)", re.MULTILINE)
_NO_YAML_TEXT = re.compile(
    r"[\d_]+([eE][-+]?\d+)?|0[xob][\da-fA-F_]+|[\d-]+|y|n|yes|no|on|off|true|false|null", re.IGNORECASE
)
_NO_CONTRACT = re.compile(r"""(SMOKE_CONTRACT_ID"?(?:, "value")?: )"\"""")


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What is filled into templates: the environment's name, its root URL, its contract, and where the gate is kept.

    These three may be "": then what the template says stays, and is for a person to fill in. `regions` are those that
    the environment lists; without any, no file for regions is written.
    """

    name: str
    base_url: str = ""
    contract_id: str = ""
    gate: str = ""
    regions: tuple[str, ...] = ()


def gate_of(engine: str, given: str) -> str:
    """Return where the gate is kept, as given for an engine; raises SettingsInvalid for what the engine cannot use."""
    by_action = engine == BY_ACTION
    if given and not (_ACTION if by_action else _IMAGE).fullmatch(given):
        wanted = "OWNER/REPOSITORY@COMMIT" if by_action else "an image by its digest, REGISTRY/NAME@sha256:..."
        raise SettingsInvalid(f"--gate is {quoted(given)}, and {engine} needs {wanted}", next_step=f"give {wanted}")
    return given


def engine_files(engine: str, filled: Filled) -> dict[Path, str]:
    """Return the files of an engine by their paths in the project, workflows where GitHub looks for them.

    Raises SettingsInvalid for an engine that only plays regions, where the environment lists none.
    """
    templates = next((root for root in (BUILT_IN, CHECKOUT) if (root / TEMPLATES / engine).is_dir()), None)
    if templates is None:
        raise SettingsInvalid(f"this installation has no files for {engine}", next_step="install the gate anew")
    names = [name for name in ENGINE_FILES[engine] if filled.regions or not _is_for_regions(name)]
    if len(names) < len(ENGINE_FILES[engine]) and _is_for_regions(ENGINE_FILES[engine][0]):
        raise SettingsInvalid(
            f"the files of {engine} play regions, and environments/{filled.name}.toml lists none",
            next_step="list them as [[regions]] (docs/regions.md), then give --engine again",
        )
    folder = WORKFLOWS if engine == BY_ACTION else Path(TEMPLATES) / filled.name
    return {
        folder / (Path(name).name if engine == BY_ACTION else name): _filled(
            (templates / TEMPLATES / name).read_text(encoding="utf-8"), filled
        )
        for name in names
    }


def _is_for_regions(name: str) -> bool:
    return Path(name).name.startswith("regions.")


def _with_regions(text: str, regions: Sequence[str]) -> str:
    """Return a template with the regions of an environment, as texts: YAML takes `no` for a truth value."""
    texts = [f'"{region}"' if _NO_YAML_TEXT.fullmatch(region) else region for region in regions]
    quoted_regions = ", ".join(f'"{region}"' for region in regions)
    text = text.replace(f'"{_REGIONS_HERE[0]}", "{_REGIONS_HERE[1]}"', quoted_regions)
    text = text.replace(", ".join(_REGIONS_HERE), ", ".join(texts)).replace(" ".join(_REGIONS_HERE), " ".join(regions))
    return _AS_MANY_HERE.sub(rf"\g<1>{len(regions)}", text)


def written_for(root: Path, name: str) -> dict[Path, str]:
    """Return the files of engines that a project has for an environment, by their paths in it.

    Workflows are those of the names that `engine_files` gives them. What cannot be read is left out.
    """
    workflows = [root / WORKFLOWS / Path(file).name for file in ENGINE_FILES[BY_ACTION]]
    own = [path for path in sorted((root / TEMPLATES / name).rglob("*")) if path.suffix in _SUFFIXES]
    found: dict[Path, str] = {}
    for path in (*workflows, *own):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found[path.relative_to(root)] = path.read_text(encoding="utf-8")
    return found


def _filled(text: str, filled: Filled) -> str:
    if filled.regions:
        text = _with_regions(text, filled.regions)
    for address in _ADDRESSES_HERE if filled.base_url else ():
        text = text.replace(address, filled.base_url)
    if filled.gate:
        text = text.replace(_ACTION_HERE, filled.gate).replace(_IMAGE_HERE, filled.gate)
    if filled.contract_id:
        text = _NO_CONTRACT.sub(rf'\g<1>"{filled.contract_id}"', text)
    if _NO_YAML_TEXT.fullmatch(filled.name):
        text = _VALUE_HERE.sub(f'"{filled.name}"', text)
    kept = text.split(filled.base_url) if filled.base_url else [text]  # an address may have the template's word in it
    return filled.base_url.join(_ENVIRONMENT_HERE.sub(filled.name, part) for part in kept)


def unfilled(files: Mapping[Path, str]) -> list[str]:
    """Return what still has to be filled in by hand in all of the files, apart from what their heads list."""
    text = "\n".join(files.values())
    left = {
        "the gate's action (--gate OWNER/REPOSITORY@COMMIT)": _ACTION_HERE in text,
        "the gate's image (--gate IMAGE@sha256:...)": _IMAGE_HERE in text,
        "the contract that must pay (SMOKE_CONTRACT_ID)": bool(_NO_CONTRACT.search(text)),
    }
    others = sorted(set(_OTHER_IMAGES.findall(text)) - {"streampay-smoke"})
    return [*(what for what, missing in left.items() if missing), *(f"the image of {name}" for name in others)]
