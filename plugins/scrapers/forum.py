"""Forum threads: the posts of a page, in order, by author. Works on saved pages (`path`) and on live sites (`seeds`).

    [[source]]                              [[source]]
    use = "forum"                           use = "forum"
    path = "threads/**/*.html"              seeds = ["https://forum.example/boards/cooking/"]
                                            crawl = { contact = "mailto:me@example.org", max_pages = 5000 }

Which engines are known, by what marks, and which are proven on real pages: `plugins/scrapers/sites/__init__.py`. A page on which no posts
are found is left to the recipe's extractor.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from plugins.contracts import Extracted
from plugins.scrapers.sites.engine import byline
from plugins.scrapers.sites.saved import ThreadPages


class Forum(ThreadPages):
    """Threads of XenForo, Discourse, phpBB, vBulletin, Invision, NodeBB, SMF, MyBB, Reddit and Stack Exchange, and of others by their shape."""

    name: ClassVar[str] = "forum"

    quotes: Literal["keep", "drop"] = "keep"
    """What a post quotes of others: kept as Markdown lines that begin with "> ", or left out."""
    byline: Literal["author", "author-time", "none"] = "none"
    """What stands above each post, in the text and in its message. A message has the author apart too, in `name`."""

    def parse(self, html: str) -> Extracted:
        """The posts as messages of role "user", and as one text, blank lines between; None where the page has none."""
        from plugins.scrapers.sites import posts_of
        from plugins.scrapers.sites.tree import parsed

        tree = parsed(html)
        posts = [] if tree is None else posts_of(tree, keep_quotes=self.quotes == "keep")[1]
        if not posts:
            return Extracted(None)
        # A build makes the text of a document anew of its messages, once they are clean: what is not in them is in neither.
        contents = [byline(post.author, post.time, self.byline) + post.content for post in posts]
        return Extracted(
            "\n\n".join(contents),
            messages=[
                {"role": "user", "name": post.author, "content": content, "train": True}
                for post, content in zip(posts, contents, strict=True)
            ],
            author=posts[0].author,
            published=posts[0].published,
        )
