"""Saved threads of the forum Hearth, and what its members write below every post."""

from __future__ import annotations

import re
from typing import ClassVar

from resiliparse.parse.html import HTMLTree

from plugins.contracts import Cleaner, Edit, Extracted
from plugins.scrapers.files import Files


class Hearth(Files):
    """Threads of the forum Hearth, saved as HTML: who spoke, and what they said, in order."""

    name = "hearth"
    kernels: ClassVar[tuple[str, ...]] = (*Files.kernels, "plugins.scrapers.files")

    def parse(self, html: str) -> Extracted:
        """One paragraph a post; no text where the page is no thread, and then the recipe's extractor tries."""
        body = HTMLTree.parse(html).body
        posts = body.query_selector_all("li.said") if body else []
        return Extracted(
            "\n\n".join(f"{post.getattr('data-by')}: {post.text.strip()}" for post in posts) or None
        )


class HearthSignatures(Cleaner):
    r"""Drop signatures: a line of two hyphens, and what follows it up to the next empty line.

    >>> HearthSignatures().clean("I agree.\n--\nBo of the Hill\n\nSo do I.")  # "I agree.\n\nSo do I."
    [Edit(start=9, end=27, after='')]
    """

    name = "hearth-signatures"

    lines: int = 4
    """The most lines of a signature; what is longer is no signature and stays."""

    def clean(self, text: str) -> list[Edit]:
        """One edit for each signature."""
        found = re.finditer(r"^--[ ]?\n(?:(?!--[ ]?$).+(?:\n|\Z))*", text, flags=re.MULTILINE)
        short = [match for match in found if match[0].rstrip("\n").count("\n") <= self.lines]
        return [Edit(match.start(), match.end(), "") for match in short]
