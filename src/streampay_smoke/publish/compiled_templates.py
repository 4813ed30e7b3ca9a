"""Keeps templates compiled, as Python keeps its modules: compiling them is half of what a small report costs."""

import contextlib
import importlib.util
import sys
from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket


class _Kept(FileSystemBytecodeCache):
    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):  # a folder nobody may write to, a full disk: it is compiled again next time
            super().dump_bytecode(bucket)


def compiled_templates(folder: Path) -> FileSystemBytecodeCache | None:
    """Return the cache of a folder's templates, where Python would keep its modules; None where it would keep none.

    Whoever may write there may change the gate's modules as well. A template that has changed is compiled again.
    """
    if sys.dont_write_bytecode:
        return None
    kept = Path(importlib.util.cache_from_source(str(folder / "template.py"))).parent
    with contextlib.suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True)
        return _Kept(str(kept), pattern=f"__jinja2_%s.{sys.implementation.cache_tag}.cache")
    return None
