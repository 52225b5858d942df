"""A page as lxml makes it: what every engine's rules are written for.

libxml2's parser stops at 256 levels of nesting and keeps what it has, so a hostile page costs its own end and no more. Rejected:
resiliparse's tree, which is HTML5 to the letter but has CSS selectors only, without attributes' values, text nodes or ancestors.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree  # type: ignore[import-untyped, unused-ignore]

CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\f\r")
"""What no XML tree can hold."""

_DECLARATION = re.compile(rb"\s*<\?xml[^>]*\?>")


def cleaned(text: str) -> str:
    """A text as a tree would give it back: without control characters, lone surrogates as "?"."""
    return text.encode("utf-8", "replace").translate(None, CONTROLS).decode("utf-8")


def parsed(html: str) -> Any | None:
    """The root element of a decoded page; None where it has none."""
    data = html.encode("utf-8", "replace").translate(None, CONTROLS)
    if declared := _DECLARATION.match(data):
        # The text is decoded already: what it says of its encoding must not be believed again.
        data = data[declared.end() :]
    if not data.strip():
        return None
    try:
        return etree.fromstring(data, etree.HTMLParser(encoding="utf-8", no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError):  # nothing that could be an element
        return None
