r"""How much a few words sound like the writer and not like the story: a sum of weights, nothing learned.

FORMS says what the outside of a candidate is worth: how it is set apart from the post. WORDS, PHRASES and SIGNS, in `ooc_words`, say what its words are worth: each feature counts once,
and half again if it occurs twice or more. CONTEXT compares it with the rest of the post. An aside is what reaches the threshold. The weights
were set by hand on `bench/labels/ooc.json` and `roleplay_posts.jsonl` (the half kept aside only after it had been scored), on asides and narrators made up for it, on ordinary forums and on five novels in which nothing may go, and are round on purpose: they are to be read and argued with.

Words between quotation marks and asterisks are somebody's in the story, so no feature sees them. Rejected: a trained classifier, for want of labels
(60 asides) and because nobody could say why it cut a line; a language model, for its price per page.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from plugins.cleaners.ooc_words import PHRASES, SIGNS, WORDS

THRESHOLD = 3.0

FORMS = {
    "marked": 9.0,  # says it is out of character: "OOC:", "(ooc …)", "[OT]", "Mod note:", "CW:"
    "double": 4.5,  # ((…)) on lines of its own
    "double-inside": 3.0,  # the same between two sentences
    "double-square": 1.5,  # [[…]], {{…}}, *((…))* on lines of their own: telepathy, thoughts and machines speak so too
    "double-square-inside": 1.0,
    "slashes": 2.0,  # "// …", ">> … <<" on a line of its own
    "slashes-inside": 0.5,  # behind a sentence
    "footer": 2.0,  # "Tag: …", "Word count: …", "Notes: …" on a line of its own
    "edit": 1.0,  # "Edit: …"
    "bracket": 1.0,  # (…), […], {…} on lines of their own
    "bracket-inside": -0.5,  # between two sentences
    "wrapped": 1.0,  # "~ … ~", "- … -", "<< … >>", the first or last line of a post
    "last": 0.0,  # the last lines of a post, unmarked
    "first": -0.5,
}

CONTEXT = {
    "person": 1.5,  # says "I", "my" or "you", where the rest never does outside speech
    "small": 1.0,  # begins without a capital, or does not end a sentence, in a post that does both
    "casual": 1.0,  # "don't", "I'm" or "!", where the rest never has them outside speech
    "now": 1.0,  # "I'm", "you're", "let's" below a story told in the past
    "i": 1.5,  # "i", in a post that never writes it so
    "story": 0.5,  # the rest has speech between quotation marks, actions between asterisks, or a he or she
    "no story": -4.0,  # it has none of these: an ordinary forum, where the writer is the voice
    "bare story": -1.0,  # none of these, but no "I", "you", address or number either
    "same voice": -2.0,  # the rest itself sounds like the writer
    "read out": -6.0,  # what stands before it speaks of a letter, a screen or a voice
    "document": -3.0,  # the post is a letter, log, diary, tape, sheet or chat
    "story thread": 2.5,  # a whole post, where most others of the thread are of a story
    "plain thread": -8.0,  # a whole post, where few are
    "plain post": -3.0,  # a part of a post in such a thread
    "brief": 1.0,  # and it has at most BRIEF words
    "talk": 2.0,  # such a post, where something in it only a writer says, and nothing is told
    "transcript": 3.5,  # a turn of speech as a whole, with `spoken`
    "alone": -3.0,  # nothing else is in the post: there is nothing to compare it with
}

REACH = sum(CONTEXT[name] for name in ("person", "small", "i", "casual", "now"))
"""The most that context can add, but for a story."""
WEAK = frozenset({"self", "when", "sorry", "all", "everyone", "opener"})
"""Features that any narrator may have: of the others, an unmarked paragraph needs OWN, or OWN_BRIEF where it has no more than BRIEF words."""
OWN, OWN_BRIEF, BRIEF = 2.0, 1.0, 30
MOST = REACH + CONTEXT["story"]

_WORDS = {word: (name, weight) for name, weight, words in WORDS for word in words.split()}
_PHRASES = [
    (name, weight, frozenset(words.split()), re.compile(pattern)) for name, weight, words, pattern in PHRASES
]
_SIGNS = [
    (name, weight, re.compile(f"[{re.escape(marks)}]"), re.compile(pattern))
    for name, weight, marks, pattern in SIGNS
]
_TOKEN = re.compile(r"[\w']+")
_VOICED = re.compile(r"\"[^\"\n]{0,2000}\"|“[^”\n]{0,2000}”|«[^»\n]{0,2000}»|(?<!\*)\*[^*\n]{1,2000}\*(?!\*)")
_DOCUMENT = re.compile(
    r"^\W*(?:(?:[\w'’]+ ){0,2}(?:log|diary|journal|notebook|addendum|tape|statement|transcript|section|memo|telegram)\b(?-i:[ A-Z0-9,.:—-])|day \d+|dear(?:est)?\s|my dear\b|"
    r"to (?:the|whom|my)\b[^\n]*\n|from the (?:note|log|diar|journal|files)\w*)|^<\w+>|^\[\d\d?:\d\d|^\w+,$|^\[(?!ooc|ot\b)[^\]\n]{1,24}\][^\n]+\n\[(?!ooc|ot\b)[^\]\n]{1,24}\]",
    re.IGNORECASE | re.MULTILINE,
)
_CHAT = re.compile(
    r"^\[(?!ooc|ot\b)[^\]\n]{1,24}\][^\n]+\n\[(?!ooc|ot\b)[^\]\n]{1,24}\]", re.IGNORECASE | re.MULTILINE
)
"""Names in brackets before what each says: a chat of the story."""
_MEANT = re.compile(
    r"\b(?:you|your|yours|you['’]re|we|us|our|let['’]s|every(?:one|body)|any(?:one|body)|some(?:one|body)|no(?:body| one)|guys|folks|all|please|pls|thanks|thank|welcome|sorry|apologies)\b|[@!]",
    re.IGNORECASE,
)
"""Somebody is spoken to, or asked."""
_SET_APART = frozenset("([{/~<>-*=")
_LOG = re.compile(r"\W*(?:\w+ ){0,2}(?:log|diary|journal|memo|entry)\b ?[\d:]", re.IGNORECASE)
_I = re.compile(r"(?<![\w'’.*])i(?![\w*.-])")
_PERSON = re.compile(r"\b(?:I|i|my|My|me|you|You|your|Your|we|We|our|us)\b(?!['’]?\s*(?:/|-))")
LIVES = frozenset({"life", "away"})
"""Features that a narrator of today may have where nothing else is in the post."""
CRAFT = frozenset({"ooc", "thread", "net", "brb", "pen", "short", "turns", "pages", "tags", "dice", "card"})
"""Features of writing and of forums themselves."""
TELLS = frozenset({"past", "told", "they", "spoken", "radio", "moved"})
"""Features of a story."""
_TALK = re.compile(r"\b(?:I|i|my|My|me|you|You|your|Your)\b|https?:|www\.|@|\d{2}|[:;]-?\)")
_OWN = ("thread", "net", "thanks", "play", "short", "all", "face", "life")
_STORY = re.compile(
    r"[.,!?…—-][\"”]|[\"“][A-Z][^\"”\n]{8,}|(?<![\w*])\*\w[^*\n]* [^*\n]*\*(?!\*)|\b(?:he|she|his|her|him|hers|herself|himself)\b",
    re.IGNORECASE,
)
_CASUAL = re.compile(r"(?:n['’]t|['’](?:m|ve|ll|re)|\b(?:it|that|there|he|she|what)['’]s)\b|!", re.IGNORECASE)
_NOW = re.compile(
    r"\b(?:I['’]?(?:m|ve|ll)|I (?:am|have|think|can|will|hope|love|need|want|don['’]t)|im|ive|you['’]re|you can|you['’]ll|we['’]re|let['’]s|we can)\b",
    re.IGNORECASE,
)
_PAST = re.compile(r"\b(?:was|were|had|did|said|went|came|took|\w{2,}ed)\b", re.IGNORECASE)
_IS = re.compile(r"\b(?:is|are|am|has|does)\b|['’](?:m|re)\b", re.IGNORECASE)
READ = re.compile(
    r"\b(?:letters?|notes?|message|text(?:ed|s)?|screen|read|reads|wrote|written|scrawled|diary|journal|envelope|inbox|e?mail|parchment|radio|speakers?|poster|notice|postcard|telegram|typed|tape|record(?:ing|er)|phone|buzz\w*|ping(?:s|ed)|tannoy|mic|microphone|intercom|headset|comms?|loudspeaker|crackl\w+|minutes|lipstick|fridge|answerphone|machine|app|chat|feed|profile|browser)\b|:\s*$",
    re.IGNORECASE,
)
"""What stands before a text that is read, heard or written in the story."""
BESIDE = 1500
"""Characters of the rest of a post that are looked at, on each side."""
PER_TRACE = 500
TOLD = -2.5
"""Words that say so much of a story are not looked at further."""
LONG = 60
"""Words from which on chance begins to find features."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sum and what it is of."""

    total: float
    parts: dict[str, float]


