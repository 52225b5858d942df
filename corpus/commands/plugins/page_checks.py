"""What scrapers and extractors owe: pages that are named, the same each time, and for a bad page a fate instead of an exception."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from corpus.commands.plugins.case import Case
from corpus.commands.plugins.outcomes import Broken, Check, Skipped, shown
from corpus.commands.plugins.texts import BAD_BYTES, BAD_PAGES, ORDINARY_PAGE
from plugins.contracts import Extracted, Page, Part, Place
from plugins.extractors.encoding import NotText, decode
from schemas.errors import SourceError
from schemas.fingerprint import digest

MAX_PAGES = 5000
"""Pages of a source that are looked at."""


def gathered(case: Case, base: Path) -> list[Page]:
    """Parts and pages as a build would take them, paths relative to `base`."""
    with tempfile.TemporaryDirectory(prefix="gristmill-place-") as work:
        place = Place(base, Path(work))
        found: list[Page] = []
        for part in case.plugin.parts(place):
            for page in case.plugin.fetch(place, _travelled(part)):
                found.append(page)
                if len(found) == MAX_PAGES:
                    return found
        return found


def _travelled(part: object) -> Part:
    """A part as a task gets it. Raises Broken for one that cannot get there."""
    if not isinstance(part, Part):
        raise Broken(f"`parts` gave {type(part).__name__}", "return a list of plugins.contracts.Part")
    try:
        through = json.loads(json.dumps(part.where))
    except (TypeError, ValueError) as error:
        raise Broken(
            f"a part is no JSON: {error}", "let `where` hold text, numbers and lists of these"
        ) from error
    if through != part.where:
        raise Broken(
            f"a part comes back as {through}", "use lists for tuples, and text for the keys of tables"
        )
    return Part(through, part.digest)


def _own(case: Case) -> list[Page]:
    """The pages of the sample. Raises Skipped where the source has none here."""
    try:
        return gathered(case, Path(case.subject.base))
    except SourceError as error:
        raise Skipped(f"its source is not here: {str(error).splitlines()[0]}") from error


def pages(case: Case) -> str:
    """Each page has a name of its own and either a content or an error of one word."""
    found = _own(case)
    if not found:
        raise Skipped("its source has no pages here")
    seen: set[str] = set()
    for page in found:
        _checked(page)
        if page.locator in seen:
            raise Broken(
                f'two pages are called "{page.locator}"',
                "a locator is a page's identity within its source: path, address, or both with a number",
            )
        seen.add(page.locator)
    bad = sum(page.error is not None for page in found)
    return f"{len(found)} pages" + (f", {bad} with an error" if bad else "")


def _checked(page: object) -> None:
    if not isinstance(page, Page):
        raise Broken(f"`fetch` gave {type(page).__name__}", "yield plugins.contracts.Page")
    if not page.locator or page.locator.startswith("/"):
        raise Broken(
            f"locator {page.locator!r}",
            "name the page relative to its source, so that a moved folder changes nothing",
        )
    if page.error is None and page.content is None and page.path is None:
        raise Broken(f'"{page.locator}" is empty', "give it `content`, the `path` of its file, or `error`")
    if page.content is not None and not isinstance(page.content, bytes):
        raise Broken(
            f'"{page.locator}" holds {type(page.content).__name__}', "`content` is bytes, as they came"
        )
    if page.error is not None and not re.fullmatch(r"[\w-]+", page.error):
        raise Broken(f'error "{page.error}"', "`error` is one word, `detail` says more")
    if page.error is None and not page.content_type:
        raise Broken(
            f'"{page.locator}" has no content type', 'say `content_type`, such as "text/html; charset=utf-8"'
        )


def deterministic(case: Case) -> str:
    """The same source gives the same pages in the same order."""
    first, second = _own(case), _own(case)
    for one, two in zip(first, second, strict=False):
        if _digest(one) != _digest(two):
            raise Broken(
                f'"{one.locator}" came otherwise a second time',
                "sort what a folder lists, and take no time, counter or random number into a page",
            )
    if len(first) != len(second):
        raise Broken(
            f"{len(first)} pages, then {len(second)}",
            "keep what was fetched: the same source, the same pages",
        )
    return f"{len(first)} pages twice"


def _digest(page: Page) -> str:
    # When a page was fetched is told, and is no part of what it says.
    told = dataclasses.replace(page, fetched_at=None, path=None)
    return digest(repr(told).encode("utf-8", "surrogatepass"))


def bad_pages(case: Case) -> str:
    """Files that are not what they seem give pages, never an exception."""
    tried = 0
    for bad in (*BAD_BYTES, *(text.encode("utf-8", "surrogatepass") for text in BAD_PAGES)):
        with case.copied() as folder:
            for path in case.sample[:1]:
                (Path(folder) / path).write_bytes(bad)
            try:
                found = gathered(case, Path(folder))
                for page in found:
                    _checked(page)
            except (Broken, SourceError):
                raise
            except Exception as error:
                raise Broken(
                    f"{type(error).__name__} on {shown(repr(bad)[2:-1])}: {error}",
                    "yield a Page with `error` and `detail` for what cannot be read: an exception loses the other pages",
                ) from error
            tried += 1
    return f"{tried} bad files"


def parse(case: Case) -> str:
    """Its own `parse`, where it has one, finds text in its pages and answers for any page."""
    if not hasattr(case.plugin, "parse"):
        raise Skipped("it leaves its pages to an extractor")
    own = list(_html(case))
    found = [case.plugin.parse(html) for html in own]
    if own and not any(isinstance(one, Extracted) and (one.text or one.messages) for one in found):
        raise Broken(
            f"no text in any of {len(own)} pages",
            "return Extracted(text) for its own pages; try the sample first",
        )
    again = [case.plugin.parse(html) for html in own]
    if again != found:
        raise Broken("a page is read otherwise a second time", "keep no state between pages")
    for html in (*BAD_PAGES, ORDINARY_PAGE):
        try:
            told = case.plugin.parse(html)
        except Exception as error:
            raise Broken(
                f"{type(error).__name__} on {shown(html)}: {error}",
                "return Extracted(None) for a page it does not know: then the general extractor tries",
            ) from error
        if told is not None and not isinstance(told, Extracted):
            raise Broken(f"`parse` gave {type(told).__name__}", "return plugins.contracts.Extracted")
    return f"{len(own)} of its own pages, {len(BAD_PAGES)} bad ones"


def _html(case: Case) -> Iterator[str]:
    """Its own pages, decoded."""
    try:
        found = _own(case)
    except Skipped:
        return
    for page in found:
        content = page.content if page.content is not None else page.path and Path(page.path).read_bytes()
        if page.error is None and content and (page.content_type or "").startswith("text/html"):
            try:
                yield decode(content, page.content_type, html=True).text
            except NotText:
                continue


def extract(case: Case) -> str:
    """A text or nothing for any page, the same each time."""
    for html in (ORDINARY_PAGE, *BAD_PAGES):
        told = _text(case, html)
        if told is not None and not isinstance(told, str):
            raise Broken(
                f"`extract` gave {type(told).__name__}", "return the text, or None where there is none"
            )
        if _text(case, html) != told:
            raise Broken(f"two calls differ on {shown(html)}", "keep no state between pages")
    if not (_text(case, ORDINARY_PAGE) or "").strip():
        raise Broken("no text in an ordinary page", "return the main text of the page")
    return f"{1 + len(BAD_PAGES)} pages"


def _text(case: Case, html: str) -> Any:
    try:
        return case.plugin.extract(html)
    except Exception as error:
        raise Broken(
            f"{type(error).__name__} on {shown(html)}: {error}",
            "return None for what is no page; an exception costs the page as well, but says less",
        ) from error


def scraped(case: Case) -> dict[str, str]:
    """Digests of its pages, and of what `parse` makes of them."""
    try:
        found = {page.locator: _digest(page) for page in _own(case)}
        if hasattr(case.plugin, "parse"):
            for n, html in enumerate([*_html(case), *BAD_PAGES]):
                found[f"the text of page {n + 1}"] = digest(
                    repr(case.plugin.parse(html)).encode("utf-8", "replace")
                )
    except Exception as error:  # noqa: BLE001  told by the checks
        return {"all": type(error).__name__}
    return found


def extracted(case: Case) -> dict[str, str]:
    """Digests of the texts of pages."""
    found = {}
    for html in (ORDINARY_PAGE, *BAD_PAGES):
        try:
            found[shown(html)] = digest(repr(case.plugin.extract(html)).encode("utf-8", "replace"))
        except Exception as error:  # noqa: BLE001  told by `extract`
            found[shown(html)] = type(error).__name__
    return found


SCRAPER: Sequence[tuple[str, Check]] = (
    ("pages are named and whole", pages),
    ("deterministic", deterministic),
    ("bad pages are fates", bad_pages),
    ("parse answers for any page", parse),
)
EXTRACTOR: Sequence[tuple[str, Check]] = (("a text or nothing for any page", extract),)
