"""Questions and their answers, best first: the question as the user's message, each answer as the assistant's.

Read, in this order: Stack Exchange; a schema.org QAPage in JSON-LD (Discourse and NodeBB state accepted answers so); Question and Answer
in microdata. Replies that nobody calls an answer are none: a plain thread is work for `forum`.

JSON-LD often holds the first words of an answer only. Where the page shows a post of that time and author, the post's text is taken; an
answer that ends in an ellipsis and has no such post is left out.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from plugins.contracts import Brings, Extracted
from plugins.scrapers.sites.saved import ThreadPages


class Qa(ThreadPages):
    """Question-and-answer pages: Stack Exchange, solved topics of Discourse, and every site that states schema.org's QAPage."""

    name: ClassVar[str] = "qa"

    min_votes: int | None = None
    """Leave out answers with fewer votes, or with none stated; an accepted one stays whatever its votes."""
    max_answers: Annotated[int | None, Field(ge=1)] = None
    """The best so many answers."""
    fold: Annotated[bool, Brings()] = False
    """Make one document of all pages of a question; each shows the question again."""

    def parse(self, html: str) -> Extracted:
        """The question, then its answers: accepted first, then by votes, then as the page has them.

        `metadata` has votes and acceptance of each message. `text` None for a page that asks no question. Raises ValueError for a question without an answer that counts: that page's fate.
        """
        from plugins.scrapers.sites.questions import question_of
        from plugins.scrapers.sites.tree import parsed

        tree = parsed(html)
        asked = None if tree is None else question_of(tree)
        if asked is None:
            return Extracted(None)
        question, answers = (
            asked.question,
            sorted(asked.answers, key=lambda a: (not a.accepted, -(a.votes or 0))),
        )
        kept = [
            a
            for a in answers
            if self.min_votes is None or a.accepted or (a.votes is not None and a.votes >= self.min_votes)
        ]
        kept = kept[: self.max_answers]
        if not kept:
            wanted = "" if self.min_votes is None else f" of {self.min_votes} votes or more"
            raise ValueError(f"the question has {len(answers)} answers, none{wanted} to train on")
        asking = "\n\n".join(part for part in (asked.title, question.content) if part)
        posts = [question, *kept]
        contents = [asking, *(answer.content for answer in kept)]
        return Extracted(
            "\n\n".join(contents),
            messages=[_message(n, p.author, c) for n, (p, c) in enumerate(zip(posts, contents, strict=True))],
            title=asked.title,
            author=question.author,
            published=question.published,
            metadata={"votes": [post.votes for post in posts], "accepted": [post.accepted for post in posts]},
        )


def _message(number: int, author: str | None, content: str) -> dict[str, Any]:
    asks = number == 0
    return {"role": "user" if asks else "assistant", "name": author, "content": content, "train": not asks}
