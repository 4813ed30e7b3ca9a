"""The locks hold what pyproject.toml asks for, with hashes, and nothing that would make the gate start slowly."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
LOCKS = {
    "runtime.txt": [*PROJECT["project"]["dependencies"], *GROUPS["build"]],
    "dev.txt": [*PROJECT["project"]["dependencies"], *GROUPS["build"], *GROUPS["dev"]],
    "mutation.txt": [*PROJECT["project"]["dependencies"], *GROUPS["build"], *GROUPS["dev"], *GROUPS["mutation"]],
    "deploy.txt": GROUPS["deploy"],
    "sbom.txt": GROUPS["sbom"],
}

# Installed though unused, these make httpx or PyJWT import more, and the gate starts later.
SLOWING = {"rich", "pygments", "aiohttp", "cryptography"}


def entries(lock: str) -> dict[str, str]:
    """Locked packages and their blocks of text."""
    text = (ROOT / "requirements" / lock).read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^ *#.*\n?", "", text).strip())
    return {re.split("==", block)[0]: block for block in blocks}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_every_requirement_in_a_version_it_allows(lock: str) -> None:
    locked = entries(lock)
    for line in LOCKS[lock]:
        requirement = Requirement(line)
        block = locked[canonicalize_name(requirement.name)]
        version = re.split(r"[ ;\\]", block.split("==", 1)[1])[0]
        assert requirement.specifier.contains(version), f"{lock}: {version} is not {requirement}; run scripts/lock.sh"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock: str) -> None:
    assert [name for name, block in entries(lock).items() if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert "://" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize(("small", "large"), [("runtime.txt", "dev.txt"), ("dev.txt", "mutation.txt")])
def test_locks_hold_the_same_versions(small: str, large: str) -> None:
    more = entries(large)
    assert {name: block for name, block in entries(small).items() if more.get(name) != block} == {}


def test_nothing_that_slows_the_start_is_installed_for_a_run() -> None:
    assert SLOWING & set(entries("runtime.txt")) == set()


def test_mutation_testing_has_an_environment_of_its_own() -> None:
    assert "mutmut" in entries("mutation.txt")
    assert {"mutmut", "textual"} & set(entries("dev.txt")) == set()
