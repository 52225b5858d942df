"""Main content by trafilatura (Barbaresi 2021, ACL demo track): rules, with jusText and a readability port as fallbacks.

The default. Mean word F1 .827 on the 1,337 pages of WCXB's dev set, 14 to 58 pages/s. No address is passed and no metadata asked
for: neither changes the text, and metadata costs more than the text does (`head.py` reads it in a fraction of the time).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from plugins.contracts import Extractor


class Trafilatura(Extractor):
    """Main content of articles, posts and documentation, comments included."""

    name = "trafilatura"
    requires: ClassVar[tuple[str, ...]] = (
        "trafilatura",
        "lxml",
        "justext",
        "courlan",
        "htmldate",
        "lxml-html-clean",
    )

    favor: Literal["balanced", "precision", "recall"] = "balanced"
    """precision: less text, less of it noise. recall: when in doubt, in."""
    fast: bool = False
    """Skip the fallback extractors: half again as fast, word F1 lower by .06."""
    comments: bool = True
    """Take readers' comments too; in a forum they are the page."""
    tables: bool = True
    """Take the text of tables."""
    links: bool = False
    """Write links as [text](address)."""
    images: bool = False
    """Write images as ![text](address)."""
    formatting: bool = False
    """Keep bold, italic, headings and code as Markdown."""

    def extract(self, html: str) -> str | None:
        """The main text, paragraphs on lines of their own; None where there is none."""
        from trafilatura import extract

        return extract(
            html,
            output_format="txt",
            fast=self.fast,
            favor_precision=self.favor == "precision",
            favor_recall=self.favor == "recall",
            include_comments=self.comments,
            include_tables=self.tables,
            include_links=self.links,
            include_images=self.images,
            include_formatting=self.formatting,
            with_metadata=False,
        )
