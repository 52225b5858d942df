"""vBulletin 3 (tables, or the `div` skins made of them), 4 (list of `li.postbit…`) and 5 (`li.b-post`).

All number the text of a post: `id="post_message_123"`. Version 5 has `div.js-post__content-text` instead.
"""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, has

THREADS = (
    r"showthread\.php\?(?:.*&)?t=(?P<thread>\d+)(?:.*&page=(?P<page>\d+))?",
    r"showthread\.php[/?](?P<thread>\d+)[^/]*(?:/page(?P<page>\d+))?",
    r"/(?P<thread>\d+)-[^/]*?(?:-(?P<page>\d+))?\.html",
    r"/threads?/(?P<thread>\d+)-[^/]*(?:/page(?P<page>\d+))?",
)
BOARDS = (r"forumdisplay\.php(?:\?(?:.*&)?f=|[/?])\d+[^/?&]*(?:/page\d+|&(?:.*&)?page=\d+)?",)

VBULLETIN_3 = Engine(
    name="vbulletin3",
    marks=(
        "//*[@id='posts']//*[starts-with(@id, 'td_post_')]",
        "//*[starts-with(@id, 'td_post_')]/*[starts-with(@id, 'post_message_')]",
    ),
    posts=(
        "//*[starts-with(@id, 'post') and number(substring(@id, 5)) > 0][.//*[starts-with(@id, 'post_message_')]]",
        "//*[starts-with(@id, 'edit')][.//*[starts-with(@id, 'post_message_')]]",
        "//*[starts-with(@id, 'td_post_')]",
    ),
    body=(".//*[starts-with(@id, 'post_message_')]",),
    author=(
        f".//*[{has('bigusername')}]",
        ".//*[starts-with(@id, 'postmenu_')]//a",
        ".//*[starts-with(@id, 'postmenu_')]",
    ),
    time=(
        f"(.//*[{has('thead')}])[1]/text()[normalize-space()]",
        f"(.//*[{has('thead')}])[1]/*[1]/text()[normalize-space()]",
        f"(.//*[{has('thead')}])[1]/*[1]",
    ),
    drop=(
        f".//*[{has('smallfont')}][following-sibling::*[1][self::table or self::pre]]",
        f".//*[{has('vbseo_buttons', 'post-thanks', 'signature')}]",
    ),
    quote=(f".//td[{has('alt2')}]", f".//*[{has('bbcode_quote', 'quotearea')}]"),
    threads=THREADS,
    boards=BOARDS,
)

VBULLETIN_4 = Engine(
    name="vbulletin4",
    marks=(
        "//html[@id='vbulletin_html']",
        f"//*[@id='postlist' or @id='posts']//li[{has('postbit', 'postbitlegacy', 'postcontainer')}]",
    ),
    posts=(f"//li[({has('postcontainer', 'postbit', 'postbitlegacy')}) and starts-with(@id, 'post_')]",),
    body=(
        f".//blockquote[({has('postcontent')}) and not({has('lastedited')})]",
        ".//*[starts-with(@id, 'post_message_')]",
    ),
    author=(
        f".//*[{has('username_container')}]//*[{has('username')}]",
        f".//*[{has('username')}]",
        f".//*[{has('username_container')}]",
    ),
    time=(f".//*[{has('postdate')}]//*[{has('date')}]", f".//*[{has('postdate')}]"),
    drop=(
        f".//*[{has('bbcode_description', 'after_content', 'signaturecontainer', 'lastedited', 'bbcode_quote_container')}]",
    ),
    quote=(f".//*[{has('bbcode_quote')}]",),
    threads=THREADS,
    boards=BOARDS,
)

VBULLETIN_5 = Engine(
    name="vbulletin5",
    marks=(f"//li[{has('b-post')}]//*[{has('js-post__content-text')}]",),
    posts=(f"//li[({has('b-post')}) and @data-node-id][.//*[{has('js-post__content-text')}]]",),
    body=(f".//*[{has('js-post__content-text')}]",),
    author=(
        f".//*[{has('author')}]//*[@itemprop='name']",
        f".//*[{has('author')}]//a",
        f".//*[{has('author')}]",
    ),
    time=(".//time/@datetime",),
    drop=(f".//*[{has('post-signature', 'b-post__edit-history', 'bbcode_description')}]",),
    quote=(f".//*[{has('bbcode_quote')}]",),
    threads=THREADS,
    boards=BOARDS,
)
