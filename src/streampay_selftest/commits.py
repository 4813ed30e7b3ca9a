"""The commit that something was measured at."""

import subprocess
from pathlib import Path

CODE = ("src", "features", "environments", "behave.ini")
"""What a run is made of."""

CHANGES = "+changes"
"""Behind a commit whose code was changed."""


def commit_of(root: Path) -> str:
    """Return the commit a folder is at, with "+changes" where its code differs from it; "unknown" without git."""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}{CHANGES}" if changed else head


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
