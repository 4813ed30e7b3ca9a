"""HTML in which text is escaped unless it was built here."""

import html

VOID_ELEMENTS = frozenset({"meta", "br"})


class Markup(str):
    """Text that is HTML already. Only `element` and `joined` make it, and the report's own constants."""

    __slots__ = ()


def element(tag: str, /, *children: str, **attributes: str | None) -> Markup:
    """Return an element; children that are no Markup are escaped.

    Attributes: a trailing underscore is dropped (`class_`), other underscores become hyphens, None is left out.
    """
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in VOID_ELEMENTS:
        return Markup(f"<{tag}{named}>")
    return Markup(f"<{tag}{named}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Markup:
    """Return the children one after the other; those that are no Markup are escaped."""
    return Markup("".join(child if isinstance(child, Markup) else html.escape(child) for child in children))
