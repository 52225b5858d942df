"""Main content by Resiliparse (Bevendorff et al. 2018, ECIR): a fast parser and rules on tag, class and id names.

Ten times as fast as trafilatura; mean word F1 lower by .03 to .05 on WCXB, equal or better on forums.
"""

from __future__ import annotations

from typing import ClassVar

from plugins.contracts import Extractor


class Resiliparse(Extractor):
    """Main content, fast, with its line breaks, lists and preformatted text."""

    name = "resiliparse"
    requires: ClassVar[tuple[str, ...]] = ("Resiliparse",)

    main_content: bool = True
    """Leave out navigation, headers, footers, sidebars."""
    comments: bool = True
    """Take readers' comments as main content."""
    list_bullets: bool = True
    """Write a bullet or number before list items."""
    alt_texts: bool = False
    """Take the texts that stand in for images."""
    links: bool = False
    """Write the addresses of links behind their texts."""
    noscript: bool = False
    """Take what is shown where scripts do not run; Discourse keeps its posts there."""

    def extract(self, html: str) -> str | None:
        """The main text; empty where there is none."""
        from resiliparse.extract.html2text import extract_plain_text

        return extract_plain_text(
            html,
            preserve_formatting=True,
            main_content=self.main_content,
            list_bullets=self.list_bullets,
            alt_texts=self.alt_texts,
            links=self.links,
            form_fields=False,
            noscript=self.noscript,
            comments=self.comments,
        )
