"""Containers as an orchestrator starts them: what a manifest names is looked up, and the command is a real process.

Written from the API reference of core/v1 (Container, EnvFromSource, Volume: envFrom before env, later sources win,
`command` in the place of the image's entry point, a pod waits for what is missing), and from what an image's last stage
means. A process sees the environment, files and volumes that the manifest gives it, and nothing of the test's. It has
no file system of its own: where a value or argument names a path of the container, it gets the path of the volume.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engines.files import DEPLOY

ROOT = DEPLOY.parent
CONTAINERFILE = DEPLOY / "container" / "Containerfile"

NO_HOME = "/nonexistent"
"""The home of the image's user."""

NAMESPACED = ("ConfigMap", "Secret", "PersistentVolumeClaim")


class Waiting(Exception):
    """A pod that is not started; its words are the reason the kubelet or the scheduler gives, and what is missing."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """How a container is started: its command line, variables and working directory."""

    command: list[str]
    environ: dict[str, str]
    folder: Path


class Image:
    """The gate's image as its Containerfile's last stage says: entry point, variables, files, the user's home.

    `program` is the gate, by default that of this checkout; `lent` are variables that it needs on this machine.
    """

    def __init__(self, folder: Path, program: Path | None = None, lent: Mapping[str, str] | None = None) -> None:
        self.root = folder / "image"
        self.lent = dict(lent or {})
        self.environ: dict[str, str] = {}
        self.entry_point: list[str] = []
        self.arguments: list[str] = []
        self._read(CONTAINERFILE.read_text())
        self.at(NO_HOME).touch()  # nobody makes a folder of it, as nobody may in the image
        self._install(program)

    def _read(self, text: str) -> None:
        stage = re.split(r"^FROM .*$", text.replace("\\\n", " "), flags=re.MULTILINE)[-1]
        for word, rest in re.findall(r"^([A-Z]+) +(.*)$", stage, flags=re.MULTILINE):
            if word == "WORKDIR":
                self.folder = self.at(rest)
                self.folder.mkdir(parents=True)
            elif word == "ENV":
                self.environ |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            elif word == "ENTRYPOINT":
                self.entry_point = json.loads(rest)
            elif word == "CMD":
                self.arguments = json.loads(rest)
            elif word == "COPY" and not rest.startswith("--from"):
                source, target = rest.split()
                path = self.folder / target
                (path / source if target == "./" else path).symlink_to(ROOT / source)

    def _install(self, program: Path | None) -> None:
        programs = self.at(self.environ["PATH"].split(":")[0])
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(sys.executable)
        if program is not None:
            (programs / "streampay-smoke").symlink_to(program)
            return
        gate = programs / "streampay-smoke"
        gate.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m streampay_smoke "$@"\n')
        gate.chmod(0o755)

    def at(self, path: str) -> Path:
        """Return where a path of the image is on this machine."""
        return self.root / path.lstrip("/")

    def started(
        self,
        *,
        command: Sequence[str],
        arguments: Sequence[str] | None,
        environ: Mapping[str, str],
        mounts: Mapping[str, Path],
    ) -> Started:
        """Return how a container of this image is started; `arguments` None stands for the image's."""
        if command:
            line = [*command, *(arguments or ())]
        else:
            line = [*self.entry_point, *(self.arguments if arguments is None else arguments)]
        variables = {**self.environ, "HOME": NO_HOME, **environ}
        paths = {**mounts, "/opt": self.at("/opt"), NO_HOME: self.at(NO_HOME), "/gate": self.at("/gate")}
        here = {name: _here(value, paths) for name, value in variables.items()}
        here["PATH"] = here["PATH"].replace("$PATH", os.environ["PATH"])
        if "/tmp" in mounts:
            here["TMPDIR"] = str(mounts["/tmp"])
        return Started(command=[_here(word, paths) for word in line], environ={**self.lent, **here}, folder=self.folder)


def _here(text: str, paths: Mapping[str, Path]) -> str:
    """Return a text of the container with its paths as they are on this machine."""
    longest_first = "|".join(re.escape(path) for path in sorted(paths, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])({longest_first})(?![\w-])", lambda found: str(paths[found[1]]), text)


