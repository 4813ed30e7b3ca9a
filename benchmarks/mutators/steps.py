"""Step files and hooks: emptied, made to swallow, to skip, to vanish or to lie, one function at a time."""

import ast
from collections.abc import Iterator
from pathlib import Path

from suite_parts import Project

from mutators.mutant import Mutant, Spoil, replaced

BODIES = {
    "does nothing": "pass",
    "skips its scenario": 'context.scenario.skip("not today")',
    "vanishes with exit code 0": "__import__('os')._exit(0)",
    "asserts something that holds": 'context.scenario_context.expect("it works", True, expected="", observed="")',
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
        for function in functions(source):
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


def functions(source: str, *, methods: bool = False) -> list[ast.FunctionDef]:
    """Return the functions of a module and, where asked for, the methods of its classes."""
    nodes = ast.walk(ast.parse(source)) if methods else ast.parse(source).body
    return [node for node in nodes if isinstance(node, ast.FunctionDef)]


def _changed(kind: str, file: str, name: str, lines: list[str]) -> Mutant:
    return Mutant(kind=kind, name=f"{file}, {name}", spoil=replaced(file, "\n".join(lines) + "\n"))


def customized(text: str) -> Spoil:
    """Let every Python of the run start with this code."""

    def spoil(project: Project) -> None:
        (project.folder / "custom").mkdir()
        (project.folder / "custom" / "sitecustomize.py").write_text(text)

    return spoil
