"""Files on this machine: pages that are whole files, and tables whose rows are pages.

Whole files (HTML, text, Markdown) are cut into parts of bounded size and hashed at every build. Tables are cut so that one big file keeps
many workers busy: JSON Lines by bytes at line ends, Parquet by row groups. CSV (a quoted field may hold line ends), JSON arrays and packed
files cannot be cut safely: they are one part, and so is a table with an `id` column, whose values can only be told apart in one place;
its result is a Parquet file, which all later phases cut (`tables.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from plugins.contracts import Locates, Page, Part, Place, Scraper
from plugins.extractors.encoding import codec_of
from plugins.scrapers.columns import Columns, as_position, as_text
from plugins.scrapers.globs import Match, find, is_utf8
from plugins.scrapers.media import MAX_PAGE_BYTES, SUFFIXES, UNREADABLE, medium_of, open_bytes
from plugins.scrapers.records import Record
from plugins.scrapers.tables import PART_BYTES, rows, stamp, table_parts
from schemas.errors import SourceError
from schemas.fingerprint import digest_file

PART_FILES = 2000
"""Whole files in a part at most: opening one costs more than a small page's bytes."""
ROW_DIGITS = 9
"""Row numbers in locators are padded, so that their order as text is their order in the file."""


class Files(Scraper):
    """HTML, text, Markdown, JSON Lines, JSON, CSV, TSV and Parquet files, packed with gzip or Zstandard or not."""

    name = "files"
    requires: ClassVar[tuple[str, ...]] = ("pyarrow", "zstandard", "charset-normalizer", "Resiliparse")
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.scrapers.globs",
        "plugins.scrapers.media",
        "plugins.scrapers.records",
        "plugins.scrapers.tables",
        "plugins.scrapers.columns",
        "plugins.extractors.encoding",
    )

    path: Annotated[str | tuple[str, ...], Locates(), Field(min_length=1)]
    """One glob or several, relative to the recipe: "data/**/*.html". Locators are relative to the folder above all wildcards."""
    text: str = "text"
    """Column of a table that holds the text."""
    content_html: bool = False
    """The text column holds HTML, which goes to the extractor."""
    id: str | None = None
    """Column that names a row; by default it is named by its number, so that a row inserted renames those after it."""
    url: str | None = None
    """Column of the address."""
    title: str | None = None
    """Column of the title."""
    author: str | None = None
    """Column of the author."""
    published: str | None = None
    """Column of the date."""
    license: str | None = None
    """Column of the licence."""
    license_value: str | None = None
    """The licence of every page that states none of its own."""
    group: str | None = None
    """What must not be torn apart. Tables: a column. Whole files: a regular expression on the locator with one group, as in "threads/([^/]+)/"."""
    position: str | None = None
    """The place in the group. Tables: a column. Whole files: a regular expression with one group of digits, as in "page-([0-9]+)"."""
    fold: bool = False
    """Make one document of all pages of a group, in the order of `position`."""
    encoding: str | None = None
    """The encoding of every file, where what they say of themselves is wrong."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        if encoding is not None and not codec_of(encoding):
            raise ValueError(f'"{encoding}" is not an encoding; utf-8, windows-1252 and shift_jis are')
        return encoding

    @model_validator(mode="after")
    def _folds_groups(self) -> Files:
        if self.fold and self.group is None:
            raise ValueError("fold: needs `group`, which says whose pages make one document")
        return self

    @property
    def patterns(self) -> tuple[str, ...]:
        """All globs."""
        return (self.path,) if isinstance(self.path, str) else self.path

    @property
    def columns(self) -> Columns:
        """The table's columns by meaning."""
        fields = ("url", "title", "author", "published", "license", "group", "position", "id")
        named = {field: column for field in fields if (column := getattr(self, field)) is not None}
        return Columns(self.text, named, f"text/{'html' if self.content_html else 'plain'}; charset=utf-8")

    def parts(self, place: Place) -> Sequence[Part]:
        """Whole files in bounded lists, then tables. Raises SourceError for a glob without files, a table without a named column, and a
        pattern that is no regular expression."""
        pages: list[Match] = []
        tables: list[Part] = []
        for match in find(self.patterns, place.base):
            medium = medium_of(match.path)
            if match.error or medium is None or medium.reader == "page":
                pages.append(match)
                continue
            try:
                tables += table_parts(match, medium, self.columns, self.encoding)
            except UNREADABLE as error:
                pages.append(Match(match.locator, match.path, str(error)))
        if any((medium := medium_of(match.path)) and medium.reader == "page" for match in pages):
            for option in ("group", "position"):
                _capture(option, getattr(self, option))
        return [*_page_parts(pages), *tables]

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The pages of a part; a file or row that cannot be read is a page with an error."""
        if "pages" in part.where:
            return (self._whole(Match(*match)) for match in part.where["pages"])
        return self._rows(part.where)

    # ------------------------------------------------------------------------------------- whole files

    def _whole(self, match: Match) -> Page:
        """One file as one page. Its bytes stay where they are, but for what is packed or has a name that Arrow cannot hold."""
        medium = medium_of(match.path)
        page = Page(match.locator, raw_path=match.locator, license=self.license_value)
        if match.error:
            return _lost(page, "unreadable", match.error)
        if medium is None:
            return _lost(
                page,
                "unsupported",
                f"the file's ending says nothing to `files`; it reads {' '.join(SUFFIXES)}",
            )
        page.content_type = medium.content_type + (f"; charset={self.encoding}" if self.encoding else "")
        page.group = _captured(self.group, match.locator)
        page.position = as_position(_captured(self.position, match.locator))
        page.fold = self.fold and page.group is not None
        try:
            page.size = Path(match.path).stat().st_size
            if medium.packed or not is_utf8(match.path):
                with closing(open_bytes(match.path, medium.packed)) as file:
                    page.content = file.read(MAX_PAGE_BYTES + 1)
                    page.size = len(page.content)
            elif page.size <= MAX_PAGE_BYTES:
                page.path, page.content_hash = match.path, digest_file(Path(match.path))
        except UNREADABLE as error:
            return _lost(page, "unreadable", str(getattr(error, "strerror", None) or error))
        if page.size > MAX_PAGE_BYTES:
            page.content = None
            return _lost(
                page,
                "too-large",
                f"more than {MAX_PAGE_BYTES >> 20} MiB; cut it into files of one document each",
            )
        return page

    # ------------------------------------------------------------------------------------- tables

    def _rows(self, where: dict[str, Any]) -> Iterator[Page]:
        """The rows of a table's part. What makes the rest of a file unreadable costs one page, named after the row it struck."""
        columns, seen, number = self.columns, set[str](), int(where.get("number", 0))
        try:
            for record in rows(where, columns, self.encoding):
                yield self._row(where["locator"], record, columns, seen)
                number = record.number + 1
            if "stamp" in where and stamp(where["path"]) != where["stamp"]:
                # What was read would be remembered as what was hashed.
                raise SourceError(
                    f"{where['path']} was rewritten while it was read. Build again when it is at rest."
                )
        except UNREADABLE as error:
            page = Page(
                _numbered(where["locator"], number, seen), raw_path=where["locator"], raw_offset=number
            )
            yield _lost(page, "unreadable", f"from row {number + 1} on: {error}")

    def _row(self, locator: str, record: Record, columns: Columns, seen: set[str]) -> Page:
        offset = record.number if record.offset is None else record.offset
        page = Page("", raw_path=locator, raw_offset=offset, license=self.license_value)
        if record.cells is None:
            page.error, page.detail = record.error, record.detail
        else:
            try:
                columns.fill(page, record.cells)
            except RecursionError:
                page = _lost(
                    Page("", raw_path=locator, raw_offset=offset),
                    "malformed",
                    f"row {record.number + 1} is nested too deep",
                )
        page.fold = self.fold and page.group is not None
        if self.id is None or record.cells is None:
            page.locator = _numbered(locator, record.number, seen)
            return page
        key = as_text(record.cells.get(self.id))
        page.locator = f"{locator}#{key}"
        if key is None or page.locator in seen:
            page.locator = _numbered(locator, record.number, seen)
            detail = f'"{self.id}" is null' if key is None else f'an earlier row has "{self.id}" = {key} too'
            page = _lost(
                page, "no-id" if key is None else "duplicate-id", f"row {record.number + 1}: {detail}"
            )
        seen.add(page.locator)
        return page


