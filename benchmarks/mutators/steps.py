"""Step files, hooks and promises: emptied, made to swallow, to skip, to vanish or to lie, one function at a time."""

import ast
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from suite_parts import Project

import streampay_smoke
from mutators.mutant import Mutant, Spoil, replaced

PACKAGE = Path(streampay_smoke.__file__).parent

BODIES = {
    "does nothing": "pass",
    "skips its scenario": 'context.scenario.skip("not today")',
    "vanishes with exit code 0": "__import__('os')._exit(0)",
    "asserts something that holds": 'context.world.expect("it works", True, expected="", observed="")',
}
"""What a step function does instead."""

HOOKS = {
    "is removed": "",
    "does nothing": "{name} = lambda *arguments: None",
    "raises": "def {name}(*arguments):\n    raise RuntimeError('a hook broke')",
    "leaves with SystemExit(0)": "def {name}(*arguments):\n    raise SystemExit(0)",
    "vanishes with exit code 0": "def {name}(*arguments):\n    __import__('os')._exit(0)",
    "ends the run": "def {name}(*arguments):\n    raise KeyboardInterrupt",
}
"""What a hook is instead."""


def step_mutants(features: Path) -> Iterator[Mutant]:
    """Yield the mutants of every step function."""
    for path in sorted((features / "steps").glob("*.py")):
        source = path.read_text()
        lines = source.splitlines()
        file = f"steps/{path.name}"
        for function in _functions(source):
            head, body = lines[: function.body[0].lineno - 1], lines[function.body[0].lineno - 1 : function.end_lineno]
            tail = lines[function.end_lineno or 0 :]
            for what, statement in BODIES.items():
                yield _changed("a step " + what, file, function.name, [*head, f"    {statement}", *tail])
            swallowing = ["    try:", *(f"    {line}" for line in body), "    except Exception:", "        pass"]
            yield _changed("a step swallows what it asserts", file, function.name, [*head, *swallowing, *tail])
            first = min(decorator.lineno for decorator in function.decorator_list)
            undefined = [*lines[: first - 1], *lines[function.lineno - 1 :]]
            yield _changed("a step is not defined any more", file, function.name, undefined)


def hook_mutants(features: Path) -> Iterator[Mutant]:
    """Yield the mutants of every hook, and of the file they are in."""
    source = (features / "environment.py").read_text()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            for what, instead in HOOKS.items():
                text = source.replace(ast.get_source_segment(source, node) or "", instead.format(name=name))
                yield Mutant(kind=f"a hook {what}", name=name, spoil=replaced("environment.py", text))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            text = source.replace(ast.get_source_segment(source, node) or "", "")
            yield Mutant(kind="the hooks are spoilt", name="load anywhere", spoil=replaced("environment.py", text))
    for what, text in (("emptied", ""), ("no Python", "def f(:\n"), ("import nothing", "import nothing_like_it\n")):
        yield Mutant(kind="the hooks are spoilt", name=what, spoil=replaced("environment.py", text))
    yield Mutant(
        kind="the hooks are spoilt", name="gone", spoil=lambda project: (project.features / "environment.py").unlink()
    )


def promise_mutants() -> Iterator[Mutant]:
    """Yield a copy of the package for each promise, in which that one does nothing."""
    for path in sorted((PACKAGE / "acceptance" / "checks").glob("*.py")):
        source = path.read_text()
        lines = source.splitlines()
        for function in _functions(source, methods=True):
            if function.name.startswith("_"):
                continue
            body = [*lines[: function.body[0].lineno - 1], f"{' ' * (function.col_offset + 4)}return None"]
            text = "\n".join([*body, *lines[function.end_lineno or 0 :]]) + "\n"
            yield Mutant(
                kind="a promise does nothing",
                name=f"{path.name}, {function.name}, line {function.lineno}",
                spoil=_package_with(path.name, text),
                environ={"PYTHONPATH": "package"},
            )


def module_mutants() -> Iterator[Mutant]:
    """Yield, for each module of promises, a start of Python that empties its functions when it is imported."""
    for path in sorted((PACKAGE / "acceptance" / "checks").glob("*.py")):
        names = [
            f.name for f in _functions(path.read_text()) if not f.name.startswith("_") and f.name != "become_ready"
        ]
        if names:
            yield Mutant(
                kind="a module of promises is emptied in memory",
                name=path.name,
                spoil=_customized(
                    EMPTYING.format(module=f"streampay_smoke.acceptance.checks.{path.stem}", names=names)
                ),
                environ={"PYTHONPATH": "custom"},
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


def _functions(source: str, *, methods: bool = False) -> list[ast.FunctionDef]:
    nodes = ast.walk(ast.parse(source)) if methods else ast.parse(source).body
    return [node for node in nodes if isinstance(node, ast.FunctionDef)]


def _changed(kind: str, file: str, name: str, lines: list[str]) -> Mutant:
    return Mutant(kind=kind, name=f"{file}, {name}", spoil=replaced(file, "\n".join(lines) + "\n"))


def _package_with(module: str, text: str) -> Spoil:
    def spoil(project: Project) -> None:
        copy = project.folder / "package" / "streampay_smoke"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "acceptance" / "checks" / module).write_text(text)

    return spoil


def _customized(text: str) -> Spoil:
    def spoil(project: Project) -> None:
        (project.folder / "custom").mkdir()
        (project.folder / "custom" / "sitecustomize.py").write_text(text)

    return spoil


customized: Callable[[str], Spoil] = _customized
