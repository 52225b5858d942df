"""Invision Community 4 (`article.cPost`) and 5 (`article.ipsEntry`)."""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, has

INVISION = Engine(
    name="invision",
    marks=(
        f"//body[{has('ipsApp')}]",
        "//html[@data-ips-path or @data-ips-scheme]",
        "//article[starts-with(@id, 'elComment_')]",
    ),
    posts=("//article[starts-with(@id, 'elComment_')]", f"//article[{has('cPost', 'ipsComment')}]"),
    body=(
        ".//*[@data-role='commentContent']",
        f".//*[{has('ipsRichText')}]",
        f".//*[{has('cPost_contentWrap')}]",
    ),
    author=(
        f".//*[{has('ipsEntry__username')}]//a",
        f".//*[{has('ipsEntry__username')}]",
        f".//*[{has('cAuthorPane_author')}]//a",
        f".//*[{has('cAuthorPane_author')}]",
        f".//*[{has('ipsComment_author')}]//h3//a",
        f".//*[{has('ipsComment_author')}]//h3",
    ),
    time=(
        f".//*[{has('ipsEntry__header', 'ipsComment_meta', 'ipsType_reset')}]//time/@datetime",
        ".//time/@datetime",
    ),
    drop=(
        f".//*[{has('ipsSignature', 'ipsEntry__signature', 'ipsItemControls', 'ipsType_editedBy', 'ipsEdited')}]",
        ".//*[@data-role='memberSignature' or @data-role='reactionCount']",
        ".//*[self::span or self::p or self::div][@data-excludequote]",
    ),
    quote=(f".//*[{has('ipsQuote')}]",),
    threads=(r"/topic/(?P<thread>\d+)-[^/?&]*/?(?:(?:page/|[?&](?:.*&)?page=)(?P<page>\d+))?",),
    boards=(r"/forum/\d+-[^/?&]*/?(?:(?:page/|[?&](?:.*&)?page=)\d+)?",),
)
