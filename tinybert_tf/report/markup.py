"""HTML and SVG as strings in which every text is escaped once, and none is forgotten."""

import html
import re

from tinybert_tf.text.strings import valid_text

# Control characters, which HTML does not allow.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Markup(str):
    """Text that is markup already; any other string is escaped by `tag`."""


def escape(value) -> Markup:
    """Returns a value as text of a page."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_CONTROL.sub("\ufffd", valid_text(str(value))), quote=True))


def join(*parts) -> Markup:
    """Joins parts, lists of them too; those that are no markup are escaped."""
    found = []
    for part in parts:
        if part is None:
            continue
        found.append(join(*part) if isinstance(part, (list, tuple)) else escape(part))
    return Markup("".join(found))


def tag(name: str, *content, **attributes) -> Markup:
    """An element.

    Args:
        name: string. As `"td"`.
        *content: texts, markup, or lists of them.
        **attributes: `class_` is `class`, `data_tip` is `data-tip`; those that are `None` are
            left out, and floats are rounded to two places.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None:
            continue
        value = number(value) if isinstance(value, float) else value
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(value)}"')
    if name in ("circle", "line", "path", "polyline", "rect") and not content:
        return Markup(f"<{' '.join(parts)}/>")
    return Markup(f"<{' '.join(parts)}>{join(*content)}</{name}>")


def number(value: float) -> str:
    """A number with at most two decimal places."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def significant(value: float) -> str:
    """A number with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(value: float) -> str:
    """A share as a percentage."""
    return f"{100 * value:.1f} %"


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def section(name: str, title: str, lead, *content) -> Markup:
    """A part of the page with a heading and a sentence on what is seen.

    Args:
        name: string. The anchor.
        title: string.
        lead: string or markup; empty for none.
        *content: as of `tag`.
    """
    intro = tag("p", lead, class_="lead") if lead else ""
    return tag("section", tag("h2", title), intro, *content, id=name)


def missing(what: str, remedy: str = "") -> Markup:
    """Says what a section lacks, and the option that brings it."""
    parts: list = [what]
    if remedy:
        parts += [" Add ", tag("code", remedy), "."]
    return tag("p", *parts, class_="missing")


def table(headings: list, rows: list[list], numeric: tuple[int, ...] = ()) -> Markup:
    """A table that scrolls sideways where the screen is narrow.

    Args:
        headings: list of strings.
        rows: list of lists of cells.
        numeric: tuple of ints. Columns that are set right. Defaults to none.
    """
    style = dict.fromkeys(numeric, "number")
    head = [tag("th", name, class_=style.get(i)) for i, name in enumerate(headings)]
    body = [
        tag("tr", [tag("td", cell, class_=style.get(i)) for i, cell in enumerate(row)])
        for row in rows
    ]
    return tag(
        "div",
        tag("table", tag("thead", tag("tr", head)), tag("tbody", body)),
        class_="scroll",
        tabindex="0",
    )


def bar(share: float, text: str, kind: str = "") -> Markup:
    """A number with a bar behind it.

    Args:
        share: float. Length of the bar, from 0 to 1.
        text: string.
        kind: string. `"good"` or `"bad"` colours it. Defaults to `""`.
    """
    width = 100 * min(max(share, 0.0), 1.0)
    fill = tag("span", class_=f"fill {kind}".strip(), style=f"width:{number(width)}%")
    return tag("span", fill, tag("span", text, class_="value"), class_="bar")
