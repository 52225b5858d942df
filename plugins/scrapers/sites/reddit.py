"""Reddit, the old pages (`div.thing`) and the new (`shreddit-post`, `shreddit-comment`).

A saved new page holds the post and, where its scripts ran, the comments; old pages hold both.
"""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, has

THREADS = (r"/comments/(?P<thread>[a-z0-9]+)(?:/[^/?]*)?",)
BOARDS = (r"/r/[^/?]+(?:/(?:new|hot|top|rising))?",)

OLD_REDDIT = Engine(
    name="old-reddit",
    marks=(f"//div[({has('thing')}) and starts-with(@id, 'thing_')]",),
    posts=(
        f"//div[@id='siteTable']/div[{has('thing')}] | //div[{has('commentarea')}]//div[({has('thing')}) and ({has('comment')})]",
    ),
    body=(
        f"./div[{has('entry')}]/form//div[{has('md')}]",
        f"./div[{has('entry')}]//div[{has('usertext-body')}]",
        f"self::*[{has('link')}]/div[{has('entry')}]//a[{has('title')}]",
    ),
    author=("@data-author", f"./div[{has('entry')}]//a[{has('author')}]"),
    time=(
        f"./div[{has('entry')}]/*[{has('tagline')}]//time/@datetime",
        f"./div[{has('entry')}]//time/@datetime",
    ),
    votes=("@data-score", f"./div[{has('entry')}]//*[{has('score')} and {has('unvoted')}]/@title"),
    threads=THREADS,
    boards=BOARDS,
)

REDDIT = Engine(
    name="reddit",
    marks=("//shreddit-post", "//shreddit-comment"),
    posts=("//shreddit-post | //shreddit-comment",),
    body=(
        "./*[@slot='text-body']",
        "./*[@slot='comment']",
        "./*[@slot='title']",
    ),
    author=("@author",),
    time=("@created-timestamp", "@created", ".//faceplate-timeago/@ts"),
    votes=("@score",),
    drop=(".//*[@slot='credit-bar' or @slot='commentMeta' or @slot='actionRow']",),
    threads=THREADS,
    boards=BOARDS,
)