@lru_cache(maxsize=64)
def words_score(content: str) -> Scored:
    """What the words are worth, without their form and their context."""
    plain = _VOICED.sub("\x00", content) if any(mark in content for mark in '"“«*') else content
    low = plain.lower().replace("’", "'")
    tokens = _TOKEN.findall(low)
    counts: Counter[str] = Counter()
    weights: dict[str, float] = {}
    for word in tokens:
        if word in _WORDS:
            name, weights[_WORDS[word][0]] = _WORDS[word]
            counts[name] += 1
    long = max(0.0, (len(tokens) - LONG) / 40)
    if sum(weights[name] * (1.5 if n > 1 else 1) for name, n in counts.items()) - long <= TOLD:
        counts = Counter({name: n for name, n in counts.items() if name in TELLS})
        parts = {name: weights[name] * (1.5 if n > 1 else 1) for name, n in counts.items()}
        return Scored(sum(parts.values()), parts)
    known = frozenset(tokens)
    for name, weight, words, pattern in _PHRASES:
        if not words.isdisjoint(known):
            counts[name] += len(pattern.findall(low))
            weights[name] = weight
    for name, weight, marks, pattern in _SIGNS:
        if marks.search(plain):
            counts[name] += len(pattern.findall(plain))
            weights[name] = weight
    parts = {name: weights[name] * (1.5 if n > 1 else 1) for name, n in counts.items() if n}
    if long:
        parts["long"] = -long
    return Scored(sum(parts.values()), parts)