class Cluster:
    """A cluster with what was applied; claims are folders that outlive pods. `said` is what containers printed."""

    def __init__(self, folder: Path, image: Image) -> None:
        self.image = image
        self.said: list[str] = []
        self._folder = folder
        self._objects: dict[tuple[str, str, str], Mapping[str, Any]] = {}
        self._pods = 0

    def apply(self, *objects: Mapping[str, Any]) -> "Cluster":
        """Keep ConfigMaps, Secrets and claims; what else a manifest holds is not for pods to read."""
        for one in objects:
            if one["kind"] in NAMESPACED:
                self._objects[one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]] = one
        return self

    def claim(self, namespace: str, name: str) -> Path:
        """Return the folder of a claim; raises Waiting where nobody made one."""
        self._found("PersistentVolumeClaim", namespace, name)
        folder = self._folder / "claims" / namespace / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run(self, namespace: str, pod: Mapping[str, Any]) -> int:
        """Run a pod of one container to its end, and return that container's exit code; raises Waiting."""
        mounts = self._volumes(namespace, pod)
        (container,) = pod["containers"]
        main = self._container(namespace, container, mounts)
        for first in pod.get("initContainers", []):
            code = self._ended(self._container(namespace, first, mounts))
            if code != 0:
                return code
        return self._ended(main)

    def started(self, namespace: str, pod: Mapping[str, Any], name: str) -> Started:
        """Return how one container of a pod is started; raises Waiting."""
        (container,) = [one for one in pod["containers"] if one["name"] == name]
        return self._container(namespace, container, self._volumes(namespace, pod))

    def _ended(self, how: Started) -> int:
        done = subprocess.run(
            how.command,
            cwd=how.folder,
            env=how.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.said.append(done.stdout)
        return done.returncode

    def _container(self, namespace: str, container: Mapping[str, Any], volumes: Mapping[str, Path]) -> Started:
        environ: dict[str, str] = {}
        for source in container.get("envFrom", []):
            environ |= self._all_of(namespace, source)
        for one in container.get("env", []):
            value = one["value"] if "value" in one else self._one_of(namespace, one["valueFrom"])
            environ[one["name"]] = _expanded(value, environ)
        mounts = {one["mountPath"]: volumes[one["name"]] for one in container.get("volumeMounts", [])}
        arguments = container.get("args")
        return self.image.started(
            command=[_expanded(word, environ) for word in container.get("command", [])],
            arguments=None if arguments is None else [_expanded(word, environ) for word in arguments],
            environ=environ,
            mounts=mounts,
        )

    def _volumes(self, namespace: str, pod: Mapping[str, Any]) -> dict[str, Path]:
        self._pods += 1
        return dict(self._mounted(namespace, pod.get("volumes", []), self._folder / f"pod-{self._pods}"))

    def _mounted(self, namespace: str, volumes: Sequence[Mapping[str, Any]], own: Path) -> Iterator[tuple[str, Path]]:
        for volume in volumes:
            if "persistentVolumeClaim" in volume:
                yield volume["name"], self.claim(namespace, volume["persistentVolumeClaim"]["claimName"])
                continue
            folder = own / volume["name"]
            folder.mkdir(parents=True)
            if "configMap" in volume:
                for name, text in self._found("ConfigMap", namespace, volume["configMap"]["name"])["data"].items():
                    (folder / name).write_text(text)
            else:
                assert "emptyDir" in volume, f"the model does not know {volume}"
            yield volume["name"], folder

    def _all_of(self, namespace: str, source: Mapping[str, Any]) -> dict[str, str]:
        kind, reference = next(
            (kind, source[key])
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
            if key in source
        )
        found = self._found(kind, namespace, reference["name"])
        return dict(found.get("data", {}) | found.get("stringData", {}))

    def _one_of(self, namespace: str, source: Mapping[str, Any]) -> str:
        kind, reference = next(
            (kind, source[key])
            for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
            if key in source
        )
        found = self._found(kind, namespace, reference["name"])
        values = found.get("data", {}) | found.get("stringData", {})
        if reference["key"] not in values:
            raise Waiting(f"CreateContainerConfigError: no key {reference['key']} in {kind} {reference['name']}")
        value: str = values[reference["key"]]
        return value

    def _found(self, kind: str, namespace: str, name: str) -> Mapping[str, Any]:
        found = self._objects.get((kind, namespace, name))
        if found is None:
            why = "Pending" if kind == "PersistentVolumeClaim" else "CreateContainerConfigError"
            raise Waiting(f"{why}: no {kind} {name} in {namespace}")
        return found


def _expanded(text: str, environ: Mapping[str, str]) -> str:
    """Return a value with its `$(NAME)` replaced; one that is not known stays, as in a pod."""
    return re.sub(r"\$\((\w+)\)", lambda found: environ.get(found[1], found[0]), text)


def task(definition: Mapping[str, Any], image: Image, parameters: Mapping[str, str], folder: Path) -> Started:
    """Return how Amazon ECS starts a task of one container; raises Waiting for a parameter that is not there.

    `parameters` are those of Parameter Store, by the end of their ARN; volumes are folders below `folder`.
    """
    (container,) = definition["containerDefinitions"]
    environ = {one["name"]: one["value"] for one in container["environment"]}
    for secret in container["secrets"]:
        name = secret["valueFrom"].partition(":parameter/")[2]
        if name not in parameters:
            raise Waiting(f"ResourceInitializationError: no parameter {name}")
        environ[secret["name"]] = parameters[name]
    known = {volume["name"] for volume in definition["volumes"]}
    assert {point["sourceVolume"] for point in container["mountPoints"]} <= known
    mounts = {point["containerPath"]: folder / point["sourceVolume"] for point in container["mountPoints"]}
    for path in mounts.values():
        path.mkdir(parents=True, exist_ok=True)
    return image.started(command=[], arguments=container["command"], environ=environ, mounts=mounts)
