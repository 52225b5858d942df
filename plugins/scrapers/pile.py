"""Piles: JSON Lines of documents from many collections, each naming the one it came from, as in The Pile.

    [[source]]
    use = "pile"
    path = "pile/*.jsonl.zst"
    sets = ["Gutenberg (PG-19)", "HackerNews"]

A row is `{"text": …, "meta": {"pile_set_name": …}}` (Gao et al., "The Pile", arXiv 2101.00027; the file layout is that of lm_dataformat). Reading is `files`';
what is added: options name cells of nested objects with a dot, and a row of a set that was not asked for has fate `deselected`, since a
corpus that holds a twentieth of a pile must say so. Other piles differ in one name: `set_key = "meta.redpajama_set_name"`
for SlimPajama, `set_key = "source"` for Dolma and the Common Pile, whose licence is `license = "metadata.license"`.

Rejected: leaving such rows out in silence, which would make the ledger lie; a second reader of JSON Lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import model_validator

from plugins.contracts import Page
from plugins.scrapers.columns import Columns, as_text
from plugins.scrapers.files import Files
from plugins.scrapers.records import Record
from schemas.errors import nearest

PILE_KEY = "meta.pile_set_name"
PILE_SETS = (
    "ArXiv", "BookCorpus2", "Books3", "DM Mathematics", "Enron Emails", "EuroParl", "FreeLaw", "Github", "Gutenberg (PG-19)", "HackerNews",
    "NIH ExPorter", "OpenSubtitles", "OpenWebText2", "PhilPapers", "Pile-CC", "PubMed Abstracts", "PubMed Central", "StackExchange",
    "USPTO Backgrounds", "Ubuntu IRC", "Wikipedia (en)", "YoutubeSubtitles",
)  # fmt: skip
"""The 22 sets of table 1 of the paper, as the files spell them."""
MAX_DEPTH = 8
"""Objects within objects that a dot looks into."""


class Pile(Files):
    """JSON Lines whose rows name the collection they come from, such as The Pile's `.jsonl.zst`; keeps those asked for."""

    name = "pile"
    kernels: ClassVar[tuple[str, ...]] = (*Files.kernels, "plugins.scrapers.files")

    sets: tuple[str, ...] = ()
    """Names of the sets to keep, as in ["Gutenberg (PG-19)", "HackerNews"]; all of them where it is empty."""
    set_key: str = PILE_KEY
    """The cell that names a row's set; a dot leads into an object, here and in every option that names a column."""

    @model_validator(mode="after")
    def _known_sets(self) -> Pile:
        """A misspelt set would deselect everything, hours later."""
        for name in self.sets if self.set_key == PILE_KEY else ():
            if name not in PILE_SETS:
                hint = nearest(name, PILE_SETS) or f"They are: {', '.join(PILE_SETS)}."
                raise ValueError(
                    f'sets: "{name}" is no set of The Pile. {hint} Another pile names its sets elsewhere: write its set_key.'
                )
        return self

    def _row(self, locator: str, record: Record, columns: Columns, seen: set[str]) -> Page:
        """One row as a page; a row of another set says only that it is one."""
        if record.cells is None:
            return super()._row(locator, record, columns, seen)
        page = super()._row(locator, replace(record, cells=flat(record.cells)), columns, seen)
        told = as_text(page.metadata.get(self.set_key)) if self.set_key in page.metadata else None
        if self.sets and page.error is None and told not in self.sets:
            page.content, page.error = None, "deselected"
            page.detail = f'of set "{told}"' if told else f'names no set: it has no "{self.set_key}"'
        return page


def flat(cells: Mapping[str, Any], depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The cells of nested objects beside those of the row, their names joined by dots; of two with one name, the outer stays.

    >>> flat({"text": "x", "meta": {"pile_set_name": "Github", "stars": {"n": 3}}})
    {'text': 'x', 'meta.pile_set_name': 'Github', 'meta.stars.n': 3}
    """
    found: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for key, value in cells.items():
        if isinstance(value, Mapping) and value and depth:
            inner.update({f"{key}.{name}": deeper for name, deeper in flat(value, depth - 1).items()})
        else:
            found[key] = value
    return {**inner, **found} if inner.keys() & found.keys() else {**found, **inner}
