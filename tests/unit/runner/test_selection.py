"""Tag expressions as people type them: the gate reads them, and says what is wrong with one."""

import pytest

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.runner.selection import tag_expression


@pytest.mark.parametrize(
    ("given", "tags", "selected"),
    [
        ("", [], True),
        ([], ["a"], True),
        (["", " "], ["a"], True),
        ("@a", ["a"], True),
        ("@a", ["b"], False),
        ("@a and not @b", ["a", "b"], False),
        (["@a or @b", "not @c"], ["b"], True),
        (["@a or @b", "not @c"], ["b", "c"], False),
        (["@a", ""], ["b"], False),
        ("(@a)", ["a"], True),
        ("@a.*", ["a.b"], True),
        ("in-depth", ["in-depth"], True),
        ("@doors or @statements", ["access"], True),
        ("not @statements", ["records"], False),
        ("@out-doors", ["access"], False),
    ],
)
def test_an_expression_selects(given: str | list[str], tags: list[str], *, selected: bool) -> None:
    assert tag_expression(given).evaluate(tags) is selected


@pytest.mark.parametrize(
    "text", ["@a @b", "@a)", "(@a", "not", "and", "@a or", "a) or (b", "@a\\b", "~@a", "-@a", "@a,@b"]
)
@pytest.mark.parametrize("more", [[], ["@c"]])
def test_what_cannot_be_read_is_named_whatever_is_beside_it(text: str, more: list[str]) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        tag_expression([*more, text])
    assert repr(text) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "and, or, not" in raised.value.next_step
