"""Discourse: the page for crawlers (`div.crawler-post`, in `noscript` for a browser) and a page saved after its scripts ran.

Where both stand in a page, the rendered one holds few posts (those on screen), so the crawlers' view goes first.
"""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, generator, has

DISCOURSE = Engine(
    name="discourse",
    marks=(
        generator("Discourse"),
        f"//div[{has('crawler-post')}]",
        f"//*[{has('topic-post')}]//*[{has('cooked')}]",
    ),
    posts=(
        f"//div[{has('crawler-post')}]",
        f"//*[{has('topic-post')}]//article[@data-post-id]",
        f"//*[{has('topic-post')}]",
    ),
    body=(f".//div[({has('post')}) and @itemprop]", f".//*[{has('cooked')}]", f".//div[{has('post')}]"),
    author=(
        f".//*[{has('creator')}]//*[@itemprop='name']",
        f".//*[{has('creator')}]",
        f".//*[{has('names')}]//*[{has('username')}]//a",
        f".//*[{has('names')}]//a[@data-user-card]",
    ),
    time=(
        f".//*[{has('crawler-post-infos')}]//time/@datetime",
        f".//*[{has('post-time')}]/@datetime",
        f".//*[{has('relative-date')}]/@title",
        f".//*[{has('post-date')}]//@title",
    ),
    drop=(
        f".//*[{has('lightbox-wrapper')}]//*[{has('meta')}]",
        f".//*[{has('quote-controls', 'badge', 'clicks', 'expand-ancestors', 'cooked-selection-barrier')}]",
        # A link's preview is written by the page it leads to: its title stays.
        f".//aside[{has('onebox')}]//*[({has('onebox-body')})]/*[not(self::h3 or self::h4)]",
        f".//aside[{has('onebox')}]//header",
    ),
    quote=(f".//aside[{has('quote')}]",),
    votes=(
        ".//meta[@itemprop='userInteractionCount'][preceding-sibling::meta[contains(@content, 'LikeAction')]]/@content",
        f".//*[{has('post-likes')}]",
    ),
    threads=(r"/t/(?:[^/?]+/)?(?P<thread>\d+)(?:/\d+)?(?:\?(?:.*&)?page=(?P<page>\d+))?",),
    boards=(r"/c/[^?]+/\d+(?:/l/latest)?(?:\?(?:.*&)?page=\d+)?", r"/latest(?:\?(?:.*&)?page=\d+)?"),
)
