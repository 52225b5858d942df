r"""How much a few words sound like the writer and not like the story: a sum of weights, nothing learned.

FORMS says what the outside of a candidate is worth: how it is set apart from the post. WORDS, PHRASES and SIGNS say what its words are worth: each feature counts once,
and half again if it occurs twice or more. CONTEXT compares it with the rest of the post. An aside is what reaches the threshold. The weights
were set by hand on the dev half of `bench/labels/ooc.json` and `roleplay_posts.jsonl`, on asides made up for it and on five novels in which nothing may go, and are round on purpose: they are to be read and argued with.

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

THRESHOLD = 3.0

FORMS = {
    "marked": 9.0,  # says it is out of character: "OOC:", "(ooc …)", "[OT]", "Mod note:", "CW:"
    "double": 2.5,  # ((…)) on lines of its own
    "double-inside": 2.0,  # the same between two sentences
    "double-square": 1.5,  # [[…]], {{…}} on lines of their own: telepathy and machines speak so too
    "double-square-inside": 1.0,
    "slashes": 1.5,  # "// …", ">> … <<" on a line of its own
    "slashes-inside": 0.5,  # behind a sentence
    "edit": 1.0,  # "Edit: …"
    "bracket": 1.0,  # (…), […], {…} on lines of their own
    "bracket-inside": -0.5,  # between two sentences
    "wrapped": 1.0,  # "~ … ~", "- … -", "<< … >>", the first or last line of a post
    "last": 0.0,  # the last lines of a post, unmarked
    "first": -0.5,
}

_DAY = r"(?:mon|tues?|wednes|thu(?:rs)?|fri|sat(?:ur)?|sun)day|tues|fri|sat|tonight|tomorrow|tmrw|(?:the|this) weekend|next week"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday tues fri tonight tomorrow tmrw tonite"

WORDS: tuple[tuple[str, float, str], ...] = (
    ("ooc", 3.0, "ooc"),
    ("thread", 1.5, ("thread threads thread's post posts posted posting reply replies replied signup signups npc npcs plotting canon headcanon rp rping roleplay roleplaying forum "
     "forums mod mods topic upvote comment gm dm dms pm discord timeline retcon godmod godmodding powerplay metagaming cliffhanger starter app")),
    ("when", 0.5, _DAYS),
    ("net", 2.0, "lol lool loool lolol lmao lmaoo lmaooo lmfao rofl omg omfg brb afk bbl bbiab btw tbh fyi idk imo imho iirc pls plz thx xd gtg g2g ttyl haha hahaha hahahaha hehe heh tldr irl wip nvm ngl ikr smh"),
    ("told", -1.5, "said says asked asks replied whispered thought thinks answered murmured shouted muttered"),
    ("they", -1.0, "he she his her him"),
    ("sorry", 0.5, "sorry apologies"),
    ("self", 0.5, "i i'm i've i'll i'd im ive my me"),
    ("bye", 1.5, "bye zzz zzzz gnight goodnight g'night"),
    ("all", 1.5, "guys folks y'all yall everyone everybody"),
    ("dice", 2.5, "d20 1d20 2d6 1d6 d6 d100 dice initiative modifier modifiers nat20"),
)  # fmt: skip
"""Name, weight, words each of which is the feature."""

PHRASES: tuple[tuple[str, float, str, str], ...] = (
    ("ooc", 3.0, "character", r"\b(?:out of|not in) character\b"),
    ("short", 2.5, "sorry apology apologies apologise apologize forgive slow short bit",
     (r"\b(?:sorry|apolog(?:y|ies|i[sz]e)|forgive)\b[^.!?\n]{0,40}\b(?:short|brief|late|delay|wait|long|length|slow|rambl\w*|quality|english|typos?|spelling|double[- ]post\w*|repl(?:y|ies)|absence|silence|rushed|crappy?|spot)\b"
     r"|\bslow (?:repl|post|to)\w*|\bshort (?:one|post|reply)\b|\bbit (?:short|rushed)\b")),
    ("thread", 1.5, "sign sheet scene", r"\b(?:(?:this|next|end|our|opening) scene)\b|\bsign-ups?\b|\bcharacter sheet\b"),
    ("play", 2.0, ("dibs join play jump get too next i i'm i've i'd im know free me mind edit change fix adjust ok okay fine alright right grabs posts post cue turn kill npc replot plot proofread "
     "proofreading goosebumps dead board rp day week tag tagging skip timeskip black it up block muse wait english translate count new gentle long forever open write anyone character characters char pc who's whos pressure length round excited quick back over warms warm easy point pov google hope something excuse finish remind guy love loving caught catch got"),
     (r"\b(?:dibs|can (?:i|we|anyone|anybody|somebody) (?:still )?(?:join|play|jump|get)|too late to|get in on this|(?:my|your|their|his|her) (?:char(?:acter)?s?|muse|pc|turn to post)|next (?:post|turn)"
     r"|i(?:'m| am| have)? (?:assum(?:ed|ing)|play(?:ing)?|npc\w*|wrot?e|writ(?:e|ing|ten)|rewrot\w*|rewritten)|i've (?:written|rewritten|assumed)|let me know|feel free|correct me|does any(?:one|body) mind"
     r"|(?:happy|glad) to (?:edit|change|fix|adjust)|ok(?:ay)? (?:with|if)|hope (?:it's|this is|that's|thats|its) (?:ok(?:ay)?|alright|all right|fine)|up for grabs|your (?:posts?|cue|turn)|kill (?:him|her|them|off) off"
     r"|skip me|to write|write (?:more|a|it)|re-?plot|proofread\w*|goosebumps|(?:dead|last|old) (?:game|board|rp)|posts? (?:a|per) (?:day|week)|jump in|tag(?:ging)? (?:me|you)|time ?skip|fade to black"
     r"|wrap (?:this|it) up|writer'?s? block|my muse|muse is|who'?s next|next up|no pressure|match (?:your |the )?length|next round|(?:back|over) to you\b|so excited|quick one|warms? up later|go easy on|point of view|pov|had to google|hope (?:this|that) works|get something up|excuse the|finish (?:this|it|later|in the)|(?:can|could|some(?:one|body)|any(?:one|body)|please|pls) remind me|my guy|i(?:'m)? (?:so )?(?:lov(?:e|ing)) (?:how|this|that|the way)|catch up on|caught up|got (?:so |too |really |very )?(?:long|short)|can'?t wait (?:to see|for)|english isn'?t|google translate|word count|new here|be gentle|took (?:me )?(?:so|too) long|took (?:me )?forever|open to any(?:one|body))\b")),
    ("dice", 2.5, "damage points throw throws check edition dc nat natural roll rolled crit crits hp d4 d8 d10 d12 3d6 4d6 2d8 2d10 1d4 1d8 1d10 1d12 1d100 2d20",
     r"\b(?:\d{0,2}d(?:4|6|8|10|12|20|100)\b|dc ?\d+|nat(?:ural)? ?(?:20|1)\b|(?:need|have|forgot) to roll|rolled (?:an? )?\d+|roll for|points? of \w+ damage|hit points|saving throws?|(?:make|roll|give me) (?:an?|another) (?:\w+ ){1,3}check|(?:an?|more of an?) \w+ check\b|(?:first|second|third|fourth|fifth|new) edition|crits?\b|\d+ ?hp)\b"),
    ("life", 1.5, ("work uni college class dentist gym boss mum mom gran kid kids baby laptop phone wifi internet computer power flatmate roommate exam exams final finals midterm midterms shift shifts cat dog english degree "
     "posted dropping autocorrect keyboard deadline deadlines homework assignment assignments house flat shifts real holiday vacation mobile migraine flu covid bus up sick ill busy swamped awake asleep"),
     (r"\b(?:(?:at|from|to|after|off|with|before) (?:work|uni|college|class|the dentist|the gym)|work is|posted from|keeps dropping|my (?:boss|mum|mom|gran|kids?|baby|laptop|phone|wifi|internet|computer|power|flatmate|roommate|exams?|finals|shifts?|cat|dog"
     r"|english|degree|autocorrect|keyboard)|exams?|finals|midterms?|deadlines?|homework|assignments?|moving (?:house|this|flat)|no (?:internet|wifi)|double shifts?|real life|on (?:holiday|vacation|mobile)|degree in|migraine"
     r"|the flu|covid|autocorrect|walking the dog|been (?:sick|ill|busy|swamped|awake)|power (?:went|is) out|fell asleep|the bus|up early|up at \d+)\b")),
    ("away", 1.5, "back away off gone busy till til until by from before on over since more home bed night utc gmt hiatus gtg dinner asleep going quiet gotta have must see vanish vanished vanishing sleep leave",
     r"\b(?:back (?:on|in|at|by|from|to)? ?(?:mon|tues|wednes|thurs|fri|satur|sun|tomorrow|tonight|later|soon|a (?:bit|min)|the weekend)\w*|be back|got back from|back in \d+|vanish(?:ed|ing)?|i vanish|sleep (?:time|now)|leave it there|gone for|i(?:'m|m| am)? ?(?:away|off|gone|busy) (?:till?|until|from|for|on|this|next|all|\d\S*)"
     r"|(?:till?|until|by|from|before|on|over|since) (?:the )?(?:\d+(?:st|nd|rd|th)(?! (?:of|century|day|time|street|floor|hour))|" + _DAY + r"|christmas)|more (?:tomorrow|later|soon)|get home|before bed|going quiet|gone quiet|bed (?:now|time)|(?:off to|going to) bed|(?:gotta|have to|must) (?:run|dash)"
     r"|see (?:you|ya) (?:all|tomorrow|then)|good ?night all|night,? (?:all|everyone|folks)|(?:utc|gmt) ?[+-] ?\d+|hiatus|gtg|dinner|asleep)\b"),
    ("thanks", 1.0, "thank thanks welcome congrats great love loved adore chills best happy", r"\b(?:thank(?:s| you)|welcome (?:aboard|back)|congrats|great (?:post|scene|thread)|loved? (?:this|your|that|him|her|it)|i adore|gave me chills|best thread|happy (?:new year|birthday|christmas|holidays))\b"),
    ("note", 1.0, "note sorry apologies heads hi hey also whoops ps p anyway anyways oops whoops ok okay kind ignore purpose not", r"\b(?:quick note|heads? up|just a note|note to|ps|p\.s|anyways?|oops|whoops|ok(?:ay)? (?:so|ok|going|that|here)|be kind|ignore the|on purpose|^\W*(?:so )?(?:sorry|apologies) (?:if|for|that|about)|(?:hi|hey) (?:all|guys|everyone|folks)|(?<![^\n(\[])(?:hi|hey|also),? |not me (?:writing|crying))\b"),
    ("typos", 2.0, "edit edited", r"^\W*edit\w*\b[^\n]{0,60}\b(?:typos?|spelling|grammar|format\w*|forgot|wrong|missed|fixed|names?|clarity|link)\b"),
    ("card", 5.0, "him her them commissions plots currently owes", r"\b(?:he/him|she/her|they/them|commissions (?:open|closed)|open plots|currently:|owes:)"),
    ("radio", -3.0, "over copy tower mayday servant obedient yours", r"\b(?:over and out|over\.|copy\.|tower|mayday)(?:\s|$)|\b(?:your (?:servant|obedient)|yours (?:truly|faithfully))"),
)  # fmt: skip
"""Name, weight, words without any of which it is not looked for, and how they must stand, in small letters."""

SIGNS: tuple[tuple[str, float, str, str], ...] = (
    ("face", 1.5, ":;=8xX<^_T>o\u00af\U0001f642", r"(?<![\w:])(?:[:;=8xX][-'^o]?[)(DPp3O/|](?![\w/])|<3|\^_*\^|;_+;|T_T|>[._]<|o[._]O|¯\\_)|[\U0001F600-\U0001F64F\U0001F923-\U0001F97A]"),
    ("shout", 1.0, "!?", r"[!?]{2,}"),
    ("all", 1.5, "@", r"(?<![\w.])@\w{2,}"),
    ("card", 5.0, "|⋆•~✦", r"[|⋆•~✦][^\n|⋆•~✦]{2,40}[|⋆•✦][^\n|⋆•✦]{2,40}[|⋆•✦]"),
    ("radio", -3.0, "<", r"^\s*<\w+>"),
    ("spoken", -2.0, "\x00", r"\x00"),
)  # fmt: skip
"""Name, weight, characters without any of which it is not looked for, pattern. "spoken" is what was between quotation marks or asterisks."""

CONTEXT = {
    "person": 1.5,  # says "I", "my" or "you", where the rest never does outside speech
    "small": 1.0,  # begins without a capital, or does not end a sentence, in a post that does both
    "i": 1.5,  # "i", in a post that never writes it so
    "story": 0.5,  # the rest has speech between quotation marks, actions between asterisks, or a he or she
    "no story": -4.0,  # it has none of these: an ordinary forum, where the writer is the voice
    "same voice": -2.0,  # the rest itself sounds like the writer
    "document": -3.0,  # the post is a letter, log, diary, tape, sheet or chat
    "story thread": 1.0,  # a whole post, where most others of the thread are of a story
    "plain thread": -5.0,  # a whole post, where few are
    "transcript": 4.0,  # a turn of speech as a whole, with `spoken`
    "alone": -3.5,  # nothing else is in the post: there is nothing to compare it with
}

REACH = sum(CONTEXT[name] for name in ("person", "small", "i"))
"""The most that context can add, but for a story."""
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
    r"^\W*(?:(?:\w+ ){0,2}(?:log|diary|journal|notebook|addendum|tape|statement|transcript|section|memo|telegram)\b(?-i:[ A-Z0-9,.:—-])|day \d+|dear\s|"
    r"to (?:the|whom|my)\b[^\n]*\n|from the (?:note|log|diar|journal|files)\w*)|^<\w+>|^\[\d\d?:\d\d|^\w+,$",
    re.IGNORECASE | re.MULTILINE,
)
_I = re.compile(r"(?<![\w'’.*])i(?![\w*.-])")
_PERSON = re.compile(r"\b(?:I|i|my|My|me|you|You|your|Your|we|We|our|us)\b(?!['’]?\s*(?:/|-))")
_OWN = ("thread", "net", "thanks", "play", "short", "all", "face", "life")
_STORY = re.compile(
    r"[.,!?…—-][\"”]|[\"“][A-Z][^\"”\n]{8,}|(?<![\w*])\*\w[^*\n]* [^*\n]*\*(?!\*)|\b(?:he|she|his|her|him|hers|herself|himself)\b",
    re.IGNORECASE,
)
BESIDE = 1500
"""Characters of the rest of a post that are looked at, on each side."""
PER_TRACE = 500
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
    if len(tokens) > LONG:
        parts["long"] = -(len(tokens) - LONG) / 40
    return Scored(sum(parts.values()), parts)


def context_score(content: str, rest: str, enough: float = -math.inf) -> Scored:
    """What it is worth to stand beside `rest`, the post without it; what it cannot reach `enough` by is not looked for."""
    parts: dict[str, float] = {}
    if not rest.strip():
        if _DOCUMENT.search(content):
            parts["document"] = CONTEXT["document"]
        parts["alone"] = CONTEXT["alone"]
        return Scored(sum(parts.values()), parts)
    kind = "story" if is_story(rest) else "no story"
    parts[kind] = CONTEXT[kind]
    if parts[kind] + REACH < enough:
        return Scored(parts[kind], parts)
    if _I.search(content) and not _I.search(rest):
        parts["i"] = CONTEXT["i"]
    if _PERSON.search(_VOICED.sub(" ", content)) and not _PERSON.search(_VOICED.sub(" ", rest)):
        parts["person"] = CONTEXT["person"]
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
    if _DOCUMENT.search(rest):
        parts["document"] = CONTEXT["document"]
    own = words_score(rest[:BESIDE]).parts
    if sum(own.get(name, 0) for name in _OWN) > 2.0:
        parts["same voice"] = CONTEXT["same voice"]
    return Scored(sum(parts.values()), parts)


def is_story(text: str) -> bool:
    """Whether somebody speaks or acts in it, or is a he or a she: once, and once more for every PER_TRACE characters."""
    needed = 1 + len(text) // PER_TRACE
    return sum(1 for _ in islice(_STORY.finditer(text), needed)) == needed


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
