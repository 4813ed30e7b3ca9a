"""GitHub's expressions, as far as workflows of ours use them.

Written from "Evaluate expressions in workflows and actions" and "Contexts" of GitHub's documentation.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<op>\|\||&&|==|!=|!|\(|\))|(?P<path>[A-Za-z_][\w.-]*))"
)

STATUS = {"success", "failure", "always", "cancelled"}
"""A condition that calls none of these has success() in front of it."""


def calls_status(expression: str) -> bool:
    """Whether a condition decides for itself what a failure before it means."""
    return any(re.search(rf"\b{name}\(", expression) for name in STATUS)


def interpolated(text: str, contexts: Mapping[str, Any]) -> str:
    """Return a text with every `${{ }}` in it replaced."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: as_text(evaluate(found[1], contexts, {})), text)


def evaluate(expression: str, contexts: Mapping[str, Any], functions: Mapping[str, Callable[[], bool]]) -> Any:
    """Return the value of an expression; a property that is not there is null, as at GitHub."""
    return _Parser(_tokens(expression.strip()), contexts, functions).whole()


def truthy(value: Any) -> bool:
    """Whether GitHub takes a value for true: not false, 0, "" or null."""
    return value not in (False, 0, "", None)


def as_text(value: Any) -> str:
    """Return a value as a step sees it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None, f"the model does not know {text[at:]!r}"
        assert match.lastgroup is not None
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class _Parser:
    def __init__(
        self,
        tokens: list[tuple[str, str]],
        contexts: Mapping[str, Any],
        functions: Mapping[str, Callable[[], bool]],
    ) -> None:
        self._tokens = tokens
        self._contexts = contexts
        self._functions = functions

    def whole(self) -> Any:
        value = self._or()
        assert not self._tokens, self._tokens
        return value

    def _take(self, *wanted: str) -> str:
        if self._tokens and self._tokens[0][0] == "op" and self._tokens[0][1] in wanted:
            return self._tokens.pop(0)[1]
        return ""

    def _or(self) -> Any:
        value = self._and()
        while self._take("||"):
            other = self._and()
            value = value if truthy(value) else other
        return value

    def _and(self) -> Any:
        value = self._equal()
        while self._take("&&"):
            other = self._equal()
            value = other if truthy(value) else value
        return value

    def _equal(self) -> Any:
        value = self._not()
        while operator := self._take("==", "!="):
            other = self._not()
            value = _same(value, other) is (operator == "==")
        return value

    def _not(self) -> Any:
        if self._take("!"):
            return not truthy(self._not())
        if self._take("("):
            value = self._or()
            assert self._take(")")
            return value
        kind, text = self._tokens.pop(0)
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if self._take("("):
            assert self._take(")"), "the model knows functions without arguments"
            return self._functions[text]()
        return {"true": True, "false": False, "null": None}.get(text, self._property(text))

    def _property(self, path: str) -> Any:
        value: Any = self._contexts
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return (type(one) is type(other) and one == other) or _number(one) == _number(other)


def _number(value: Any) -> float:
    """Return what GitHub makes of a value that is compared with one of another type: null and "" are 0."""
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
