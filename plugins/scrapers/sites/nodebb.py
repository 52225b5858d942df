"""NodeBB, versions 1 to 4: `li[component="post"]`."""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine

NODEBB = Engine(
    name="nodebb",
    marks=("//*[@component='topic']//*[@component='post']",),
    posts=("//*[@component='post' and @data-pid]",),
    body=(".//*[@component='post/content']",),
    author=("@data-username", ".//*[@itemprop='author']//meta[@itemprop='name']/@content"),
    time=(".//meta[@itemprop='datePublished']/@content", ".//*[contains(@class, 'timeago')]/@title"),
    drop=(".//*[@component='post/signature' or @component='post/parent']",),
    threads=(r"/topic/(?P<thread>\d+)(?:/[^/?]+)?(?:/\d+)?(?:\?(?:.*&)?page=(?P<page>\d+))?",),
    boards=(r"/category/\d+(?:/[^/?]+)?(?:\?(?:.*&)?page=\d+)?",),
)
