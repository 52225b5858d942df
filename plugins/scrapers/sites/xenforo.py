"""XenForo 1 and 2, and the skin of XenForo 2 whose posts are cards (class MessageCard).

XenForo 2 marks its pages with `<html id="XF">`, XenForo 1 with `<html id="XenForo">`.
"""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, has

CLASSES = has("message--post", "MessageCard", "message--article", "message-threadStarterPost")

XENFORO = Engine(
    name="xenforo",
    marks=("//html[@id='XF' or @id='XenForo']", "//html[@data-xf or @data-app='public'][@data-template]"),
    posts=(
        f"//*[self::article or self::div][({CLASSES}) and (starts-with(@id, 'js-post-') or starts-with(@data-content, 'post-'))]",
        f"//li[({has('message')}) and starts-with(@id, 'post-')]",
    ),
    body=(
        f".//article[{has('message-body')}]/div[{has('bbWrapper')}]",
        f".//*[{has('message-body')}]",
        f".//blockquote[{has('messageText')}]",
        f".//div[{has('bbWrapper')}]",
    ),
    author=(
        "@data-author",
        f".//*[{has('MessageCard__user-info__name')}]",
        f".//*[{has('message-name')}]",
        f".//*[{has('username')}]",
    ),
    time=(
        f".//*[{has('message-attribution-main', 'MessageCard__date-created')}]//time/@datetime",
        f".//header[{has('message-attribution')}]//time/@datetime",
        f".//a[{has('datePermalink')}]/*/@title",
        f".//a[{has('datePermalink')}]",
        f".//*[{has('messageMeta')}]//*[{has('DateTime')}]/@title",
        f".//*[{has('messageMeta')}]//*[{has('DateTime')}]",
        ".//meta[@itemprop='datePublished']/@content",
    ),
    drop=(
        f".//*[{has('bbCodeBlock-expandLink', 'quoteExpand', 'messageTextEndMarker', 'AttributionLink', 'js-selectToQuoteEnd', 'bbCodeSpoiler-button')}]",
        f".//*[{has('message-signature', 'message-lastEdit', 'bbCodeBlock-shrinkLink')}]",
        f".//*[{has('bbCodeBlock--code')}]/*[{has('bbCodeBlock-title')}]",
        f".//*[{has('bbCodeCode')}]/*[{has('type')}]",
        # A link's preview is written by the page it leads to: its title stays.
        f".//*[{has('bbCodeBlock--unfurl')}]//*[{has('contentRow-snippet', 'contentRow-minor', 'contentRow-figure')}]",
    ),
    quote=(f".//*[{has('bbCodeQuote', 'bbCodeBlock--quote')}]",),
    threads=(r"[/?]threads/(?:[^/?]*\.)?(?P<thread>\d+)(?:/page-(?P<page>\d+))?",),
    boards=(r"[/?]forums/(?:[^/?]*\.)?\d+(?:/page-\d+)?",),
)