def context_score(content: str, rest: str, enough: float = -math.inf) -> Scored:
    """What it is worth to stand beside `rest`, the post without it; what it cannot reach `enough` by is not looked for."""
    parts: dict[str, float] = {}
    if not rest.strip():
        if _DOCUMENT.search(content):
            parts["document"] = (
                2 * CONTEXT["document"]
            )  # a letter says "sorry", "tomorrow" and "dinner" of itself
        parts["alone"] = CONTEXT["alone"]
        return Scored(sum(parts.values()), parts)
    kind = "story" if is_story(rest) else "bare story" if _is_bare(rest) else "no story"
    parts[kind] = CONTEXT[kind]
    if parts[kind] + REACH < enough:
        return Scored(parts[kind], parts)
    if _I.search(content) and not _I.search(rest):
        parts["i"] = CONTEXT["i"]
    told, own_voice = _VOICED.sub(" ", rest), _VOICED.sub(" ", content)
    if _PERSON.search(own_voice) and not _PERSON.search(told):
        parts["person"] = CONTEXT["person"]
        plain = content.strip()[:1] not in _SET_APART
        if plain and _NOW.search(own_voice) and _PAST.search(told) and not _IS.search(told):
            parts["now"] = CONTEXT["now"]
        if plain and _CASUAL.search(own_voice) and not _CASUAL.search(told):
            parts["casual"] = CONTEXT["casual"]
    inner = content.strip(" \t\n()[]{}*_~/<>")
    last = rest.rstrip()[-1:]
    if (
        rest.lstrip(' \t\n"“*')[:1].isupper()
        and last in '.!?…"”*'
        and (inner[:1].islower() or inner[-1:].isalpha())
    ):
        parts["small"] = CONTEXT["small"]
    if sum(parts.values()) < enough:
        return Scored(sum(parts.values()), parts)
    if _DOCUMENT.search(rest) or _CHAT.search(content) or _LOG.match(content):
        parts["document"] = CONTEXT["document"] * (2 if _LOG.match(content) else 1)
    own = words_score(rest[:BESIDE]).parts
    if sum(own.get(name, 0) for name in _OWN) >= 2.0:
        parts["same voice"] = CONTEXT["same voice"]
    return Scored(sum(parts.values()), parts)


def brief_score(content: str) -> float:
    """What it is worth for a whole post to be short, and to begin small."""
    small = CONTEXT["small"] if content.lstrip()[:1].islower() else 0.0
    said, words = words_score(content).parts, len(content.split())
    needed = OWN + len(TELLS & said.keys()) + (0.0 if words <= BRIEF else OWN)
    own = own_sum({name: weight for name, weight in said.items() if name not in LIVES})
    own += said.get("opener", 0.0) - max(0.0, said.get("net", 0.0) - OWN)
    meant = _MEANT.search(content) or not CRAFT.isdisjoint(said)
    talk = (
        CONTEXT["talk"] if meant and words <= 2 * BRIEF and own >= needed and "\n\n" not in content else 0.0
    )
    return small + talk + (CONTEXT["brief"] if words <= BRIEF else 0.0)


def own_words(content: str) -> bool:
    """Whether a paragraph that nothing sets apart says enough that a narrator would not."""
    return own_sum(words_score(content).parts) >= (OWN_BRIEF if len(content.split()) <= BRIEF else OWN)


def own_sum(said: dict[str, float]) -> float:
    """What those features are worth together that a narrator would not have."""
    return sum(weight for name, weight in said.items() if weight > 0 and name not in WEAK)


def is_story(text: str) -> bool:
    """Whether somebody speaks or acts in it, or is a he or a she: once, and once more for every PER_TRACE characters."""
    needed = 1 + len(text) // PER_TRACE
    return sum(1 for _ in islice(_STORY.finditer(text), needed)) == needed


def _is_bare(text: str) -> bool:
    """Whether something is told, by nobody who shows."""
    return not _TALK.search(told := _VOICED.sub(" ", text)) and _PAST.search(told) is not None


def thread_context(posts: Sequence[str]) -> list[float]:
    """For each post of a thread, what the others add to it being an aside as a whole: nothing where they are fewer than three."""
    stories = [is_story(post[: 2 * BESIDE]) for post in posts]
    others, told = len(posts) - 1, sum(stories)
    shares = [(told - own) / others if others >= 3 else None for own in stories]
    return [
        0.0
        if share is None or 0.3 <= share < 0.5
        else CONTEXT["story thread" if share >= 0.5 else "plain thread"]
        for share in shares
    ]
