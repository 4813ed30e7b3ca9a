"""Which scenarios a tag expression selects, read by the gate and not by behave, whose own refusal exits with 1."""

import difflib
import fnmatch
import re
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from behave.tag_expression import TagExpressionProtocol
from behave.tag_expression.parser import TagExpressionError, TagExpressionParser

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.runner.feature_lint import KNOWN_TAGS

HOW = "write it like '@settlement and not @slow', with and, or, not and parentheses, in quotes for the shell"


FORMER_TAGS = {"doors": "access", "statements": "records"}
"""The present names of tags that were called otherwise: an expression with a former name selects the same."""

_FORMER = re.compile(rf"(?<![\w-])({'|'.join(FORMER_TAGS)})(?![\w-])")


_GRAMMAR = frozenset({"and", "or", "not", "(", ")"})


class UnknownTag(SettingsInvalid):
    """A tag expression names a tag that no scenario has: it selects nothing, or not what is meant."""

    kind = "nothing_selected"


class TagExpression(Protocol):
    """What behave asks whether a scenario is selected."""

    def evaluate(self, tags: Sequence[str]) -> bool:
        """Whether a scenario with these tags is selected."""
        ...


def tag_expression(given: str | Sequence[str]) -> TagExpression:
    """Return what `--tags` selects, given once or several times; raises SettingsInvalid where one cannot be read."""
    texts = [text for text in ([given] if isinstance(given, str) else given) if text.strip()]
    for text in texts:
        _check(text)
    present = [_FORMER.sub(lambda found: FORMER_TAGS[found[1]], text) for text in texts]
    expression: TagExpression = TagExpressionProtocol.V2.parse(present or "")
    return expression


def refuse_unknown_tags(given: str | Sequence[str], known: Callable[[], Collection[str]]) -> None:
    """Raise UnknownTag for a tag that no scenario has: what is meant is not what would be played.

    `known` returns the tags that features have beside those of the table.
    """
    unknown = [word for text in ([given] if isinstance(given, str) else given) for word in _operands(text)]
    unknown = [word for word in unknown if not _is_one_of(word, KNOWN_TAGS)]
    if not unknown:
        return
    tags = {*KNOWN_TAGS, *known()}
    for word in unknown:
        if not _is_one_of(word, tags):
            near = difflib.get_close_matches(word, tags, n=1)
            raise UnknownTag(
                f"no scenario has the tag @{word}{f'; did you mean @{near[0]}?' if near else ''}",
                next_step="correct --tags; streampay-smoke run --list shows every scenario with its tags",
            )


def _operands(text: str) -> list[str]:
    """Return the tags in an expression that can be read, by their present names and without @."""
    words = TagExpressionParser.tokenize(text) if "\\" not in text else []
    tags = (word.removeprefix("@") for word in words if word not in _GRAMMAR)
    return [FORMER_TAGS.get(tag, tag) for tag in tags]


def _is_one_of(word: str, tags: Collection[str]) -> bool:
    return word in tags or bool(set("*?[") & set(word) and fnmatch.filter(tags, word))


def _check(text: str) -> None:
    """Raise SettingsInvalid for an expression that cannot be read, or that is of the first version of behave."""
    for word in TagExpressionParser.tokenize(text) if "\\" not in text else ():
        older = _rewritten(word)
        if older:
            raise SettingsInvalid(
                f"the tag expression {text!r} cannot be used: {word!r} is written as behave 1.2 had it",
                next_step=f"write {older!r}; {HOW}",
            )
    try:
        TagExpressionProtocol.V2.parse(text)
    except TagExpressionError as error:
        raise SettingsInvalid(
            f"the tag expression {text!r} cannot be read: {_mistake(text, error)}", next_step=HOW
        ) from error


def _rewritten(word: str) -> str:
    """Return what is meant by an operand of the first version, "" for one that is of the second."""
    if "," in word:
        return " or ".join(_rewritten(part) or part for part in word.split(",") if part)
    return f"not {word[1:]}" if word.startswith(("-", "~")) else ""


def _mistake(text: str, error: TagExpressionError) -> str:
    """Return what the parser says of the mistake, in one line: its drawing of the place needs several.

    It names an operand that is missing at the end only where something follows: a parenthesis.
    """
    try:
        TagExpressionProtocol.V2.parse([text])
    except TagExpressionError as clearer:
        error = clearer
    return str(error).splitlines()[0].removeprefix("Syntax error. ").rstrip(".")
