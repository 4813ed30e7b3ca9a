"""Tag expressions as people type them: the gate reads them, and says what is wrong with one."""

import pytest

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.runner.selection import refuse_unknown_tags, tag_expression


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@setlement", "the tag @setlement; did you mean @settlement?"),
        ("@smoke and not @mony", "the tag @mony; did you mean @money?"),
        ("(@readiness or nothing-like-it)", "the tag @nothing-like-it"),
        ("@zzz*", "the tag @zzz*"),
    ],
)
def test_a_tag_that_nobody_has_is_refused_with_the_nearest(text: str, said: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        refuse_unknown_tags(["@smoke", text], lambda: ["own"])
    assert said in str(raised.value)
    assert "--list" in raised.value.next_step
    assert raised.value.kind == "nothing_selected"


@pytest.mark.parametrize("text", ["", "@smoke and not @money", "@doors", "@settle*", "@own", "smoke"])
def test_tags_that_somebody_has_are_taken(text: str) -> None:
    refuse_unknown_tags(text, lambda: ["own"])
