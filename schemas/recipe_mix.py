"""The recipe's [mix] section: how much of each source, site, author and thread stays, of what dedup kept. Off by default.

Only down-sampling: no document is ever repeated. To show one more often is the trainer's `epochs`; a corpus in which a document stands
twice would break law 5.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.recipe_section import Section

KINDS = ("site", "author", "thread")
"""What can be capped: the host of the URL, the author within its source, the thread or work within its source."""


class Caps(Section):
    """At most so many documents each; a document that names none is never capped."""

    site: int | None = Field(None, ge=1)
    """Documents of one host, "www." aside, over all sources."""
    author: int | None = Field(None, ge=1)
    """Documents of one author of a source."""
    thread: int | None = Field(None, ge=1)
    """Documents of one thread or work of a source; a thread that was folded into one document counts as one."""


class Shares(Section):
    """At most such a share of the documents each, of those that are left when only this cap is at work."""

    site: float | None = Field(None, gt=0, le=1)
    """Share of one host, between 0 and 1."""
    author: float | None = Field(None, gt=0, le=1)
    """Share of one author of a source, between 0 and 1."""
    thread: float | None = Field(None, gt=0, le=1)
    """Share of one thread or work of a source, between 0 and 1."""


class Mix(Section):
    """How much of each source, site, author and thread stays. Nothing is repeated: it only drops, each document with a fate `mix`."""

    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Relative weight of a source's characters, 1 where none is given: { forum = 2.0 } makes two of each there for one elsewhere."""
    temperature: float = Field(1.0, ge=1)
    """A source of n characters and weight w gets a share proportional to w · n^(1/temperature): 1 leaves sizes as they are, 3.33 is what
    mT5 took for languages (Xue et al. 2021, section 3.2: α = 0.3), and the higher it is, the more equal sources become."""
    cap: Caps = Caps()
    """The most documents of one { site, author, thread }."""
    max_share: Shares = Shares()
    """The most that one { site, author, thread } may be of all documents."""
    seed: int = 7
    """Which documents are drawn."""

    @property
    def weighs(self) -> bool:
        """Whether sources are to have other shares than they have."""
        return bool(self.weights) or self.temperature > 1

    @property
    def active(self) -> bool:
        """Whether it can drop anything; where not, it is no part of a version's identity."""
        return self.weighs or self.cap != Caps() or self.max_share != Shares()
