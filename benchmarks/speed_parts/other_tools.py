"""Tools that can make the same reads, and how each is installed: into a folder of its own, which git ignores."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from speed_parts.gate import ROOT
from speed_parts.reads import ReadFiles

SCRIPTS = ROOT / "benchmarks" / "other_tools"
CACHE = ROOT / ".benchmark-tools"
INSTALL_SECONDS = 600.0

Command = Callable[[ReadFiles], Sequence[str | Path]]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool: the command that makes the reads, and what has to be there for it.

    `programs` are looked for on the PATH; `installer` is "pip", "npm" or "" for what is never installed here, and
    `packages` are what it installs, each of one version. `scripts` are copied beside the reads.
    """

    command: Command
    programs: Sequence[str] = ()
    installer: str = ""
    packages: Sequence[str] = ()
    scripts: Sequence[str] = ()


def _npm(name: str, command: str) -> Path:
    return folder(name) / "node_modules" / ".bin" / command


def folder(name: str) -> Path:
    """Return the folder that a tool is installed into."""
    return CACHE / name


TOOLS: Mapping[str, Tool] = {
    "bash, curl and jq": Tool(
        command=lambda files: ["bash", SCRIPTS / "curl_reads.sh"], programs=("bash", "curl", "jq")
    ),
    "plain httpx": Tool(command=lambda files: [sys.executable, SCRIPTS / "httpx_reads.py"]),
    "plain fetch in Node": Tool(command=lambda files: ["node", SCRIPTS / "fetch_reads.mjs"], programs=("node",)),
    # The newest of each, and the httpx of the project's own lock.
    "pytest-bdd": Tool(
        command=lambda files: [folder("pytest-bdd") / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        installer="pip",
        packages=("pytest-bdd==9.0.1", "pytest==9.2.0", "httpx==0.28.1"),
        scripts=("test_reads.py",),
    ),
    # The newest that runs on Node 20, as the report and the tests of deploy/ do: 13 asks for Node 22.
    "cucumber-js": Tool(
        command=lambda files: [
            _npm("cucumber-js", "cucumber-js"),
            files.feature,
            "--require",
            files.folder / "steps.cjs",
        ],
        scripts=("steps.cjs",),
        programs=("node",),
        installer="npm",
        packages=("@cucumber/cucumber@12.9.0",),
    ),
    # The newest.
    "newman": Tool(
        command=lambda files: [
            *(_npm("newman", "newman"), "run", files.collection),
            *("--environment", files.variables, "--color", "off"),
        ],
        programs=("node",),
        installer="npm",
        packages=("newman@6.2.2",),
    ),
    # Under the AGPL: whoever measures decides whether to install it.
    "k6": Tool(command=lambda files: ["k6", "run", "--quiet", SCRIPTS / "k6_reads.js"], programs=("k6",)),
}


def missing(name: str, *, installs: bool) -> str:
    """Return why a tool cannot be measured, "" when it can; what is not there is installed first where `installs`."""
    tool = TOOLS[name]
    absent = [program for program in tool.programs if not shutil.which(program)]
    if absent:
        return f"{', '.join(absent)} is not installed"
    if not tool.installer or _is_installed(name):
        return ""
    if not installs:
        return "not installed; --with-other-tools installs it"
    try:
        _install(name)
    except (OSError, subprocess.SubprocessError) as problem:
        said = (getattr(problem, "stderr", None) or str(problem)).strip().splitlines()
        return f"cannot be installed: {said[-1] if said else problem}"
    return ""


def run(name: str, files: ReadFiles, variables: Mapping[str, str]) -> None:
    """Make the reads with a tool; raises RuntimeError with what it said where a check failed."""
    command = list(map(str, TOOLS[name].command(files)))
    environ = {**os.environ, **variables, "NODE_PATH": str(folder(name) / "node_modules")}
    environ |= {"READS_JSON": str(files.json), "READS_TSV": str(files.tsv)}
    done = subprocess.run(command, cwd=files.folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}: {(done.stdout + done.stderr)[-2_000:]}")


def copy_scripts(files: ReadFiles) -> None:
    """Put what tools look for beside the reads there."""
    for script in {script for tool in TOOLS.values() for script in tool.scripts}:
        shutil.copy(SCRIPTS / script, files.folder)


def _stamp(name: str) -> Path:
    return folder(name) / ".installed"


def _is_installed(name: str) -> bool:
    stamp = _stamp(name)
    return stamp.exists() and stamp.read_text().split() == list(TOOLS[name].packages)


def _install(name: str) -> None:
    tool, place = TOOLS[name], folder(name)
    print(f"installing {', '.join(tool.packages)} into {place.relative_to(ROOT)}", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    _installed_by(tool.installer, place, tool.packages)
    _stamp(name).write_text("\n".join(tool.packages))  # last: an installation that was cut off is made anew


def _installed_by(installer: str, place: Path, packages: Sequence[str]) -> None:
    if installer == "pip":
        venv.create(place, with_pip=True)
        command = [str(place / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["install", "--only-binary", ":all:", *packages]
    else:
        command = ["npm", "install", "--prefix", str(place), "--no-audit", "--no-fund", "--ignore-scripts"]
        command += ["--loglevel=error", *packages]
    subprocess.run(command, cwd=place, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
