"""Stack Exchange: `div.question` and `div.answer`, each with `.js-post-body` and a count of votes.

Comments under a post are remarks on it, not posts of the thread: they are left out.
"""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, has

SIGNED = f".//*[{has('post-signature')}]"
OWNER = f"({SIGNED})[last()]//*[{has('user-details')}]"

STACK_EXCHANGE = Engine(
    name="stack-exchange",
    marks=(f"//div[{has('js-question', 'question')}]//*[{has('js-post-body')}]",),
    posts=(
        f"//div[(({has('question')}) and @id='question') or (({has('answer')}) and starts-with(@id, 'answer-'))]",
    ),
    body=(f".//*[{has('js-post-body')}]", ".//*[@itemprop='text']"),
    author=(
        "@data-author-username",
        f"{OWNER}[@itemprop='author']//*[@itemprop='name']",
        f"{OWNER}/a",
        f"{OWNER}/span[@itemprop='name' or {has('d-none')}]",
        f"{OWNER}/text()",
    ),
    time=(f"({SIGNED})[last()]//*[{has('relativetime')}]/@title", ".//time/@datetime"),
    drop=(f".//*[{has('js-post-notices', 'question-status')}]",),
    answer="starts-with(@id, 'answer-')",
    accepted=f"self::*[{has('accepted-answer', 'js-accepted-answer')}]",
    votes=("@data-score", f".//*[{has('js-vote-count')}]/@data-value", f".//*[{has('js-vote-count')}]"),
    threads=(r"/questions/(?P<thread>\d+)(?:/[^?]*)?(?:\?(?:.*&)?page=(?P<page>\d+))?",),
    boards=(r"/questions(?:/tagged/[^/?]+)?(?:\?(?:.*&)?page=\d+)?",),
)
