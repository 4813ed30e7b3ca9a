"""The files of `deploy/`, as their engines read them."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[3] / "deploy"


def documents(path: str) -> list[Any]:
    """Return every document of a YAML file, read as YAML 1.2: `on` is a word, not a truth."""
    return read_yaml(DEPLOY / path)


def read_yaml(file: Path) -> list[Any]:
    """Return every document of a YAML file, read as YAML 1.2."""
    return list(YAML(typ="safe", pure=True).load_all(file.read_text()))


def document(path: str, *, kind: str = "", name: str = "") -> Any:
    """Return the one document of this kind and name."""
    (found,) = [
        one
        for one in documents(path)
        if (not kind or one.get("kind") == kind) and (not name or one["metadata"]["name"] == name)
    ]
    return found


def seconds(text: str) -> float:
    """Return a duration of Go or Kubernetes, such as 10s or 2m, in seconds."""
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]
