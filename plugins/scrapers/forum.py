"""Forum threads: the posts of a page, in order, by author. Works on saved pages (`path`) and on live sites (`seeds`).

    [[source]]                              [[source]]
    use = "forum"                           use = "forum"
    path = "threads/**/*.html"              seeds = ["https://forum.example/boards/cooking/"]
                                            crawl = { contact = "mailto:me@example.org", max_pages = 5000 }

Which engines are known, by what marks, and which are proven on real pages: `plugins/scrapers/sites/__init__.py`. A page on which no posts
are found is left to the recipe's extractor.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from plugins.contracts import Extracted
from plugins.scrapers.sites.engine import byline
from plugins.scrapers.sites.saved import ThreadPages

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")


class Forum(ThreadPages):
    """Threads of XenForo, Discourse, phpBB, vBulletin, Invision, NodeBB, SMF, MyBB, Reddit and Stack Exchange, and of others by their shape."""

    name: ClassVar[str] = "forum"

    quotes: Literal["keep", "drop"] = "keep"
    """What a post quotes of others: kept as Markdown lines that begin with "> ", or left out."""
    byline: Literal["author", "author-time", "none"] = "author"
    """What stands above each post in the text. Messages have the author apart, in `name`."""

    def parse(self, html: str) -> Extracted:
        """The posts as messages of role "user", and as one text, blank lines between; None where the page has none."""
        from plugins.scrapers.sites import posts_of
        from plugins.scrapers.sites.tree import parsed

        tree = parsed(html)
        posts = [] if tree is None else posts_of(tree, keep_quotes=self.quotes == "keep")[1]
        if not posts:
            return Extracted(None)
        first = posts[0]
        return Extracted(
            "\n\n".join(byline(post.author, post.time, self.byline) + post.content for post in posts),
            messages=[{"role": "user", "name": p.author, "content": p.content, "train": True} for p in posts],
            author=first.author,
            published=first.time if first.time and _ISO.fullmatch(first.time) else None,
        )
