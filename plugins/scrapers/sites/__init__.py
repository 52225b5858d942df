"""Forum engines as data, the order in which a page is tried against them, and what is done with a page of none.

An engine's name promises no more than its marks: a page that bears one and holds no post by its rules goes on to the next. After the
named engines come microdata (any site that marks its posts with schema.org) and siblings (blocks that repeat as posts do); a page
that these find nothing on has no posts, and is left to the general extractor.

The pages are the 111 of type forum in WCXB's dev set, saved as they were served:

    engine          known by                                                       real pages
    xenforo         <html id="XF">, <html id="XenForo">                            27 of version 2, 1 of version 1
    discourse       generator; div.crawler-post; .topic-post .cooked               18; 5 more are shells that hold no post
    invision        body.ipsApp; <html data-ips-…>; article#elComment_…            9, of versions 4 and 5
    nodebb          [component="topic"] [component="post"]                         3
    stack-exchange  div.question .js-post-body                                     12
    vbulletin3      #td_post_…                                                     2, one of a skin without tables
    vbulletin4      <html id="vbulletin_html">; li.postbit…                        1
    vbulletin5      li.b-post .js-post__content-text                               none: unproven
    mybb            div.post_body#pid_…                                            1
    smf             div.post_wrapper > div.poster                                  1 of version 2.1; 2.0 unproven
    old-reddit      div.thing#thing_…                                              1
    reddit          shreddit-post, shreddit-comment                                3, which hold the post and no comments: comments unproven
    punbb           div.blockpost .postmsg (FluxBB, PunBB)                         2 of FluxBB; PunBB unproven
    phpbb           body#phpbb; .post .postbody .content                           5 of version 3.2 and later; 3.0 unproven
    microdata       itemtype=".../DiscussionForumPosting", Comment, Question …     4 of no engine above
    siblings        rules of `siblings.py`                                         15 of no engine above

The rendered view of Discourse (a page saved after its scripts ran) is unproven too: all 18 hold the view for crawlers.
"""

from __future__ import annotations

from typing import Any

from plugins.scrapers.sites.discourse import DISCOURSE
from plugins.scrapers.sites.engine import Engine, Post, is_of, read
from plugins.scrapers.sites.invision import INVISION
from plugins.scrapers.sites.microdata import MICRODATA
from plugins.scrapers.sites.mybb import MYBB
from plugins.scrapers.sites.nodebb import NODEBB
from plugins.scrapers.sites.phpbb import PHPBB, PUNBB
from plugins.scrapers.sites.reddit import OLD_REDDIT, REDDIT
from plugins.scrapers.sites.siblings import siblings
from plugins.scrapers.sites.smf import SMF
from plugins.scrapers.sites.stack_exchange import STACK_EXCHANGE
from plugins.scrapers.sites.vbulletin import VBULLETIN_3, VBULLETIN_4, VBULLETIN_5
from plugins.scrapers.sites.xenforo import XENFORO

ENGINES: tuple[Engine, ...] = (
    XENFORO, DISCOURSE, INVISION, NODEBB, STACK_EXCHANGE, VBULLETIN_4, VBULLETIN_5, VBULLETIN_3, MYBB, SMF, OLD_REDDIT, REDDIT,
    PUNBB, PHPBB,
)  # fmt: skip
"""In the order they are tried: those first whose marks no other engine's page can bear by chance."""


def posts_of(tree: Any, *, keep_quotes: bool = True) -> tuple[str | None, list[Post]]:
    """Who found posts on a page, and the posts in order; (None, []) where there are none."""
    for engine in ENGINES:
        if is_of(engine, tree) and (posts := read(engine, tree, keep_quotes=keep_quotes)):
            return engine.name, posts
    # One item may be a page's only comment or its article; a thread has two.
    if is_of(MICRODATA, tree) and len(posts := read(MICRODATA, tree, keep_quotes=keep_quotes)) > 1:
        return MICRODATA.name, posts
    posts = siblings(tree, keep_quotes=keep_quotes)
    return ("siblings" if posts else None), posts
