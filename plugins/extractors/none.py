"""No main-content detection: all the visible text of a page, navigation and all, but never its markup."""

from __future__ import annotations

from typing import ClassVar

from plugins.contracts import Extractor


class NoExtractor(Extractor):
    """Every visible text of the page, in order. For pages that are clean already, or to judge an extractor by."""

    name = "none"
    requires: ClassVar[tuple[str, ...]] = ("Resiliparse",)

    def extract(self, html: str) -> str | None:
        """The visible text, its line breaks and lists kept."""
        from resiliparse.extract.html2text import extract_plain_text

        return extract_plain_text(html, preserve_formatting=True, main_content=False, alt_texts=False)
