"""Any site that marks its posts with schema.org microdata: DiscussionForumPosting, Comment, Question, Answer.

Stands after the named engines in the table: where one of those is known, its own rules know more.
"""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine


def typed(*types: str) -> str:
    """An XPath condition: the element is an item of one of these schema.org types."""
    return " or ".join(f"contains(concat(@itemtype, ' '), 'schema.org/{name} ')" for name in types)


POSTS = "DiscussionForumPosting", "Comment", "UserComments", "Question", "Answer", "SocialMediaPosting"
TEXT = "@itemprop='text' or @itemprop='articleBody' or @itemprop='commentText'"

MICRODATA = Engine(
    name="microdata",
    marks=(
        f"//*[@itemscope][{typed('DiscussionForumPosting', 'Comment', 'UserComments', 'QAPage', 'Question')}]//*[{TEXT}]",
    ),
    posts=(f"//*[@itemscope][{typed(*POSTS)}]",),
    body=(f".//*[{TEXT}]",),
    author=(
        ".//*[@itemprop='author' or @itemprop='creator']//*[@itemprop='name'][not(self::meta)]",
        ".//*[@itemprop='author' or @itemprop='creator']//meta[@itemprop='name']/@content",
        ".//*[@itemprop='author' or @itemprop='creator']/descendant-or-self::*[self::a or not(*)]",
        ".//*[@itemprop='author' or @itemprop='creator']",
    ),
    time=(
        ".//*[@itemprop='dateCreated' or @itemprop='datePublished' or @itemprop='commentTime']/@*[name()='datetime' or name()='content']",
        ".//*[@itemprop='dateCreated' or @itemprop='datePublished' or @itemprop='commentTime']",
    ),
    answer=f"self::*[{typed('Answer')}]",
    accepted="self::*[@itemprop='acceptedAnswer']",
    votes=(".//*[@itemprop='upvoteCount']/@content", ".//*[@itemprop='upvoteCount']"),
)
