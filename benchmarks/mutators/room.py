"""The acceptance package: what is done and checked is emptied, weakened, and accepted although it is weaker."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from suite_parts import Project

import streampay_smoke
from mutators.mutant import HEALTHY, Mutant, Spoil
from mutators.steps import customized, functions

PACKAGE = Path(streampay_smoke.__file__).parent
ROOM = PACKAGE / "acceptance"


class Weakened(msgspec.Struct, frozen=True, kw_only=True):
    """A module of the package in which less is done; `asserts_less` says that fewer assertions come of it."""

    module: str
    old: str
    new: str
    asserts_less: bool = True


WEAKENED = {
    "the repeated settlement is taken out": Weakened(
        module="actions/settlement.py",
        old="return (again, *(elsewhere() for _ in range(REPEATED_ELSEWHERE)))",
        new="return (settlement.receipt,)",
    ),
    "a create request is sent once, not twice": Weakened(
        module="actions/settlement.py", old="for _ in range(requests)", new="for _ in range(1)"
    ),
    "nobody checks that the stream is started": Weakened(
        module="actions/settlement.py", old="starts_on_ledger=proof.starts(record.token)", new="starts_on_ledger=None"
    ),
    "any answer counts as a refusal": Weakened(
        module="actions/unauthorized_attempts.py",
        old="made.append(UnauthorizedAttempt(what=what, answer=send(), refusals=refusals))",
        new="answer = send()\n"
        "        made.append(UnauthorizedAttempt(what=what, answer=answer, refusals=refusals | {answer.status}))",
        asserts_less=False,
    ),
    "nothing is tried after the first attempt": Weakened(
        module="actions/unauthorized_attempts.py", old="if made[-1].succeeded:", new="if made:"
    ),
    "nothing is tried at all": Weakened(
        module="actions/unauthorized_attempts.py",
        old="for what, send, refusals in planned:",
        new="for what, send, refusals in ():",
    ),
    "no errors are provoked": Weakened(
        module="actions/unauthorized_attempts.py", old="for call in deployment.access.mistakes()", new="for call in ()"
    ),
    "the service is asked once whether it is alive": Weakened(
        module="actions/operations.py",
        old="alive_answer() for _ in range(times)",
        new="alive_answer() for _ in range(1)",
        asserts_less=False,
    ),
    "the headers of one answer are checked": Weakened(
        module="actions/streams.py",
        old='return {"the list of streams": of_list, "one stream": deployment.last_headers}',
        new='return {"the list of streams": of_list}',
    ),
    "the receipt is taken at its word": Weakened(
        module="observations/settlement.py",
        old="        named = TX_HASH.fullmatch(receipt.settlement_tx_hash)\n",
        new="        return None  # type: ignore\n        named = TX_HASH.fullmatch(receipt.settlement_tx_hash)\n",
    ),
    "nobody waits for another ledger": Weakened(
        module="observations/settlement.py",
        old="        self._ledger.one_ledger_later()\n",
        new="",
        asserts_less=False,
    ),
}
"""Ways to do less than the suite says, each of one change."""


def room_mutants() -> Iterator[Mutant]:
    """Yield a copy of the package for each public function and method of the room, in which that one does nothing."""
    for path in sorted(ROOM.rglob("*.py")):
        source = path.read_text()
        lines = source.splitlines()
        module = path.relative_to(ROOM).as_posix()
        for function in functions(source, methods=True):
            if function.name.startswith("_"):
                continue
            body = [*lines[: function.body[0].lineno - 1], f"{' ' * (function.col_offset + 4)}return None"]
            text = "\n".join([*body, *lines[function.end_lineno or 0 :]]) + "\n"
            yield _of_package(
                f"in {_part(module)} a function does nothing",
                f"{module}, {function.name}, line {function.lineno}",
                _package_with(module, text),
            )


def weakened_mutants() -> Iterator[Mutant]:
    """Yield what does less, and the same in a suite that was accepted anew where fewer assertions come of it."""
    for name, weakened in WEAKENED.items():
        source = (ROOM / weakened.module).read_text()
        if source.count(weakened.old) != 1:
            raise ValueError(f"{weakened.module} has not one {weakened.old!r}")
        spoil = _package_with(weakened.module, source.replace(weakened.old, weakened.new))
        yield _of_package("an action or an observation is weakened", name, spoil)
        if weakened.asserts_less:
            yield _of_package("what is weakened is accepted, and asserts less", name, _accepted(spoil))


WRONG_SETTINGS = ("contract-id-wrong", "settle-names-other-network")
"""What is played where nothing tells wrong settings any more: they are no evidence, and where all is right none is
missing."""


def emptied_mutants() -> Iterator[Mutant]:
    """Yield a start of Python that empties functions of the room when it is imported: no file differs.

    Checks and observations are emptied a module at a time, actions one by one.
    """
    for part in ("checks", "observations", "actions"):
        for path in sorted((ROOM / part).glob("*.py")):
            names = [each.name for each in functions(path.read_text()) if not each.name.startswith("_")]
            for emptied in [[name] for name in names] if part == "actions" else [names] if names else []:
                module = f"streampay_smoke.acceptance.{part}.{path.stem}"
                name = f"{path.name}, {emptied[0]}" if part == "actions" else path.name
                for against in WRONG_SETTINGS if path.stem == "settings_mismatch" else (HEALTHY,):
                    yield Mutant(
                        kind=f"{part} are emptied in memory",
                        name=f"{name}, {against}" if against else name,
                        spoil=customized(EMPTYING.format(module=module, names=emptied)),
                        environ={"PYTHONPATH": "custom"},
                        against=against,
                    )


EMPTYING = """\
import importlib.abc, importlib.machinery, sys

class Emptying(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != {module!r}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            for function in {names!r}:
                setattr(module, function, lambda *arguments, **more: None)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Emptying())
"""


def _of_package(kind: str, name: str, spoil: Spoil) -> Mutant:
    return Mutant(kind=kind, name=name, spoil=spoil, environ={"PYTHONPATH": "package"})


def _part(module: str) -> str:
    return module.partition("/")[0] if "/" in module else "the contexts"


def _package_with(module: str, text: str) -> Spoil:
    def spoil(project: Project) -> None:
        copy = project.folder / "package" / "streampay_smoke"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "acceptance" / module).write_text(text)

    return spoil


def _accepted(spoil: Spoil) -> Spoil:
    """Accept what was spoilt, as somebody does who writes the manifest anew without reading it."""

    def spoil_and_accept(project: Project) -> None:
        spoil(project)
        subprocess.run(
            [sys.executable, "-m", "streampay_smoke.runner.manifest", "--write"],
            cwd=project.folder,
            env={**os.environ, "PYTHONPATH": str(project.folder / "package")},
            check=True,
            capture_output=True,
            timeout=60,
        )

    return spoil_and_accept
