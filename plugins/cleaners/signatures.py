r"""What stands under post after post and says nothing: signatures, and what programs and boards add.

Taken out are the lines below a line of "-- " at the end of a text (RFC 3676), "Sent from my iPhone" and its kin, "Last edited by X on …" and "Posted via Tapatalk"; and, in a dialogue, the last lines that one author
has under several posts, word for word. Precision first: a signature block is short, at the end, and never all of a post.

Rejected: guessing a signature from its look (a name, a motto, links) in one post alone: letters in stories end so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from plugins.cleaners.removal import ROUNDS, Spans, in_rounds
from plugins.contracts import Cleaner, Edit, Turn

BLOCK_LINES = 8
"""The most lines of a signature."""
BLOCK_CHARS = 600

Known = dict[str | None, set[str]]
"""Signatures by author."""

_DASHES = re.compile(r"^--[ \t]*$", re.MULTILINE)
_DEVICE = (
    r"iphone|ipad|ipod|android|galaxy|samsung|blackberry|pixel|nexus|xperia|huawei|xiaomi|oneplus|motorola|moto|htc|lg|nokia|kindle|tablet|phone|mobile|"
    r"tapatalk|mail|outlook|yahoo|proton\w*|sm-\w+|windows"
)
_STAMP = re.compile(
    r"^[ \t*_>~(\[-]{0,6}(?:"
    rf"sent (?:from|via|by|using) (?:my |the |a |an )?(?:[^\n.]{{0,40}}\b)?(?:{_DEVICE})\b[^\n]{{0,60}}"
    r"|(?:posted|sent|gesendet|envoyé|enviado) (?:from|via|using|with|von|mit|de|desde) [^\n]{0,40}(?:tapatalk|forum runner|mobile|iphone|ipad|android)\b[^\n]{0,40}"
    r"|(?:this post (?:was|has been) )?(?:last )?edited (?:by|on) [^\n]{1,60}?(?:\b(?:on|at)\b|[;,:]|\d)[^\n]{0,80}"
    r"|last edited:? [^\n]{0,20}\d[^\n]{0,60}"
    r"|edited \d[^\n]{0,30} (?:time|ago|by)[^\n]{0,80}"
    r"|get outlook for (?:ios|android)[^\n]{0,40}"
    r")[ \t*_)\]]*$",
    re.IGNORECASE | re.MULTILINE,
)
_HINTS = re.compile(r"(?i)\b(?:sent|posted|edited|gesendet|envoyé|enviado|outlook for)\b")
_NEEDLES = ("ent ", "osted ", "dited", "esendet", "envoy", "nviado", "utlook for", "ENT ", "OSTED ", "DITED")
_SPEECH = re.compile(r"[\"“”«»]")
_DATED = re.compile(r"\d")


class Signatures(Cleaner):
    r"""Removes signatures and the marks of programs.

    >>> Signatures().clean("See you there.\n\nSent from my iPhone")  # See you there.
    [Edit(start=14, end=35, after='')]
    """

    name = "signatures"
    kernels: ClassVar[tuple[str, ...]] = ("plugins.cleaners.removal",)
    learned: bool = True
    """In a dialogue, also remove the last lines that one author has under several posts."""
    min_posts: Annotated[int, Field(ge=2)] = 3
    """So many posts of one author, and half of them, must end in the same lines for these to be a signature."""

    def clean(self, text: str) -> list[Edit]:
        """One edit for each signature and mark, with the white space that it leaves."""
        return in_rounds(text, _marked) if _may_be_signed(text) else []

    def clean_messages(self, messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
        """As `clean`, and the last lines that an author repeats."""
        names = [message["name"] for message in messages]
        texts = [message["content"] or "" for message in messages]
        known: Known = {}
        edits = [self.clean(text) for text in texts]
        for _ in range(ROUNDS if self.learned else 0):
            found = _repeated(
                names, [_left(*pair) for pair in zip(texts, edits, strict=True)], self.min_posts
            )
            if not found:
                break
            known = {name: known.get(name, set()) | found.get(name, set()) for name in {**known, **found}}
            edits = [_signed(text, known.get(name, set())) for name, text in zip(names, texts, strict=True)]
        else:
            edits = [self.clean(text) for text in texts]
        return [Turn(content=made) for made in edits]


def _signed(text: str, known: set[str]) -> list[Edit]:
    return in_rounds(text, lambda now: _marked(now) or _trailing(now, known))


def _may_be_signed(text: str) -> bool:
    return "--" in text or any(needle in text for needle in _NEEDLES)


def _marked(text: str) -> Spans:
    """Blocks and stamps, unless nothing else is there."""
    if not _may_be_signed(text):
        return []
    spans = [
        match.span()
        for match in (_STAMP.finditer(text) if _HINTS.search(text) else ())
        if not _SPEECH.search(match[0]) and _is_at_end(text, match)
    ]
    end = len(text.rstrip())
    dashes = [match.start() for match in _DASHES.finditer(text, max(0, end - BLOCK_CHARS), end)]
    for start in dashes[-1:]:
        block = text[start:end]
        if (
            1 <= block.count("\n") <= BLOCK_LINES
            and "```" not in block
            and not _SPEECH.search(block)
            and text[:start].strip()
        ):
            spans.append((start, end))
    return spans


def _is_at_end(text: str, match: re.Match[str]) -> bool:
    """Whether a stamp ends its post or its paragraph, or bears a date: a sentence of a story does not."""
    behind = text[match.end() : match.end() + 2]
    last = text[match.start() : match.end()].rstrip(" \t*_)]")[-1:]
    before = text[max(0, match.start() - 2) : match.start()]
    return (
        (not behind.strip() and (len(behind) < 2 or behind == "\n\n"))
        and (before in {"", "\n\n"} or before.endswith("\n"))
        and (last not in ",;!?" or bool(_DATED.search(match[0])))
        and len(match[0].split()) <= 16
    )


# ------------------------------------------------------------------------------------------------ an author's own


def _repeated(names: Sequence[str | None], texts: Sequence[str], least: int) -> Known:
    """By author, the last lines that end `least` of their posts and half of them."""
    counts: dict[str | None, Counter[str]] = {}
    for name, text in zip(names, texts, strict=True):
        if name:
            counts.setdefault(name, Counter()).update(_tails(text))
    posts = Counter(names)
    often = {
        name: {tail for tail, n in found.items() if n >= least and 2 * n >= posts[name]}
        for name, found in counts.items()
    }
    return {name: tails for name, tails in often.items() if tails}


def _tails(text: str) -> list[str]:
    """The ends of a post that may be a signature, shortest first: under a blank line or a rule, with something left above."""
    body = text.rstrip()
    lines = body[-BLOCK_CHARS:].split("\n")
    tails: list[str] = []
    for count in range(1, min(BLOCK_LINES, len(lines) - 2) + 1):
        block, above = lines[-count:], lines[-count - 1]
        if block[0].strip() and not above.strip(" \t_-=*~"):
            tail = "\n".join(block)
            if len(tail.split()) > 1 and not _SPEECH.search(tail) and body[: -len(tail)].strip(" \t\n_-=*~"):
                tails.append(tail)
    return tails


def _trailing(text: str, known: set[str]) -> Spans:
    """The longest end of a post that is known."""
    found = [tail for tail in _tails(text) if tail in known] if known else []
    if not found:
        return []
    end = len(text.rstrip())
    return [(end - len(found[-1]), end)]


def _left(text: str, edits: Sequence[Edit]) -> str:
    pieces, at = [], 0
    for edit in edits:
        pieces.append(text[at : edit.start])
        at = edit.end
    return "".join([*pieces, text[at:]])
