"""Dumps of Reddit in Pushshift's layout: submissions and comments become threads.

    [[source]]
    use = "reddit"
    path = ["reddit/RS_2023-*.zst", "reddit/RC_2023-*.zst"]
    subreddits = ["rpg", "DungeonsAndDragons"]
    min_score = 2

Submissions and comments are told apart by what they hold, so the dumps of single subreddits (`rpg_submissions.zst`) work alike. One page is one
thread: the submission, then the comments as a reader sees them, each before its answers and answers in order of time. It is kept as HTML of
one `<article>` a post, which `parse` reads back exactly: into a text, posts separated by blank lines, and into messages with their authors' names.
The group is the thread.

What is not shown is counted in `metadata.dropped`: texts that are deleted or removed, scores below `min_score`, posts outside the dates, authors
to skip. Their answers stay, in their place. A comment whose submission is in none of the dumps makes a thread all the same, with no title and
`metadata.submission = "absent"`, under the name it would have with it. Threads of other subreddits are no part of the source, as files are not
that no glob matches; a line that cannot be read is a page with fate `malformed`. Of a post that two dumps hold, the later file's counts.

Threads are gathered on disk first (`reddit_dumps.py`): that takes memory for one cell of posts, 64 MiB of buffers and the 2 GiB window of the dumps,
however large they are; on disk about as much as the posts that are wanted take in the dumps. It runs in one process, when the build lists
its parts, once for every dump: 70 000 rows a second where all are wanted, 190 000 where one in four is.

Unproven: no dump of Pushshift or its successors can be had where this was written; tests make files of the published fields.
"""

from __future__ import annotations

import html as markup
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, ClassVar

from pydantic import Field

from plugins.contracts import Extracted, Locates, Page, Part, Place, Scraper
from plugins.scrapers.globs import find, is_utf8
from plugins.scrapers.media import MAX_PAGE_BYTES
from plugins.scrapers.reddit_dumps import CELLS, FAULTS, Cells, Frame, Wanted, read, sort
from plugins.scrapers.tables import stamp
from plugins.specs import module_digest
from schemas.fingerprint import canonical, identify

PART_BYTES = 32 << 20
"""Posts in a part, unpacked, in whole cells."""
SITE = "https://www.reddit.com"
SORTING = "plugins.scrapers.reddit_dumps"


class Reddit(Scraper):
    """Threads from Pushshift-style dumps of Reddit (RS_*.zst and RC_*.zst), one page a thread."""

    name = "reddit"
    requires: ClassVar[tuple[str, ...]] = ("zstandard",)
    kernels: ClassVar[tuple[str, ...]] = (
        SORTING,
        "plugins.scrapers.columns",
        "plugins.scrapers.globs",
        "plugins.scrapers.media",
        "plugins.scrapers.tables",
    )

    path: Annotated[str | tuple[str, ...], Locates(), Field(min_length=1)]
    """One glob or several, relative to the recipe: dumps of submissions and of comments, packed (zst, xz, bz2, gz) or not."""
    subreddits: tuple[str, ...] = ()
    """Names without "r/", in any case: ["rpg"]. All of the dumps where it is empty."""
    min_score: int | None = None
    """Leave out posts with fewer points; those whose score the dump does not know stay."""
    after: date | None = None
    """Leave out posts of the days before: 2020-01-01 (UTC)."""
    before: date | None = None
    """Leave out posts of this day and later ones (UTC)."""
    skip_authors: tuple[str, ...] = ("AutoModerator",)
    """Leave out what these write."""
    license_value: str | None = None
    """The licence of every thread, which the dumps do not state."""

    @property
    def wanted(self) -> Wanted:
        """The options that choose posts."""
        begin, end = (
            datetime.combine(day, time(), UTC).timestamp() if day else None
            for day in (self.after, self.before)
        )
        subreddits = frozenset(name.removeprefix("/").removeprefix("r/").lower() for name in self.subreddits)
        return Wanted(
            subreddits, self.min_score, begin, end, frozenset(name.lower() for name in self.skip_authors)
        )

    def parts(self, place: Place) -> Sequence[Part]:
        """Sort the dumps that are not sorted yet; then runs of cells. Raises SourceError for a glob without files."""
        patterns = (self.path,) if isinstance(self.path, str) else self.path
        folder = place.work / "cells"
        folder.mkdir(parents=True, exist_ok=True)
        chosen = self.wanted
        sought = canonical([
            module_digest(SORTING),
            *(sorted(v) if isinstance(v, frozenset) else v for v in _values(chosen)),
        ])
        sorted_dumps = []
        for match in find(patterns, place.base):
            error = match.error or (None if is_utf8(match.path) else "its name is not UTF-8; rename it")
            try:
                key = identify(match.locator, match.path, str(stamp(match.path)), sought)
            except OSError as failure:
                error, key = error or failure.strerror, identify(match.locator, match.path)
            sorted_dumps.append(sort(match.path, match.locator, folder / key, chosen, error))
        kept = {cells.path.name for cells in sorted_dumps}
        for file in folder.iterdir():
            if file.stem not in kept:
                file.unlink()  # of dumps or options that are no more
        return list(_parts(sorted_dumps))

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The threads of some cells, a cell at a time."""
        for frames in part.where["cells"]:
            yield from self._threads(frames)
        for row in read(part.where.get("faults", [])):
            yield Page(row["locator"], error=row["error"], detail=row["detail"][:500])

    def _threads(self, frames: Iterable[Frame]) -> Iterator[Page]:
        threads: dict[str, dict[tuple[bool, str], dict[str, Any]]] = {}
        for post in read(frames):
            threads.setdefault(post["thread"], {})[post["parent"] is None, post["id"]] = post
        for name in sorted(threads):
            page = thread_page(name, list(threads[name].values()))
            page.license = self.license_value
            yield page

    def parse(self, html: str) -> Extracted:
        """What `thread_page` wrote, as text and messages."""
        if MARK not in html[:200]:
            return Extracted(None)
        spoken = [(markup.unescape(author), markup.unescape(text)) for author, text in _ARTICLE.findall(html)]
        messages = [
            {"role": "user", "name": author or None, "content": text, "train": None}
            for author, text in spoken
        ]
        return Extracted("\n\n".join(text for _, text in spoken) or None, messages or None)


def _values(wanted: Wanted) -> list[Any]:
    return [wanted.subreddits, wanted.min_score, wanted.after, wanted.before, wanted.skip_authors]


def _parts(dumps: Sequence[Cells]) -> Iterator[Part]:
    """Runs of cells of bounded size, known by their posts' digests; then what could not be read."""
    run: list[list[Frame]] = []
    known: list[str] = []
    size = 0
    for cell in range(CELLS):
        frames = [frame for dump in dumps for frame in dump.frames(cell)]
        if not frames:
            continue
        run.append(frames)
        known += [f"{cell} {digest}" for dump in dumps if (digest := dump.digest.get(cell))]
        size += sum(dump.size.get(cell, 0) for dump in dumps)
        if size >= PART_BYTES:
            yield Part({"cells": run}, identify(*known))
            run, known, size = [], [], 0
    if run:
        yield Part({"cells": run}, identify(*known))
    faults = [frame for dump in dumps for frame in dump.frames(FAULTS)]
    if faults:
        digests = [digest for dump in dumps if (digest := dump.digest.get(FAULTS))]
        passing = any(dump.passing for dump in dumps)
        yield Part({"cells": [], "faults": faults}, None if passing else identify("faults", *digests))