def _lost(page: Page, error: str, detail: str) -> Page:
    page.content, page.error, page.detail = None, error, detail
    return page


def _numbered(locator: str, number: int, seen: set[str]) -> str:
    """A row's name by its number; where an `id` took that already, with a "#" more."""
    mark = "#"
    while (name := f"{locator}{mark}{number:0{ROW_DIGITS}}") in seen:
        mark += "#"
    return name


def _capture(option: str, pattern: str | None) -> None:
    try:
        groups = re.compile(pattern).groups if pattern else 1
    except re.error as error:
        raise SourceError(
            f'{option} = "{pattern}" is not a regular expression: {error}. Whole files need one, such as "threads/([^/]+)/".'
        ) from None
    if groups != 1:
        raise SourceError(
            f'{option} = "{pattern}" has {groups} groups; whole files need exactly one, as in "threads/([^/]+)/".'
        )


def _captured(pattern: str | None, locator: str) -> str | None:
    found = re.search(pattern, locator) if pattern else None
    return found[1] if found else None


def _page_parts(pages: list[Match]) -> Iterator[Part]:
    """Whole files in lists of bounded bytes and number; no digest, since to hash them is the work."""
    batch: list[list[str | None]] = []
    size = 0
    for match in pages:
        try:
            length = Path(match.path).stat().st_size
        except OSError:
            length = 0
        if batch and (size + length > PART_BYTES or len(batch) == PART_FILES):
            yield Part({"pages": batch})
            batch, size = [], 0
        batch.append([match.locator, match.path, match.error])
        size += length
    if batch:
        yield Part({"pages": batch})