# ------------------------------------------------------------------------------------------------ a thread

MARK = '<body data-gristmill="reddit">'
_ARTICLE = re.compile(r'<article [^<>]*data-author="([^"<>]*)"[^<>]*><pre>\n([^<>]*)</pre></article>')


def thread_page(name: str, posts: Sequence[dict[str, Any]]) -> Page:
    """The posts of a thread as one page; with error `no-text` where none of them says anything."""
    top = next((post for post in posts if post["parent"] is None), None)
    about = top or min(posts, key=_order)
    subreddit = about["subreddit"] or "unknown"
    path = (top or {}).get("permalink") or f"/r/{subreddit}/comments/{name}/"
    page = Page(f"{subreddit}/{name}", content_type="text/html; charset=utf-8", group=f"t3_{name}")
    page.url = SITE + path if path.startswith("/") else None
    shown, dropped = list[str](), dict[str, int]()
    for post, depth in in_order(posts):
        text = "\n\n".join(filter(None, (post.get("title"), post.get("text"))))
        if post.get("dropped"):
            dropped[post["dropped"]] = dropped.get(post["dropped"], 0) + 1
        if text:
            shown.append(_article(post, depth, text))
    page.metadata = {"subreddit": subreddit, "posts": len(shown), **({"dropped": dropped} if dropped else {})}
    if top is None:
        page.metadata["submission"] = "absent"
    else:
        page.title, page.author, page.published = top.get("title"), top["author"], _iso(top["time"])
        page.metadata.update({
            key: top[key] for key in ("score", "flair", "link", "nsfw") if top.get(key) is not None
        })
    title = f"<title>{markup.escape(page.title)}</title>" if page.title else ""
    head = f'<!DOCTYPE html>\n<html><head><meta charset="utf-8">{title}</head>{MARK}\n'
    page.content = "\n".join([head, *shown, "</body></html>\n"]).encode()
    if not shown:
        page.content, page.error = None, "no-text"
        page.detail = f"all {len(posts)} posts are empty or left out"
    elif len(page.content) > MAX_PAGE_BYTES:
        page.content, page.error = None, "too-large"
        page.detail = f"more than {MAX_PAGE_BYTES >> 20} MiB"
    return page


def _article(post: dict[str, Any], depth: int, text: str) -> str:
    kind = "t1" if post["parent"] is not None else "t3"
    told = {"id": f"{kind}_{post['id']}", "depth": depth, "time": _iso(post["time"]), "score": post["score"]}
    stated = " ".join(f'data-{key}="{value}"' for key, value in told.items() if value is not None)
    author = markup.escape(post["author"] or "")
    return f'<article {stated} data-author="{author}"><pre>\n{markup.escape(text)}</pre></article>'


def in_order(posts: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int]]:
    """(post, depth) of every post once: the submission, then each comment before its answers, answers in order of time.

    A comment whose parent is absent stands below the submission; so does the first of a ring of comments that answer each other.
    """
    comments = sorted((post for post in posts if post["parent"] is not None), key=_order)
    known = {post["id"] for post in comments}
    answers: dict[str, list[dict[str, Any]]] = {}
    for post in comments:
        answers.setdefault(post["parent"] if post["parent"] in known else "", []).append(post)
    for post in posts:
        if post["parent"] is None:
            yield post, 0
    seen: set[str] = set()
    for start in (*answers.get("", ()), *comments):
        waiting = [(start, 1)]
        while waiting:
            post, depth = waiting.pop()
            if post["id"] in seen:
                continue
            seen.add(post["id"])
            yield post, depth
            waiting += [(answer, depth + 1) for answer in reversed(answers.get(post["id"], ()))]


def _order(post: dict[str, Any]) -> tuple[int, int, str]:
    """By time, then by id, which counts up in base 36."""
    return (post["time"] or 0, len(post["id"]), post["id"])


def _iso(seconds: int | None) -> str | None:
    try:
        return (
            datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if seconds is not None
            else None
        )
    except (ValueError, OverflowError, OSError):
        return None
